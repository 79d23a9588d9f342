import { concat } from "../wire/mod.ts";

/** Octets that a client sent ahead of their turn. */
export class HeldInput {
  #bytes: Uint8Array | undefined;

  /** There are some. */
  get any(): boolean {
    return this.#bytes !== undefined;
  }

  /** Keeps what comes behind them; `false`: there are none, and it is its turn. */
  add(bytes: Uint8Array): boolean {
    if (this.#bytes === undefined) return false;
    this.#bytes = concat(this.#bytes, bytes);
    return true;
  }

  /** Keeps `piece` from `at` on, cut out of it: a few octets must not keep 64 KiB. */
  hold(piece: Uint8Array, at: number): void {
    this.#bytes = piece.slice(at);
  }

  /** Hands them over. */
  take(): Uint8Array | undefined {
    const bytes = this.#bytes;
    this.#bytes = undefined;
    return bytes;
  }
}
