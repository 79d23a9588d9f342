import { type Fields, Output, type OutputPool } from "../http/mod.ts";
import { SendWindow } from "./flow_control.ts";
import {
  DEFAULT_MAX_FRAME,
  FRAME_HEADER,
  FrameFlag,
  FrameType,
  writeHead,
  writeU32,
} from "./frames.ts";
import { type HeadersFrame, headersRoom, writeHeaders } from "./header_writer.ts";
import { HpackEncoder } from "./hpack_encoder.ts";
import type { Limits } from "./limits.ts";
import { DEFAULT_WINDOW } from "./settings.ts";
import { StallWatch } from "./stall_watch.ts";
import type { StreamImpl } from "./stream.ts";

/** A DATA frame with less than this was cut by the peer's window, unless it was all there was. */
const FULL_FRAME = 1024;
/** Room for any frame of ours that has no variable content. */
const SMALL_FRAME = 64;
/** Octets of text in a GOAWAY. */
const MAX_DEBUG = 128;

/** What the sender tells its connection. */
export interface SenderEvents {
  /** Output appeared where there was none. */
  onOutput(): void;
  /** More output waits than a reading peer would let happen. */
  onOverflow(): void;
  /** END_STREAM of this stream is framed. */
  onLocalEnd(stream: StreamImpl): void;
  /** The queue of this stream is low again. */
  onDrain(stream: StreamImpl): void;
  /** A DATA frame went out; `full`: its stream's window did not cut it to a sliver. */
  onDataSent(octets: number, full: boolean): void;
}

/** Frames what goes out, within both windows, and lets streams with queued DATA take turns. */
export class Sender {
  /** What the peer takes over all streams. */
  readonly window = new SendWindow(DEFAULT_WINDOW);
  readonly encoder = new HpackEncoder();
  /** On the owner's clock; kept by the connection. */
  now = 0;
  /** Octets that the streams have queued together. */
  queued = 0;
  readonly #output: Output;
  readonly #limits: Limits;
  readonly #events: SenderEvents;
  readonly #round: StreamImpl[] = [];
  /** True at first: the preface waits, and the owner knows (see `H2Session`). */
  #announced = true;
  #announcedAt = 0;
  #pumping = false;
  readonly #stall: StallWatch;

  constructor(pool: OutputPool, limits: Limits, events: SenderEvents) {
    this.#output = new Output(pool);
    this.#limits = limits;
    this.#stall = new StallWatch(limits);
    this.#events = events;
  }

  /** Octets waiting to be taken. */
  get pending(): number {
    return this.#output.size;
  }

  /** Since when output waits for its owner; -1 if none does. */
  get waitingSince(): number {
    return this.#announced ? this.#announcedAt : -1;
  }

  /** Hands over what was framed and frames more of what was queued. */
  take(): Uint8Array[] {
    const taken = this.#output.take();
    this.#announced = false;
    this.pump();
    return taken;
  }

  /** Octets that are not a frame: the client preface, with which the greeting begins. */
  raw(bytes: Uint8Array): void {
    const slab = this.#output.reserve(bytes.length);
    slab.bytes.set(bytes, slab.used);
    slab.used += bytes.length;
  }

  /** SETTINGS with these pairs, part of the greeting too: the owner knows that it waits. */
  settings(pairs: readonly (readonly [id: number, value: number])[]): void {
    const slab = this.#output.reserve(FRAME_HEADER + 6 * pairs.length);
    let at = writeHead(slab.bytes, slab.used, {
      length: 6 * pairs.length,
      type: FrameType.settings,
      flags: 0,
      streamId: 0,
    });
    for (const [id, value] of pairs) {
      slab.bytes[at] = id >>> 8;
      slab.bytes[at + 1] = id;
      at = writeU32(slab.bytes, at + 2, value);
    }
    slab.used = at;
  }

  /** The acknowledgement of the peer's SETTINGS. */
  settingsAck(): void {
    this.#small(FrameType.settings, FrameFlag.ack, 0, []);
  }

  /** PING with eight octets as two words. */
  ping(words: readonly [number, number], ack: boolean): void {
    this.#small(FrameType.ping, ack ? FrameFlag.ack : 0, 0, words);
  }

  /** RST_STREAM. */
  reset(streamId: number, code: number): void {
    this.#small(FrameType.rstStream, 0, streamId, [code]);
  }

  /** WINDOW_UPDATE; stream 0 is the connection. */
  windowUpdate(streamId: number, increment: number): void {
    this.#small(FrameType.windowUpdate, 0, streamId, [increment]);
  }

  /** GOAWAY with a reason for the peer's log. */
  goaway(lastStreamId: number, code: number, reason: string): void {
    const debug = new TextEncoder().encode(reason).subarray(0, MAX_DEBUG);
    const slab = this.#output.reserve(SMALL_FRAME + MAX_DEBUG);
    const head = { length: 8 + debug.length, type: FrameType.goaway, flags: 0, streamId: 0 };
    let at = writeHead(slab.bytes, slab.used, head);
    at = writeU32(slab.bytes, writeU32(slab.bytes, at, lastStreamId), code);
    slab.bytes.set(debug, at);
    slab.used = at + debug.length;
    this.#announce();
  }

  /**
   * HEADERS, with CONTINUATION if one frame is not enough.
   *
   * @throws {H2FieldError} before anything is written.
   */
  headers(frame: HeadersFrame): void {
    const slab = this.#output.reserve(headersRoom(frame));
    slab.used = writeHeaders(frame, this.encoder, slab.bytes, slab.used);
    this.#announce();
  }

