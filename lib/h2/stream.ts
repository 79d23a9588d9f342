import type { Fields, ResponseInit } from "../http/mod.ts";
import { ChunkQueue } from "./chunk_queue.ts";
import { ReceiveWindow, SendWindow, type WindowBudget } from "./flow_control.ts";
import type { H2Stream, StreamState } from "./types.ts";

/** What a stream asks of its session. */
export interface StreamPort {
  respond(stream: StreamImpl, head: ResponseInit, endStream: boolean): void;
  sendData(stream: StreamImpl, bytes: Uint8Array, endStream: boolean): boolean;
  sendTrailers(stream: StreamImpl, fields: Fields): void;
  consume(stream: StreamImpl, octets: number): void;
  reset(stream: StreamImpl, code: number): void;
}

/** What a new stream needs to know. */
export interface StreamInit {
  readonly id: number;
  readonly sendWindow: number;
  readonly receiveWindow: number;
  readonly maxReceiveWindow: number;
  readonly now: number;
}

/** A stream as the session sees it: the public face and the state behind it. */
export class StreamImpl implements H2Stream {
  readonly id: number;
  context: unknown = undefined;
  lastActivity: number;
  responded = false;

  /** Both sides ended, or one reset. */
  closed = false;
  /** The owner has reset it and hears no more of it; the peer does not know yet. */
  forsaken = false;
  /** We have sent a final head (server) or the request head (client). */
  headSent = false;
  /** The owner has given its last octets. */
  endQueued = false;
  /** END_STREAM is framed. */
  localEnded = false;
  /** END_STREAM has arrived. */
  remoteEnded = false;

  readonly sendWindow: SendWindow;
  readonly receiveWindow: ReceiveWindow;
  /** Octets that arrived and that the owner has not consumed. */
  unconsumed = 0;
  /** Content octets the head declared; -1: none. */
  expected = -1;
  /** Content octets of the DATA frames so far. */
  received = 0;
  /** The request is HEAD (client role): the response has no content whatever it declares. */
  isHead = false;
  /** The request is CONNECT: a 2xx response has no declared length. */
  isConnect = false;

  /** Content not yet framed. */
  readonly queue = new ChunkQueue();
  trailers: Fields | undefined = undefined;
  /** `sendData` answered `false`: `onDrain` is due. */
  paused = false;
  /** In the sender's round. */
  scheduled = false;
  /** A RST_STREAM(NO_ERROR) follows the end of the response. */
  resetWhenSent = false;
  /** Since when queued octets make no progress; -1: none queued. */
  stalledSince = -1;
  /** Octets framed since then. */
  progress = 0;

  readonly #port: StreamPort;

  constructor(port: StreamPort, init: StreamInit) {
    this.#port = port;
    this.id = init.id;
    this.lastActivity = init.now;
    this.sendWindow = new SendWindow(init.sendWindow);
    this.receiveWindow = new ReceiveWindow(init.receiveWindow, init.maxReceiveWindow);
  }

  growFrom(budget: WindowBudget): void {
    this.receiveWindow.growFrom(budget);
  }

  get state(): StreamState {
    if (this.closed) return "closed";
    if (this.endQueued) return this.remoteEnded ? "closed" : "half-closed (local)";
    return this.remoteEnded ? "half-closed (remote)" : "open";
  }

  get bufferedOctets(): number {
    return this.queue.octets;
  }

  /** What is queued makes no progress from now on. */
  beginStall(now: number): void {
    this.stalledSince = now;
    this.progress = 0;
  }

  /** So much of the queue was framed; `enough` of it begins a new stretch of time. */
  noteProgress(octets: number, now: number, enough: number): void {
    this.progress += octets;
    if (this.queue.octets === 0) this.stalledSince = -1;
    else if (this.progress >= enough) this.beginStall(now);
  }

  respond(head: ResponseInit, endStream = false): void {
    this.#port.respond(this, head, endStream);
  }

  sendData(bytes: Uint8Array, endStream = false): boolean {
    return this.#port.sendData(this, bytes, endStream);
  }

  sendTrailers(fields: Fields): void {
    this.#port.sendTrailers(this, fields);
  }

  consume(octets: number): void {
    this.#port.consume(this, octets);
  }

  reset(code: number): void {
    this.#port.reset(this, code);
  }
}
