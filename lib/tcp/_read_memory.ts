import type { ReadBuffer, ReadBuffers } from "./_read_buffers.ts";
import type { TcpStream } from "./stream.ts";

const NOTHING = new Uint8Array(0);

/** Where one stream reads to: the buffer that its thread shares, or in bulk one of its own. */
export class ReadMemory {
  readonly #buffers: ReadBuffers;
  #buffer: ReadBuffer;
  /** The octets that are looked at; empty outside of a read. */
  #data: Uint8Array = NOTHING;
  /** The buffer of this read now belongs to a write. */
  #lent = false;

  constructor(buffers: ReadBuffers) {
    this.#buffers = buffers;
    this.#buffer = buffers.shared;
  }

  /** What the next read fills. */
  get bytes(): Uint8Array {
    return this.#buffer.bytes;
  }

  /** A read has brought so many octets, which are looked at until {@link end}. */
  begin(count: number): Uint8Array {
    return this.#data = this.#buffer.bytes.subarray(0, count);
  }

  /** Nobody looks at them any more. */
  end(): void {
    this.#data = NOTHING;
  }

  /** Chooses where to read next after that; whether it is elsewhere. */
  advance(count: number): boolean {
    const before = this.#buffer;
    const next = this.#lent ? this.#buffers.bulk() : this.#buffers.after(before, count);
    if (next !== before && !this.#lent) this.#buffers.free(before);
    this.#lent = false;
    this.#buffer = next;
    return next !== before;
  }

  /** Writes what is looked at to another stream, without a copy where the buffer is its own. */
  passOn(other: TcpStream): boolean {
    const buffer = this.#buffer;
    if (!buffer.own) return other.write(this.#data);
    const taken = other.lend(this.#data, () => this.#buffers.free(buffer));
    if (!taken) this.#lent = true;
    return taken;
  }

  /** No more is read. Inside a read its octets are still looked at, or were lent. */
  free(): void {
    if (this.#data.length === 0 && !this.#lent) this.#buffers.free(this.#buffer);
    this.#buffer = this.#buffers.shared;
  }
}