  /** Frames or queues content; `false` asks for a pause. The caller checked the state. */
  data(stream: StreamImpl, bytes: Uint8Array, endStream: boolean): boolean {
    if (endStream) stream.endQueued = true;
    if (stream.queue.octets === 0 && bytes.length <= this.#allowance(stream)) {
      if (bytes.length > 0 || endStream) this.#writeData(stream, bytes, endStream);
      return true;
    }
    if (bytes.length > 0) {
      if (stream.queue.octets === 0) stream.beginStall(this.now);
      if (this.queued === 0) this.#stall.begin(this.now, 0);
      stream.queue.push(bytes);
      this.queued += bytes.length;
    }
    this.schedule(stream);
    this.pump();
    if (stream.queue.cost <= this.#limits.streamSendBuffer) return true;
    stream.paused = true;
    return false;
  }

  /** Sends trailers once the queue is empty. The caller checked fields and state. */
  trailers(stream: StreamImpl, fields: Fields): void {
    stream.endQueued = true;
    stream.trailers = fields;
    if (stream.queue.octets === 0) this.#finish(stream);
  }

  /** Drops what a stream has queued. */
  forget(stream: StreamImpl): void {
    this.queued -= stream.queue.octets;
    stream.queue.clear();
    stream.trailers = undefined;
    stream.stalledSince = -1;
  }

  /** Gives a stream its turn, if it has something to send and may. */
  schedule(stream: StreamImpl): void {
    if (stream.scheduled || stream.queue.octets === 0 || stream.sendWindow.available <= 0) return;
    stream.scheduled = true;
    this.#round.push(stream);
  }

  /** Frames queued DATA, one frame a stream and turn, until a window or the output is full. */
  pump(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    while (this.#round.length > 0 && this.window.available > 0 && this.#hasRoom()) {
      const stream = this.#round.shift() as StreamImpl;
      stream.scheduled = false;
      if (stream.closed) continue;
      this.#writeQueued(stream);
      this.schedule(stream);
    }
    this.#pumping = false;
  }

  /** Whether the peer has kept the window of the connection nearly closed for too long. */
  stalls(): boolean {
    return this.queued > 0 && this.#stall.stalls(this.now, this);
  }

  #hasRoom(): boolean {
    return this.#output.size < this.#limits.outputHighWater;
  }

  /** Octets that one DATA frame of this stream may have now; an empty one always may go. */
  #allowance(stream: StreamImpl): number {
    if (!this.#hasRoom()) return 0;
    return Math.max(
      0,
      Math.min(DEFAULT_MAX_FRAME, this.window.available, stream.sendWindow.available),
    );
  }

  #writeData(stream: StreamImpl, bytes: Uint8Array, endStream: boolean): void {
    const slab = this.#beginData(stream, bytes.length, endStream);
    slab.bytes.set(bytes, slab.used);
    slab.used += bytes.length;
    this.#dataWritten(stream, bytes.length, endStream);
  }

  /** One frame from the queue, gathered from as many chunks as fit. */
  #writeQueued(stream: StreamImpl): void {
    const length = Math.min(this.#allowance(stream), stream.bufferedOctets);
    if (length <= 0) return;
    const last = length === stream.bufferedOctets;
    const endStream = last && stream.endQueued && stream.trailers === undefined;
    const slab = this.#beginData(stream, length, endStream);
    stream.queue.take(slab.bytes, slab.used, length);
    slab.used += length;
    this.queued -= length;
    this.#stall.progress += length;
    stream.noteProgress(length, this.now, this.#limits.minProgress);
    this.#dataWritten(stream, length, endStream);
    if (stream.queue.octets === 0 && stream.trailers !== undefined) this.#finish(stream);
    if (stream.paused && stream.queue.cost <= this.#limits.streamSendBuffer >>> 1) {
      stream.paused = false;
      if (!stream.closed) this.#events.onDrain(stream);
    }
  }

  #beginData(stream: StreamImpl, length: number, endStream: boolean) {
    const slab = this.#output.reserve(FRAME_HEADER + length);
    const flags = endStream ? FrameFlag.endStream : 0;
    const head = { length, type: FrameType.data, flags, streamId: stream.id };
    slab.used = writeHead(slab.bytes, slab.used, head);
    return slab;
  }

  #dataWritten(stream: StreamImpl, length: number, endStream: boolean): void {
    this.window.available -= length;
    stream.sendWindow.available -= length;
    stream.lastActivity = this.now;
    this.#events.onDataSent(length, length >= FULL_FRAME || stream.queue.octets === 0);
    this.#announce();
    if (endStream) this.#events.onLocalEnd(stream);
  }

  #finish(stream: StreamImpl): void {
    const fields = stream.trailers as Fields;
    stream.trailers = undefined;
    this.headers({ streamId: stream.id, pseudo: [], fields, endStream: true });
    this.#events.onLocalEnd(stream);
  }

  #small(type: number, flags: number, streamId: number, words: readonly number[]): void {
    const slab = this.#output.reserve(SMALL_FRAME);
    const head = { length: 4 * words.length, type, flags, streamId };
    slab.used = writeHead(slab.bytes, slab.used, head);
    for (const word of words) slab.used = writeU32(slab.bytes, slab.used, word);
    this.#announce();
  }

  #announce(): void {
    if (this.#output.size > this.#limits.maxOutput) this.#events.onOverflow();
    if (this.#announced) return;
    this.#announced = true;
    this.#announcedAt = this.now;
    this.#events.onOutput();
  }
}
