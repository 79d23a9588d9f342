import { RpcError } from "../rpc/mod.ts";

/** A flag and a length in front of each message (gRPC over HTTP/2, "Length-Prefixed-Message"). */
const PREFIX_BYTES = 5;

/** A message with its prefix. */
export function frameMessage(message: Uint8Array): Uint8Array {
  const frame = new Uint8Array(PREFIX_BYTES + message.length);
  new DataView(frame.buffer).setUint32(1, message.length);
  frame.set(message, PREFIX_BYTES);
  return frame;
}

/** Takes messages out of a stream of octets that is cut anywhere. */
export class MessageReader {
  readonly #maxBytes: number;
  readonly #chunks: Uint8Array[] = [];
  #buffered = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Octets of a message that is not complete. */
  get buffered(): number {
    return this.#buffered;
  }

  /**
   * The messages that are complete now.
   *
   * @throws {RpcError} `resource_exhausted` for one that is announced as too long, `unimplemented`
   * for one that is compressed.
   */
  receive(bytes: Uint8Array): Uint8Array[] {
    // A copy: what a session hands out is its own.
    this.#chunks.push(bytes.slice());
    this.#buffered += bytes.length;
    const messages: Uint8Array[] = [];
    for (let next = this.#next(); next !== undefined; next = this.#next()) messages.push(next);
    return messages;
  }

  #next(): Uint8Array | undefined {
    if (this.#buffered < PREFIX_BYTES) return undefined;
    const head = this.#joinFirst(PREFIX_BYTES);
    if (head[0] !== 0) throw new RpcError("unimplemented", "compressed messages are not read");
    const length = new DataView(head.buffer, head.byteOffset).getUint32(1);
    if (length > this.#maxBytes) {
      const message = `a message of ${length} octets is over the limit of ${this.#maxBytes}`;
      throw new RpcError("resource_exhausted", message);
    }
    const total = PREFIX_BYTES + length;
    if (this.#buffered < total) return undefined;
    const first = this.#joinFirst(total);
    const rest = first.subarray(total);
    this.#chunks.shift();
    if (rest.length > 0) this.#chunks.unshift(rest);
    this.#buffered -= total;
    return first.subarray(PREFIX_BYTES, total);
  }

  /** The first chunk, made at least `length` octets long; there are as many. */
  #joinFirst(length: number): Uint8Array {
    const [first = new Uint8Array()] = this.#chunks;
    if (first.length >= length) return first;
    const joined = new Uint8Array(this.#buffered);
    let at = 0;
    for (const chunk of this.#chunks) {
      joined.set(chunk, at);
      at += chunk.length;
    }
    this.#chunks.splice(0, this.#chunks.length, joined);
    return joined;
  }
}

const TIMEOUT_UNITS_MS: Readonly<Record<string, number>> = {
  H: 3_600_000,
  M: 60_000,
  S: 1000,
  m: 1,
  u: 1e-3,
  n: 1e-6,
};

/** Milliseconds of a `grpc-timeout` field; nothing for one that is none. */
export function parseTimeout(text: string): number | undefined {
  const match = /^([0-9]{1,8})([HMSmun])$/.exec(text);
  const unit = TIMEOUT_UNITS_MS[match?.[2] ?? ""];
  return unit === undefined ? undefined : Math.ceil(Number(match?.[1]) * unit);
}

/** A status message as gRPC sends it: UTF-8 with everything but printable ASCII percent-encoded. */
export function encodeStatusMessage(message: string): string {
  const bytes = new TextEncoder().encode(message);
  return Array.from(bytes, (byte) => {
    const isPlain = byte >= 0x20 && byte <= 0x7e && byte !== 0x25;
    return isPlain
      ? String.fromCharCode(byte)
      : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }).join("");
}
