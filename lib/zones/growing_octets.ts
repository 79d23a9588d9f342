import type { OctetString } from "../dns/mod.ts";

/** Octets that are added at the end, and numbers in them, in network order. */
export class GrowingOctets {
  #view: DataView;
  #length = 0;

  /** One that has room for so many octets before it has to make more. */
  constructor(octets: number) {
    this.#view = new DataView(new ArrayBuffer(octets));
  }

  /** How many there are. */
  get length(): number {
    return this.#length;
  }

  /** Adds octets, which are 0; where they begin. */
  reserve(octets: number): number {
    const start = this.#length;
    this.#length += octets;
    if (this.#length > this.#view.byteLength) {
      const grown = new Uint8Array(2 * this.#length);
      grown.set(new Uint8Array(this.#view.buffer));
      this.#view = new DataView(grown.buffer);
    }
    return start;
  }

  /** Forgets all of them. */
  clear(): void {
    new Uint8Array(this.#view.buffer, 0, this.#length).fill(0);
    this.#length = 0;
  }

  u8(at: number): number {
    return this.#view.getUint8(at);
  }

  setU8(at: number, value: number): void {
    this.#view.setUint8(at, value);
  }

  u16(at: number): number {
    return this.#view.getUint16(at);
  }

  setU16(at: number, value: number): void {
    this.#view.setUint16(at, value);
  }

  u32(at: number): number {
    return this.#view.getUint32(at);
  }

  setU32(at: number, value: number): void {
    this.#view.setUint32(at, value);
  }

  /** Writes octets at a place that was reserved. */
  set(at: number, octets: Uint8Array): void {
    new Uint8Array(this.#view.buffer).set(octets, at);
  }

  /** Writes a string's octets at a place that was reserved. */
  setText(at: number, text: OctetString): void {
    for (let i = 0; i < text.length; i++) this.#view.setUint8(at + i, text.charCodeAt(i));
  }

  /** The octets from one place to another; they change with these. */
  subarray(start: number, end: number): Uint8Array {
    return new Uint8Array(this.#view.buffer, start, end - start);
  }
}
