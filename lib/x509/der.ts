/**
 * A forward-only reader of DER (X.690), as strict as the encoding rules: low tag numbers, definite
 * and shortest lengths, nothing after the end. Certificates reach it only after TLS has verified
 * their signatures; it is strict because two readers that see different names in one certificate
 * are how identity checks are bypassed.
 *
 * @module
 */

/** Universal tags used here, with the constructed bit where it belongs (X.690 §8.1.2). */
export const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  oid: 0x06,
  utf8String: 0x0c,
  printableString: 0x13,
  ia5String: 0x16,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const;

/** Broken DER. Thrown inside this folder and turned into a result where parsing starts. */
export class DerError extends RangeError {
  override readonly name = "DerError";
  readonly code = "INVALID_DER";
}

/** One value and the octets it was read from. */
export interface DerValue {
  readonly tag: number;
  /** The content octets, a view. */
  readonly content: Uint8Array;
  /** Tag, length and content, a view. */
  readonly encoded: Uint8Array;
}

/** Reads values one after the other; throws {@link DerError}. */
export class DerReader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** Whether nothing is left. */
  get done(): boolean {
    return this.#at === this.#bytes.length;
  }

  /** Whether the next value has this tag. */
  nextIs(tag: number): boolean {
    return this.#bytes[this.#at] === tag;
  }

  /** The next value, whatever it is. */
  any(): DerValue {
    const start = this.#at;
    const tag = this.#octet();
    if ((tag & 0x1f) === 0x1f) throw new DerError("a tag number is over 30");
    const length = this.#length();
    if (length > this.#bytes.length - this.#at) throw new DerError("a length runs past the end");
    const content = this.#bytes.subarray(this.#at, this.#at += length);
    return { tag, content, encoded: this.#bytes.subarray(start, this.#at) };
  }

  /** The next value, which must have this tag. */
  value(tag: number): DerValue {
    const value = this.any();
    if (value.tag !== tag) throw new DerError(`expected tag ${tag}, found ${value.tag}`);
    return value;
  }

  /** The next value if it has this tag. */
  optional(tag: number): DerValue | undefined {
    return this.nextIs(tag) ? this.any() : undefined;
  }

  /** A reader over the content of the next value, which must have this tag. */
  inside(tag: number): DerReader {
    return new DerReader(this.value(tag).content);
  }

  /** Throws when something is left. */
  end(): void {
    if (!this.done) throw new DerError("octets are left over");
  }

  #octet(): number {
    const octet = this.#bytes[this.#at++];
    if (octet === undefined) throw new DerError("the end comes too early");
    return octet;
  }

  #length(): number {
    const first = this.#octet();
    if (first < 0x80) return first;
    const count = first & 0x7f;
    if (count === 0 || count > 3) throw new DerError("a length is indefinite or over 16 MiB");
    let length = 0;
    for (let i = 0; i < count; i++) length = length << 8 | this.#octet();
    // X.690 §10.1: the shortest form.
    if (length < 0x80 || length >> 8 * (count - 1) === 0) {
      throw new DerError("a length is not in its shortest form");
    }
    return length;
  }
}

/** An INTEGER's content as hexadecimal digits: enough to compare serial numbers. */
export function integerHex(content: Uint8Array): string {
  const [first, second] = content;
  if (first === undefined) throw new DerError("an integer is empty");
  // X.690 §8.3.2: the first nine bits are not all equal.
  if (second !== undefined && (first === 0 && second < 0x80 || first === 0xff && second >= 0x80)) {
    throw new DerError("an integer is not in its shortest form");
  }
  return content.toHex();
}

/** A BOOLEAN (X.690 §11.1: true is all ones). */
export function booleanOf(content: Uint8Array): boolean {
  if (content.length !== 1 || content[0] !== 0 && content[0] !== 0xff) {
    throw new DerError("a boolean is neither 00 nor ff");
  }
  return content[0] === 0xff;
}

/** An OBJECT IDENTIFIER in dotted form (X.690 §8.19). */
export function oidOf(content: Uint8Array): string {
  const arcs: number[] = [];
  let arc = 0;
  for (const [i, octet] of content.entries()) {
    if (arc === 0 && octet === 0x80) throw new DerError("an object identifier is padded");
    if (arc > 0x00ffffff) throw new DerError("an arc of an object identifier is over 2^31");
    arc = arc << 7 | octet & 0x7f;
    if (octet & 0x80) {
      if (i === content.length - 1) throw new DerError("an object identifier is cut off");
      continue;
    }
    if (arcs.length === 0) {
      const root = Math.min(2, Math.trunc(arc / 40));
      arcs.push(root, arc - 40 * root);
    } else arcs.push(arc);
    arc = 0;
  }
  if (arcs.length === 0) throw new DerError("an object identifier is empty");
  return arcs.join(".");
}

/** The octets of a BIT STRING that has no unused bits, such as a signature. */
export function octetsOfBits(content: Uint8Array): Uint8Array {
  if (content[0] !== 0) throw new DerError("a bit string has unused bits");
  return content.subarray(1);
}

/** A BIT STRING of up to 32 named bits; bit 0 is the most significant of the first octet. */
export function namedBits(content: Uint8Array): (bit: number) => boolean {
  const unused = content[0];
  if (unused === undefined || unused > 7 || unused > 0 && content.length === 1) {
    throw new DerError("a bit string is malformed");
  }
  return (bit) => ((content[1 + (bit >> 3)] ?? 0) & 0x80 >> (bit & 7)) !== 0;
}

/**
 * Seconds since 1970 of a UTCTime or GeneralizedTime in the one form that RFC 5280 §4.1.2.5
 * allows: Greenwich, with seconds, without fractions.
 */
export function timeOf({ tag, content }: DerValue): number {
  const text = String.fromCharCode(...content.subarray(0, 16));
  const digits = tag === TAG.utcTime ? 12 : tag === TAG.generalizedTime ? 14 : 0;
  if (digits === 0 || content.length !== digits + 1 || !/^[0-9]+Z$/.test(text)) {
    throw new DerError("a time is not in the form of RFC 5280");
  }
  const year = digits === 14
    ? Number(text.slice(0, 4))
    : Number(text.slice(0, 2)) + (Number(text.slice(0, 2)) < 50 ? 2000 : 1900);
  const [month = 0, day = 0, hour = 0, minute = 0, second = 0] =
    text.slice(digits - 10, -1).match(/../g)?.map(Number) ?? [];
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  date.setUTCHours(hour, minute, second);
  // A date that does not exist rolls over into another.
  if (
    date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day ||
    date.getUTCHours() !== hour || date.getUTCMinutes() !== minute ||
    date.getUTCSeconds() !== second
  ) throw new DerError("a time does not exist");
  return date.getTime() / 1000;
}
