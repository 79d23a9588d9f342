import { type Connection, SMALL_CONTENT } from "./connection.ts";
import { ErrorCode } from "./error_codes.ts";
import type { FrameSink } from "./frame_reader.ts";
import { FrameFlag, FrameType, MAX_31_BITS, readU32 } from "./frames.ts";
import { HeaderBlocks } from "./header_blocks.ts";
import { applySettings } from "./settings.ts";
import type { StreamImpl } from "./stream.ts";

/** What the inbound side asks of the session above it. */
export interface InboundEvents {
  /** A PING of ours came back with this number. */
  pong(serial: number): void;
}

const { protocolError, frameSizeError, flowControlError, streamClosed } = ErrorCode;

/** Applies each frame of the peer to the connection (RFC 9113 §6). */
export class Inbound implements FrameSink {
  readonly blocks: HeaderBlocks;
  readonly #connection: Connection;
  readonly #events: InboundEvents;
  /** Stream of the DATA frame that is arriving; `undefined`: its octets go nowhere. */
  #dataStream: StreamImpl | undefined;
  #dataEnds = false;

  constructor(connection: Connection, events: InboundEvents) {
    this.#connection = connection;
    this.#events = events;
    this.blocks = new HeaderBlocks(connection);
  }

  broken(code: number, reason: string): void {
    this.#connection.fail(code, reason);
  }

  frame(type: number, flags: number, streamId: number, payload: Uint8Array): void {
    const connection = this.#connection;
    if (connection.closed || !this.#inOrder(type, flags)) return;
    switch (type) {
      case FrameType.headers:
        return this.blocks.headers(flags, streamId, payload);
      case FrameType.continuation:
        return this.blocks.continuation(flags, streamId, payload);
      case FrameType.windowUpdate:
        return this.#windowUpdate(streamId, payload);
      case FrameType.rstStream:
        return this.#rstStream(streamId, payload);
      case FrameType.settings:
        return this.#settings(flags, streamId, payload);
      case FrameType.ping:
        return this.#ping(flags, streamId, payload);
      case FrameType.goaway:
        return this.#goaway(streamId, payload);
      case FrameType.priority:
        return this.#priority(streamId, payload);
      case FrameType.pushPromise:
        // A client cannot push, and as a client we switched it off (RFC 9113 §8.4).
        return connection.fail(protocolError, "PUSH_PROMISE");
      default:
        connection.spend(connection.guard.control, "unknown frames"); // RFC 9113 §5.5: ignored
    }
  }

  dataBegin(streamId: number, flags: number, flow: number, content: number): void {
    const connection = this.#connection;
    this.#dataStream = undefined;
    if (connection.closed || !this.#inOrder(FrameType.data, flags)) return;
    if (streamId === 0) return connection.fail(protocolError, "DATA on stream 0");
    if (!connection.window.take(flow)) {
      return connection.fail(flowControlError, "connection window exceeded");
    }
    const ends = (flags & FrameFlag.endStream) !== 0;
    if (content === 0 && !ends) {
      if (!connection.spend(connection.guard.emptyData, "empty DATA frames")) return;
    }
    connection.guard.control.credit(content / SMALL_CONTENT);
    if (content < SMALL_CONTENT) {
      const missing = 1 - content / SMALL_CONTENT;
      if (!connection.spend(connection.guard.smallData, "small DATA frames", missing)) return;
    }
    const stream = connection.streams.get(streamId);
    if (stream === undefined) return this.#dataWithoutStream(streamId, flow);
    if (this.#acceptData(stream, flow, content, ends)) {
      this.#dataStream = stream;
      this.#dataEnds = ends;
      if (connection.limits.creditOnReceipt) connection.credit(flow);
      stream.unconsumed += flow;
      stream.consume(flow - content); // nobody else will consume padding
    } else {
      connection.credit(flow);
    }
  }

  dataPiece(bytes: Uint8Array, last: boolean): void {
    const stream = this.#dataStream;
    if (stream === undefined || stream.closed) return;
    const ends = last && this.#dataEnds;
    if (bytes.length === 0 && !ends) return;
    stream.lastActivity = this.#connection.now;
    if (ends) stream.remoteEnded = true;
    this.#connection.ownerOf(stream).onData(stream, bytes, ends);
    if (ends) this.#connection.afterRemoteEnd(stream);
  }

  /**
   * What may come first, and between the frames of a header block (RFC 9113 §3.4, §6.10). Whether a
   * CONTINUATION is of the stream of the block is for {@link HeaderBlocks}.
   */
  #inOrder(type: number, flags: number): boolean {
    const connection = this.#connection;
    if (!connection.settingsReceived) {
      if (type === FrameType.settings && (flags & FrameFlag.ack) === 0) return true;
      connection.fail(protocolError, "first frame is not SETTINGS");
      return false;
    }
    const open = this.blocks.openStream;
    if (open === 0 || type === FrameType.continuation) return true;
    connection.fail(protocolError, "frame inside a header block");
    return false;
  }

  #dataWithoutStream(streamId: number, flow: number): void {
    const connection = this.#connection;
    const past = connection.streams.past(streamId);
    if (past === "idle") return connection.fail(protocolError, "DATA on an idle stream");
    // RFC 9113 §5.1: frames in flight when we reset the stream are ignored; after an orderly end
    // there can be none.
    if (past === "ended") return connection.fail(streamClosed, "DATA after the end of its stream");
    connection.credit(flow);
    connection.spend(connection.guard.control, "frames on closed streams");
  }

