/**
 * A connection whose other end is the test.
 *
 * @module
 */
import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { CLIENT_PREFACE } from "../../lib/h2/mod.ts";
import { NO_HANDLER, StreamError, type StreamHandler, type TcpStream } from "../../lib/tcp/mod.ts";
import { parseFrames, type RawFrame } from "./h2_raw.ts";

/** Notes what is written; takes all of it at once unless it is `full`. */
export class FakeSocket implements TcpStream {
  handler: StreamHandler = NO_HANDLER;
  paused = true;
  /** It was closed by its owner or is lost. */
  destroyed = false;
  ended = false;
  bulk = true;
  readEnded = false;
  readonly readError = undefined;
  readonly tellsLate = false;
  queued = 0;
  #isFull = false;
  readonly #written: Uint8Array[] = [];

  /** For what wants the type. */
  asStream(): TcpStream {
    return this;
  }

  /** Nothing is taken from now on. */
  set full(full: boolean) {
    this.#isFull = full;
  }

  get full(): boolean {
    return this.#isFull;
  }

  get closed(): boolean {
    return this.destroyed;
  }

  peerName(): undefined {}

  localName(): undefined {}

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
  }

  write(bytes: Uint8Array): boolean {
    this.#written.push(bytes.slice());
    if (this.#isFull) this.queued += bytes.length;
    return !this.#isFull;
  }

  lend(bytes: Uint8Array): boolean {
    return this.write(bytes);
  }

  passOn(): boolean {
    throw new Error("this is not for relays");
  }

  end(): void {
    this.ended = true;
  }

  breakOff(): void {
    this.ended = true;
  }

  finish(done: () => void): void {
    this.close();
    done();
  }

  reset(): void {
    this.close();
  }

  close(): void {
    this.destroyed = true;
    this.handler = NO_HANDLER;
  }

  isBroken(): boolean {
    return this.destroyed;
  }

  toSocket(): Socket {
    throw new Error("there is no socket");
  }

  /** The connection is lost. */
  destroy(): void {
    if (!this.destroyed) this.handler.onReadError(new StreamError("ECONNRESET", "lost"));
    this.close();
  }

  /** Calls that wrote something. */
  get writes(): number {
    return this.#written.length;
  }

  /** Octets from the peer. */
  receive(bytes: Uint8Array): void {
    assert.ok(!this.paused, "nothing comes from a socket that is not read");
    this.handler.onData(bytes);
  }

  /** What waited is taken. */
  drain(): void {
    this.full = false;
    this.queued = 0;
    this.handler.onDrain();
  }

  /** The frames of HTTP/2 that were written so far, without a client's preface. */
  get frames(): RawFrame[] {
    const [first, ...rest] = this.#written;
    if (first === undefined) return [];
    const isPreface = first[0] === CLIENT_PREFACE[0] && first[1] === CLIENT_PREFACE[1];
    return parseFrames([isPreface ? first.subarray(CLIENT_PREFACE.length) : first, ...rest]);
  }
}
