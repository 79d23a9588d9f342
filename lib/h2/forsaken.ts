import type { Budget } from "./abuse.ts";
import type { StreamImpl } from "./stream.ts";
import type { H2Handler } from "./types.ts";

/** Who hears what comes on a stream, and how it ends. */
export type StreamOwner = Pick<
  H2Handler,
  "onResponse" | "onData" | "onTrailers" | "onReset" | "onEnd"
>;

/** Hears of streams that nobody waits for. */
export const DEAF: StreamOwner = Object.freeze({ onData() {}, onTrailers() {}, onReset() {} });

/**
 * Streams that their owner has reset and whose RST_STREAM has not gone out yet. Peers count the
 * resets of a connection and end it with everybody's streams when there are many (Node and nghttp2:
 * 1,000 at once, 33 a second), so on a connection that many clients share, those who reset in
 * masses must not get all the others cut off. A forsaken stream keeps its place among the peer's
 * concurrent streams, takes what its window allows and throws it away, until it ends by itself or
 * its RST_STREAM may go.
 */
export class Forsaken {
  readonly #budget: Budget;
  readonly #reset: (stream: StreamImpl, code: number) => void;
  readonly #codes = new Map<StreamImpl, number>();

  /** `budget`: of resets; `reset` sends one and forgets the stream. */
  constructor(budget: Budget, reset: (stream: StreamImpl, code: number) => void) {
    this.#budget = budget;
    this.#reset = reset;
  }

  /** Takes a stream of which the owner wants to hear no more. */
  add(stream: StreamImpl, code: number): void {
    stream.forsaken = true;
    this.#codes.set(stream, code);
  }

  /** The stream is over. */
  remove(stream: StreamImpl): void {
    this.#codes.delete(stream);
  }

  /** Sends the resets that may go now, the oldest first. */
  tick(now: number): void {
    for (const [stream, code] of this.#codes) {
      if (!this.#budget.spend(now)) return;
      this.#reset(stream, code);
    }
  }
}
