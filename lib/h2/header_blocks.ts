import type { ResponseHead } from "../http/mod.ts";
import type { Connection } from "./connection.ts";
import { ErrorCode } from "./error_codes.ts";
import { FrameFlag } from "./frames.ts";
import { HeaderAssembler } from "./header_rules.ts";
import { HpackDecoder } from "./hpack_decoder.ts";
import type { StreamImpl } from "./stream.ts";
import type { Refusal } from "./types.ts";

const { protocolError, frameSizeError, compressionError, streamClosed, enhanceYourCalm } =
  ErrorCode;
/** Stream dependency and weight in front of a block with the PRIORITY flag. */
const PRIORITY_OCTETS = 5;
/** First size of the array a block with CONTINUATION is gathered in. */
const FIRST_ROOM = 4096;
const NOTHING: Uint8Array = new Uint8Array(0);

/**
 * Header blocks of the peer: gathers their frames, decodes each (always: the HPACK table is shared
 * state, whatever becomes of the stream), checks it, and makes streams, responses and trailers.
 */
export class HeaderBlocks {
  readonly #connection: Connection;
  readonly #decoder = new HpackDecoder();
  readonly #assembler: HeaderAssembler;
  /** Stream of the unfinished block; 0: there is none. */
  #openStream = 0;
  #openSince = -1;
  #endStream = false;
  #gathered: Uint8Array = NOTHING;
  #size = 0;
  #continuations = 0;

  constructor(connection: Connection) {
    this.#connection = connection;
    this.#assembler = new HeaderAssembler(connection.limits.maxHeaderListSize);
  }

  /** Stream whose header block is not finished; 0 if there is none. */
  get openStream(): number {
    return this.#openStream;
  }

  /** Since when a block is unfinished; -1 if none is. */
  get openSince(): number {
    return this.#openStream === 0 ? -1 : this.#openSince;
  }

  /** A HEADERS frame. */
  headers(flags: number, streamId: number, payload: Uint8Array): void {
    const connection = this.#connection;
    if (streamId === 0) return connection.fail(protocolError, "HEADERS on stream 0");
    const padded = (flags & FrameFlag.padded) !== 0 ? 1 : 0;
    const start = padded + ((flags & FrameFlag.priority) !== 0 ? PRIORITY_OCTETS : 0);
    if (payload.length < start) return connection.fail(frameSizeError, "HEADERS length");
    const end = payload.length - (padded === 1 ? payload[0] as number : 0);
    if (end < start) return connection.fail(protocolError, "padding longer than its frame");
    const block = payload.subarray(start, end);
    this.#endStream = (flags & FrameFlag.endStream) !== 0;
    if ((flags & FrameFlag.endHeaders) !== 0) return this.#finish(streamId, block);
    this.#openStream = streamId;
    this.#openSince = connection.now;
    this.#continuations = 0;
    this.#size = 0;
    this.#gather(block);
  }

  /** A CONTINUATION frame of the unfinished block. */
  continuation(flags: number, streamId: number, payload: Uint8Array): void {
    const connection = this.#connection;
    if (streamId !== this.#openStream || streamId === 0) {
      return connection.fail(protocolError, "CONTINUATION without HEADERS");
    }
    if (++this.#continuations > connection.limits.maxContinuations) {
      return connection.fail(enhanceYourCalm, "too many CONTINUATION frames");
    }
    if (this.#size + payload.length > connection.limits.maxHeaderBlock) {
      return connection.fail(enhanceYourCalm, "header block too large");
    }
    this.#gather(payload);
    if ((flags & FrameFlag.endHeaders) === 0) return;
    const block = this.#gathered.subarray(0, this.#size);
    this.#openStream = 0;
    this.#gathered = NOTHING;
    this.#finish(streamId, block);
  }

