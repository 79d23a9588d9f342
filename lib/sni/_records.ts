import { type Decoded, invalid, NEED, ok } from "../wire/mod.ts";

/**
 * Most octets, record headers included, that may hold a ClientHello. Hellos with two post-quantum
 * key shares take about 4 KiB; 64 KiB leaves room for what comes and bounds what a stranger can make
 * a connection store.
 */
export const MAX_CLIENT_HELLO = 65_536;

/** RFC 8446 §5.1: "The length MUST NOT exceed 2^14 bytes." */
const MAX_RECORD = 16_384;
/** type (1), legacy_record_version (2), length (2): RFC 8446 §5.1. */
const RECORD_HEADER = 5;
/** msg_type (1), length (3): RFC 8446 §4. */
export const HANDSHAKE_HEADER = 4;
const RECORD_TYPE_HANDSHAKE = 22;
const RECORD_VERSION_MAJOR = 3;
const HANDSHAKE_TYPE_CLIENT_HELLO = 1;

const TOO_LONG = invalid(`the ClientHello is over ${MAX_CLIENT_HELLO} octets`);
const NOT_CLIENT_HELLO = invalid("the first handshake message is not a ClientHello");
/** RFC 8446 §5.1: a ClientHello ends where a record ends. */
const NOT_ALIGNED = invalid("octets follow the ClientHello in its record");
const RECORD_TOO_LONG = invalid(`a record is over ${MAX_RECORD} octets`);

/**
 * Finds the first handshake message, which must be a ClientHello, in a stream of records. It keeps
 * its place between calls, so that a client that sends its hello octet by octet, in records of one
 * octet, costs a look at each record header once and not once a segment.
 */
export class RecordWalk {
  /** Where the first record that is not complete starts. */
  #at = 0;
  /** Handshake octets in the records before it. */
  #before = 0;
  /** The handshake header as far as those records hold it, and how many of its octets. */
  #header = 0;
  #headerOctets = 0;

  /**
   * The message with its header in `bytes`, the whole stream so far: a view when one record holds
   * it, else a copy. Every refusal is decided by the earliest octet that makes it certain, so how
   * the stream was cut cannot change the answer.
   */
  find(bytes: Uint8Array): Decoded<Uint8Array> {
    while (this.#at < bytes.length) {
      const length = recordLength(bytes, this.#at);
      if (typeof length !== "number") return length;
      const start = this.#at + RECORD_HEADER;
      const end = start + length;
      if (end > MAX_CLIENT_HELLO) return TOO_LONG;
      let header = this.#header;
      let octets = this.#headerOctets;
      for (let i = start; i < end && i < bytes.length && octets < HANDSHAKE_HEADER; i++, octets++) {
        header = header * 256 + (bytes[i] as number);
        if (octets === 0 && header !== HANDSHAKE_TYPE_CLIENT_HELLO) return NOT_CLIENT_HELLO;
      }
      if (octets === HANDSHAKE_HEADER) {
        const size = HANDSHAKE_HEADER + (header & 0xffffff);
        const found = this.#before + length;
        if (size > MAX_CLIENT_HELLO - RECORD_HEADER) return TOO_LONG;
        if (found > size) return NOT_ALIGNED;
        if (found === size && end <= bytes.length) {
          return ok(this.#before === 0 ? bytes.subarray(start, end) : join(bytes, end, size), end);
        }
      }
      if (end > bytes.length) return NEED;
      this.#at = end;
      this.#before += length;
      this.#header = header;
      this.#headerOctets = octets;
    }
    return NEED;
  }
}

/** The length in the record header at `at`, or why there is none. */
function recordLength(bytes: Uint8Array, at: number): number | Decoded<never> {
  const octets = bytes.length - at;
  if (bytes[at] !== RECORD_TYPE_HANDSHAKE) {
    return invalid(
      at === 0
        ? "the first octet does not start a TLS handshake record"
        : "a record of another type interrupts the ClientHello",
    );
  }
  if (octets < 2) return NEED;
  if (bytes[at + 1] !== RECORD_VERSION_MAJOR) return invalid("the record version is not 3.x");
  if (octets < 4) return NEED;
  const high = bytes[at + 3] as number;
  if (high > MAX_RECORD >> 8) return RECORD_TOO_LONG;
  if (octets < RECORD_HEADER) return NEED;
  const length = high << 8 | (bytes[at + 4] as number);
  if (length > MAX_RECORD) return RECORD_TOO_LONG;
  if (length === 0) return invalid("a handshake record is empty");
  return length;
}

/** The `size` octets of a message in the whole records before `end`. */
function join(bytes: Uint8Array, end: number, size: number): Uint8Array {
  const message = new Uint8Array(size);
  let filled = 0;
  let at = 0;
  while (at < end) {
    const length = (bytes[at + 3] as number) << 8 | (bytes[at + 4] as number);
    const start = at + RECORD_HEADER;
    at = start + length;
    // A view costs more than copying the octets of a small record.
    if (length > 32) message.set(bytes.subarray(start, at), filled);
    else for (let i = 0; i < length; i++) message[filled + i] = bytes[start + i] as number;
    filled += length;
  }
  return message;
}
