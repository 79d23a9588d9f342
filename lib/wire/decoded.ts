/**
 * What a parser over a growing buffer answers. Incomplete input is a value, not an exception:
 * packets split anywhere, and the union makes every caller say what happens then.
 *
 * - `ok`: `value` was decoded from the first `size` octets.
 * - `need`: every octet so far is a prefix of something valid.
 * - `invalid`: no further octet can make this valid; `reason` is a short English phrase for a log
 *   (fixed text, never the peer's octets).
 */
export type Decoded<T> =
  | { readonly kind: "ok"; readonly value: T; readonly size: number }
  | { readonly kind: "need" }
  | { readonly kind: "invalid"; readonly reason: string };

/** The one `need` value; shared because it carries nothing. */
export const NEED: Decoded<never> = Object.freeze({ kind: "need" });

/** A decoded value and how many octets it took. */
export function ok<T>(value: T, size: number): Decoded<T> {
  return { kind: "ok", value, size };
}

/** A refusal with its reason. */
export function invalid(reason: string): Decoded<never> {
  return { kind: "invalid", reason };
}

/**
 * A forward-only reader over one slice of octets. A read past the end returns `undefined` and moves
 * nothing, so a lying length cannot reach the octets of a neighbour.
 *
 * @example
 * ```ts
 * import { Cursor } from "./decoded.ts";
 * import assert from "node:assert/strict";
 *
 * const cursor = new Cursor(Uint8Array.of(0, 2, 0xaa, 0xbb));
 * const body = cursor.vector16();
 * assert.equal(body?.u16(), 0xaabb);
 * assert.equal(body?.u8(), undefined);
 * ```
 */
export class Cursor {
  readonly #bytes: Uint8Array;
  readonly #end: number;
  #at: number;

  /** Reads `bytes` from `start` (inclusive) to `end` (exclusive). */
  constructor(bytes: Uint8Array, start = 0, end: number = bytes.length) {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = Math.min(end, bytes.length);
  }

  /** Octets left. */
  get remaining(): number {
    return this.#end - this.#at;
  }

  /** Index of the next octet in the underlying array. */
  get position(): number {
    return this.#at;
  }

  /** One octet. */
  u8(): number | undefined {
    return this.#at < this.#end ? this.#bytes[this.#at++] : undefined;
  }

  /** Two octets, most significant first. */
  u16(): number | undefined {
    if (this.remaining < 2) return undefined;
    const value = (this.#byte(0) << 8) | this.#byte(1);
    this.#at += 2;
    return value;
  }

  /** Four octets, most significant first, unsigned. */
  u32(): number | undefined {
    if (this.remaining < 4) return undefined;
    const value = ((this.#byte(0) << 24) | (this.#byte(1) << 16) | (this.#byte(2) << 8) |
      this.#byte(3)) >>> 0;
    this.#at += 4;
    return value;
  }

  /** A view (not a copy) of the next `length` octets. */
  take(length: number): Uint8Array | undefined {
    if (length < 0 || this.remaining < length) return undefined;
    return this.#bytes.subarray(this.#at, this.#at += length);
  }

  /** Moves past `length` octets; `false` if there are not so many. */
  skip(length: number): boolean {
    if (length < 0 || this.remaining < length) return false;
    this.#at += length;
    return true;
  }

  /** A cursor over a vector with an 8-bit length in front (RFC 8446 §3.4). */
  vector8(): Cursor | undefined {
    const before = this.#at;
    return this.#vector(before, this.u8());
  }

  /** A cursor over a vector with a 16-bit length in front (RFC 8446 §3.4). */
  vector16(): Cursor | undefined {
    const before = this.#at;
    return this.#vector(before, this.u16());
  }

  /** `before` is where the length stands: the place to go back to when the vector is cut. */
  #vector(before: number, length: number | undefined): Cursor | undefined {
    if (length === undefined || this.remaining < length) {
      this.#at = before;
      return undefined;
    }
    return new Cursor(this.#bytes, this.#at, this.#at += length);
  }

  #byte(offset: number): number {
    return this.#bytes[this.#at + offset] as number;
  }
}
