/**
 * A {@link TcpStream} without a network: what its owner does to it is remembered, and tests tell
 * its handler what a real one would.
 *
 * @module
 */
import type { Socket } from "node:net";
import {
  MAX_QUEUED,
  NO_HANDLER,
  type SocketName,
  type StreamError,
  type StreamHandler,
  type TcpStream,
} from "../../lib/tcp/mod.ts";

/** By default everything is taken at once. */
export class FakeStream implements TcpStream {
  bulk = true;
  handler: StreamHandler = NO_HANDLER;
  reading = false;
  closed = false;
  /** How its owner closed it. */
  ending: "reset" | "close" | undefined;
  /** FINs sent. */
  ends = 0;
  brokenOff = false;
  broken = false;
  readEnded = false;
  readError: StreamError | undefined;
  queued = 0;
  readonly tellsLate = false;
  get full(): boolean {
    return this.queued > MAX_QUEUED;
  }
  /** Octets that were written. */
  written = 0;
  /** Whether what is written is queued instead of taken. */
  stalled = false;
  #data: Uint8Array = new Uint8Array(0);
  #finished: (() => void) | undefined;

  /** The other side sends octets. */
  send(...octets: number[]): void {
    this.sendBytes(Uint8Array.from(octets));
  }

  sendBytes(bytes: Uint8Array): void {
    this.#data = bytes;
    this.handler.onData(bytes);
  }

  /** The other side sends a FIN. */
  sendEnd(): void {
    this.readEnded = true;
    this.handler.onEnd();
  }

  /** What was queued is taken. */
  drain(): void {
    this.queued = 0;
    this.stalled = false;
    this.handler.onDrain();
    const finished = this.#finished;
    this.#finished = undefined;
    if (finished !== undefined) {
      this.close();
      finished();
    }
  }

  peerName(): SocketName | undefined {
    return { address: "192.0.2.1", port: 1 };
  }

  localName(): SocketName | undefined {
    return { address: "192.0.2.2", port: 2 };
  }

  resume(): void {
    this.reading = true;
  }

  pause(): void {
    this.reading = false;
  }

  write(bytes: Uint8Array): boolean {
    this.written += bytes.length;
    if (this.stalled) this.queued += bytes.length + 512;
    return !this.stalled;
  }

  passOn(other: TcpStream): boolean {
    return other.write(this.#data);
  }

  lend(bytes: Uint8Array): boolean {
    return this.write(bytes);
  }

  end(): void {
    this.ends++;
  }

  breakOff(): void {
    this.brokenOff = true;
  }

  finish(done: () => void): void {
    if (this.queued > 0) return void (this.#finished = done);
    this.close();
    done();
  }

  reset(): void {
    if (this.closed) return;
    this.closed = true;
    this.ending = "reset";
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.ending = "close";
  }

  isBroken(): boolean {
    return this.broken;
  }

  toSocket(): Socket {
    throw new Error("there is no socket");
  }
}
