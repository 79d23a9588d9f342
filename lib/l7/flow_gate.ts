import type { Readable } from "node:stream";

/** Content of one message that may wait unconsumed before its stream is paused, in octets. */
const HIGH_WATER = 64 * 1024;
/** It flows again below this. */
const LOW_WATER = 16 * 1024;

/**
 * Flow control by credit for a stream of Node, which only knows pause and resume: what was handed
 * on counts until it is consumed.
 */
export class FlowGate {
  readonly #source: Readable;
  #outstanding = 0;
  #paused = false;

  constructor(source: Readable) {
    this.#source = source;
  }

  /** Octets were handed on. */
  passed(octets: number): void {
    this.#outstanding += octets;
    if (this.#outstanding >= HIGH_WATER && !this.#paused) {
      this.#paused = true;
      this.#source.pause();
    }
  }

  /** Octets were taken. */
  consumed(octets: number): void {
    this.#outstanding -= octets;
    if (this.#paused && this.#outstanding <= LOW_WATER) {
      this.#paused = false;
      this.#source.resume();
    }
  }
}