  #gather(piece: Uint8Array): void {
    const size = this.#size + piece.length;
    if (size > this.#gathered.length) {
      const larger = new Uint8Array(Math.max(FIRST_ROOM, size, 2 * this.#gathered.length));
      larger.set(this.#gathered.subarray(0, this.#size));
      this.#gathered = larger;
    }
    this.#gathered.set(piece, this.#size);
    this.#size = size;
  }

  #finish(streamId: number, block: Uint8Array): void {
    const connection = this.#connection;
    this.#assembler.begin();
    if (!this.#decoder.decode(block, this.#assembler)) {
      return connection.fail(compressionError, this.#decoder.failure);
    }
    const stream = connection.streams.get(streamId);
    if (stream !== undefined) return this.#onStream(stream);
    if (connection.role === "server" && connection.streams.takePeerId(streamId)) {
      return this.#request(streamId);
    }
    this.#onPast(streamId);
  }

  #onStream(stream: StreamImpl): void {
    if (stream.remoteEnded) {
      const reason = "HEADERS after END_STREAM";
      return this.#connection.streamError(stream.id, streamClosed, reason);
    }
    if (this.#connection.role === "client" && !stream.responded) return this.#response(stream);
    this.#trailers(stream);
  }

  /** RFC 9113 §5.1, §5.1.1. */
  #onPast(streamId: number): void {
    const connection = this.#connection;
    switch (connection.streams.past(streamId)) {
      case "reset-by-us":
        connection.spend(connection.guard.control, "frames on closed streams");
        return;
      case "ended":
        return connection.fail(streamClosed, "HEADERS after the end of its stream");
      case "forgotten":
        // Our own stream, reset long ago among many: no identifier is used twice here.
        if (connection.role === "client") {
          connection.spend(connection.guard.control, "frames on closed streams");
          return;
        }
    }
    connection.fail(protocolError, "HEADERS on an invalid stream identifier");
  }

  #request(streamId: number): void {
    const connection = this.#connection;
    const { limits, streams } = connection;
    // After the final GOAWAY the peer knows that these are not processed (RFC 9113 §6.8).
    if (streamId > connection.acceptUpTo) return streams.remember(streamId, true);
    if (streams.size >= limits.maxConcurrentStreams) return this.#tooMany(streamId);
    if (this.#assembler.tooLarge) return this.#tooLarge(streamId);
    const head = this.#assembler.request();
    if (head === undefined) return this.#malformed(streamId, this.#assembler.problem);
    const ends = this.#endStream;
    if (ends && head.contentLength > 0) {
      return this.#malformed(streamId, "content shorter than content-length");
    }
    const stream = connection.open(streamId);
    stream.expected = head.contentLength;
    stream.remoteEnded = ends;
    connection.handler.onRequest?.(stream, head, ends);
  }

  #tooMany(streamId: number): void {
    const connection = this.#connection;
    connection.sender.reset(streamId, ErrorCode.refusedStream);
    connection.streams.remember(streamId, true);
    this.#refuse({ streamId, kind: "too-many", reason: "too many concurrent streams" });
    // Before our SETTINGS are acknowledged the peer cannot know the limit.
    if (connection.settingsAcked) connection.spend(connection.guard.resets, "streams");
  }

  /** RFC 9113 §10.5.1 with RFC 6585 §5. */
  #tooLarge(streamId: number): void {
    const connection = this.#connection;
    const { sender, handler } = connection;
    const ends = this.#endStream;
    if (handler.onTooLarge === undefined) {
      sender.headers({ streamId, pseudo: [":status", "431"], fields: [], endStream: true });
      if (!ends) sender.reset(streamId, ErrorCode.noError);
      connection.streams.remember(streamId, !ends);
    } else {
      const stream = connection.open(streamId);
      stream.remoteEnded = ends;
      handler.onTooLarge(stream, this.#assembler.partial, ends);
    }
    this.#refuse({ streamId, kind: "too-large", reason: "header list too large" });
    connection.spend(connection.guard.resets, "large header lists");
  }

  #malformed(streamId: number, reason: string): void {
    this.#refuse({ streamId, kind: "malformed", reason });
    this.#connection.streamError(streamId, protocolError, reason);
  }

  #refuse(refusal: Refusal): void {
    this.#connection.handler.onRefusal?.(refusal);
  }

  #response(stream: StreamImpl): void {
    const connection = this.#connection;
    const ends = this.#endStream;
    const refuse = (reason: string) => connection.streamError(stream.id, protocolError, reason);
    if (this.#assembler.tooLarge) return refuse("header list too large");
    const head = this.#assembler.response();
    if (head === undefined) return refuse(this.#assembler.problem);
    stream.lastActivity = connection.now;
    if (head.status < 200) {
      if (ends) return refuse("informational response ends its stream");
      connection.ownerOf(stream).onResponse?.(stream, head, false);
      return;
    }
    stream.responded = true;
    stream.expected = expectedContent(stream, head);
    if (ends && stream.expected > 0) return refuse("content shorter than content-length");
    stream.remoteEnded = ends;
    connection.ownerOf(stream).onResponse?.(stream, head, ends);
    if (ends) connection.afterRemoteEnd(stream);
  }

  #trailers(stream: StreamImpl): void {
    const connection = this.#connection;
    const refuse = (reason: string) => connection.streamError(stream.id, protocolError, reason);
    if (!this.#endStream) return refuse("HEADERS inside the content");
    if (this.#assembler.tooLarge) return refuse("trailers too large");
    const fields = this.#assembler.trailers();
    if (fields === undefined) return refuse(this.#assembler.problem);
    if (stream.received < stream.expected) {
      return refuse("content shorter than content-length");
    }
    stream.remoteEnded = true;
    stream.lastActivity = connection.now;
    connection.ownerOf(stream).onTrailers(stream, fields);
    connection.afterRemoteEnd(stream);
  }
}

/** Octets of content a response must have; -1: any number (RFC 9110 §6.4.1, RFC 9113 §8.1.1). */
function expectedContent(stream: StreamImpl, head: ResponseHead): number {
  if (stream.isHead || head.status === 204 || head.status === 304) return 0;
  if (stream.isConnect && head.status < 300) return -1;
  return head.contentLength;
}