  #acceptData(stream: StreamImpl, flow: number, content: number, ends: boolean): boolean {
    const connection = this.#connection;
    const refuse = (code: number, reason: string): false => {
      connection.streamError(stream.id, code, reason);
      return false;
    };
    if (stream.remoteEnded) return refuse(streamClosed, "DATA after END_STREAM");
    if (connection.role === "client" && !stream.responded) {
      return refuse(protocolError, "DATA before the response head");
    }
    if (!stream.receiveWindow.take(flow)) return refuse(flowControlError, "stream window exceeded");
    stream.received += content;
    // RFC 9113 §8.1.1: content that differs from content-length is how requests get smuggled.
    if (stream.expected >= 0) {
      if (stream.received > stream.expected) {
        return refuse(protocolError, "content longer than content-length");
      }
      if (ends && stream.received < stream.expected) {
        return refuse(protocolError, "content shorter than content-length");
      }
    }
    return true;
  }

  #windowUpdate(streamId: number, payload: Uint8Array): void {
    const connection = this.#connection;
    if (payload.length !== 4) return connection.fail(frameSizeError, "WINDOW_UPDATE length");
    const increment = readU32(payload, 0) & MAX_31_BITS;
    if (!connection.spend(connection.guard.windowUpdates, "WINDOW_UPDATE frames")) return;
    if (streamId === 0) {
      if (increment === 0) return connection.fail(protocolError, "WINDOW_UPDATE of 0");
      if (!connection.sender.window.grow(increment)) {
        return connection.fail(flowControlError, "connection window above 2^31-1");
      }
      return connection.sender.pump();
    }
    const stream = connection.streams.get(streamId);
    if (stream === undefined) return this.#onPast(streamId, "WINDOW_UPDATE");
    if (increment === 0) {
      return connection.streamError(streamId, protocolError, "WINDOW_UPDATE of 0");
    }
    if (!stream.sendWindow.grow(increment)) {
      return connection.streamError(streamId, flowControlError, "stream window above 2^31-1");
    }
    connection.sender.schedule(stream);
    connection.sender.pump();
  }

  #rstStream(streamId: number, payload: Uint8Array): void {
    const connection = this.#connection;
    if (payload.length !== 4) return connection.fail(frameSizeError, "RST_STREAM length");
    const stream = connection.streams.get(streamId);
    if (stream === undefined) return this.#onPast(streamId, "RST_STREAM");
    const code = readU32(payload, 0);
    const retryable = code === ErrorCode.refusedStream && !stream.responded;
    connection.peerReset(stream, { code, by: "peer", reason: "reset by peer", retryable });
    connection.spend(connection.guard.resets, "resets");
  }

  /** A control frame for a stream that is not open. */
  #onPast(streamId: number, name: string): void {
    const connection = this.#connection;
    if (connection.streams.past(streamId) === "idle") {
      return connection.fail(protocolError, `${name} on an idle stream`);
    }
    connection.spend(connection.guard.control, "frames on closed streams");
  }

  #settings(flags: number, streamId: number, payload: Uint8Array): void {
    const connection = this.#connection;
    if (streamId !== 0) return connection.fail(protocolError, "SETTINGS on a stream");
    if ((flags & FrameFlag.ack) !== 0) {
      if (payload.length > 0) return connection.fail(frameSizeError, "SETTINGS ACK with payload");
      connection.settingsAcked = true;
      connection.spend(connection.guard.settings, "SETTINGS frames");
      return;
    }
    if (!connection.spend(connection.guard.settings, "SETTINGS frames")) return;
    const { peer, sender } = connection;
    const before = peer.initialWindowSize;
    const problem = applySettings(peer, payload, {
      pushAllowed: connection.role === "server",
      onTableSize: (octets) => sender.encoder.setTableLimit(octets),
    });
    if (problem !== undefined) return connection.fail(problem.code, problem.reason);
    if (!this.#moveWindows(peer.initialWindowSize - before)) return;
    connection.settingsReceived = true;
    sender.settingsAck();
    sender.pump();
    connection.handler.onSettings?.(peer);
    connection.opener.announceRoom();
  }

  /** RFC 9113 §6.9.2: a new initial window moves the window of every open stream. */
  #moveWindows(delta: number): boolean {
    if (delta === 0) return true;
    const connection = this.#connection;
    for (const stream of connection.streams.all()) {
      if (!stream.sendWindow.grow(delta)) {
        connection.fail(flowControlError, "stream window above 2^31-1");
        return false;
      }
      connection.sender.schedule(stream);
    }
    return true;
  }

  #ping(flags: number, streamId: number, payload: Uint8Array): void {
    const connection = this.#connection;
    if (streamId !== 0) return connection.fail(protocolError, "PING on a stream");
    if (payload.length !== 8) return connection.fail(frameSizeError, "PING length");
    const words = [readU32(payload, 0), readU32(payload, 4)] as const;
    if ((flags & FrameFlag.ack) !== 0) {
      if (words[0] === 0) this.#events.pong(words[1]);
      connection.spend(connection.guard.control, "PING frames");
    } else if (connection.spend(connection.guard.control, "PING frames")) {
      connection.sender.ping(words, true);
    }
  }

  #goaway(streamId: number, payload: Uint8Array): void {
    const connection = this.#connection;
    if (streamId !== 0) return connection.fail(protocolError, "GOAWAY on a stream");
    if (payload.length < 8) return connection.fail(frameSizeError, "GOAWAY length");
    if (!connection.spend(connection.guard.control, "GOAWAY frames")) return;
    const lastStreamId = readU32(payload, 0) & MAX_31_BITS;
    connection.peerGoaway(readU32(payload, 4), lastStreamId);
  }

  #priority(streamId: number, payload: Uint8Array): void {
    const connection = this.#connection;
    if (streamId === 0) return connection.fail(protocolError, "PRIORITY on stream 0");
    if (payload.length !== 5) return connection.fail(frameSizeError, "PRIORITY length");
    connection.spend(connection.guard.control, "PRIORITY frames"); // RFC 9113 §5.3.2: ignored
  }
}
