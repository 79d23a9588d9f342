/**
 * A `net.Socket` whose other end is the test.
 *
 * @module
 */
import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import type { Socket } from "node:net";
import { CLIENT_PREFACE } from "../../lib/h2/mod.ts";
import { parseFrames, type RawFrame } from "./h2_raw.ts";

/** Notes what is written; takes all of it at once unless it is `full`. */
export class FakeSocket extends EventEmitter {
  paused = false;
  destroyed = false;
  ended = false;
  /** Says after each write that enough waits. */
  full = false;
  readonly #written: Uint8Array[] = [];

  /** For what wants the type. */
  asSocket(): Socket {
    return this as unknown as Socket;
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
  }

  isPaused(): boolean {
    return this.paused;
  }

  cork(): void {}

  uncork(): void {}

  write(bytes: Uint8Array): boolean {
    this.#written.push(bytes.slice());
    return !this.full;
  }

  end(): void {
    this.ended = true;
  }

  destroy(): void {
    if (this.destroyed) return;
    this.destroyed = true;
    this.emit("close");
  }

  /** Octets from the peer. */
  receive(bytes: Uint8Array): void {
    assert.ok(!this.paused, "nothing comes from a socket that is not read");
    this.emit("data", bytes);
  }

  /** What waited is taken. */
  drain(): void {
    this.full = false;
    this.emit("drain");
  }

  /** The frames of HTTP/2 that were written so far, without a client's preface. */
  get frames(): RawFrame[] {
    const [first, ...rest] = this.#written;
    if (first === undefined) return [];
    const isPreface = first[0] === CLIENT_PREFACE[0] && first[1] === CLIENT_PREFACE[1];
    return parseFrames([isPreface ? first.subarray(CLIENT_PREFACE.length) : first, ...rest]);
  }
}
