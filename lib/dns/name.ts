import { failure, type Result, success } from "../addr/mod.ts";
import { concat } from "../wire/mod.ts";
import { foldCase, type OctetString, octetString } from "./octet_string.ts";

/** RFC 1035 §2.3.4: a name on the wire, with the root's empty label. */
const MAX_NAME = 255;
/** RFC 1035 §2.3.4. */
const MAX_LABEL = 63;
/** RFC 1035 §4.1.4: the two upper bits of a length octet. */
const POINTER = 0xc0;
const ROOT = 0;
const DOT = 0x2e;
const BACKSLASH = 0x5c;

/**
 * A domain name as it is on the wire without compression: labels with their lengths, and the root's
 * empty label. Octets, not text: a label may hold any octet, and its case is kept.
 */
export type Name = Uint8Array;

/** A name, and where the octets after it begin. */
export interface ReadName {
  readonly name: Name;
  readonly next: number;
}

/**
 * Reads a name of a message, following compression. A pointer has to lead before every octet of the
 * name that was read so far, so each is followed once at most and loops cannot be.
 *
 * @returns nothing if there is no valid name at `at`.
 */
export function readName(message: Uint8Array, at: number): ReadName | undefined {
  const octets: number[] = [];
  let next: number | undefined;
  let limit = at;
  let position = at;
  for (;;) {
    const length = message[position];
    if (length === undefined) return undefined;
    if (length >= POINTER) {
      const low = message[position + 1];
      if (low === undefined) return undefined;
      next ??= position + 2;
      position = (length & ~POINTER) << 8 | low;
      if (position >= limit) return undefined;
      limit = position;
      continue;
    }
    // 0x40 and 0x80 were label types of experiments (RFC 6891 §5).
    if (length > MAX_LABEL || position + 1 + length > message.length) return undefined;
    if (octets.length + 1 + length > MAX_NAME) return undefined;
    for (let i = 0; i <= length; i++) octets.push(message[position + i] as number);
    position += 1 + length;
    if (length === ROOT) return { name: Uint8Array.from(octets), next: next ?? position };
  }
}

/**
 * The name of a text such as `a.example` or `a.example.`; both are absolute. `\.` and `\DDD` stand
 * for octets that a label holds (RFC 1035 §5.1).
 */
export function nameFromText(text: string): Result<Name> {
  if (text === ".") return success(Uint8Array.of(ROOT));
  const octets: number[] = [];
  let label: number[] = [];
  const endLabel = () => {
    octets.push(label.length, ...label);
    label = [];
  };
  for (let i = 0; i < text.length; i++) {
    let code = text.charCodeAt(i);
    if (code === DOT) {
      if (label.length === 0) return failure("a label is empty");
      endLabel();
      continue;
    }
    if (code === BACKSLASH) {
      const digits = /^[0-9]{3}/.exec(text.slice(i + 1))?.[0];
      code = digits === undefined ? text.charCodeAt(i + 1) : Number(digits);
      i += digits === undefined ? 1 : 3;
    }
    if (!(code >= 0 && code <= 255)) return failure("a character is not an octet");
    label.push(code);
    if (label.length > MAX_LABEL) return failure(`a label is over ${MAX_LABEL} octets`);
  }
  if (label.length > 0) endLabel();
  if (octets.length === 0) return failure("the name is empty");
  octets.push(ROOT);
  if (octets.length > MAX_NAME) return failure(`the name is over ${MAX_NAME} octets`);
  return success(Uint8Array.from(octets));
}

/**
 * The name of a text in a zone file: `@` is the origin, and what does not end in a dot is below it
 * (RFC 1035 §5.1).
 */
export function nameFromZoneText(text: string, origin: Name): Result<Name> {
  if (text === "@") return success(origin);
  const name = nameFromText(text);
  if (!name.ok || endsInDot(text)) return name;
  const joined = concat(name.value.subarray(0, -1), origin);
  return joined.length <= MAX_NAME
    ? success(joined)
    : failure(`the name is over ${MAX_NAME} octets`);
}

/** Whether a text ends in a dot that is not part of a label. */
function endsInDot(text: string): boolean {
  // A backslash hides the character after it.
  return /^(?:[^\\]|\\.)*\.$/s.test(text);
}

/** The text of a name, with its final dot; octets that could be misread are written `\DDD`. */
export function nameToText(name: Name): string {
  let text = "";
  for (let at = 0; name[at] !== ROOT && at < name.length;) {
    const end = at + 1 + (name[at] as number);
    for (let i = at + 1; i < end; i++) text += octetToText(name[i] as number);
    text += ".";
    at = end;
  }
  return text === "" ? "." : text;
}

/** What is the same for names that are the same: ASCII letters have no case (RFC 4343). */
export function nameKey(name: Name): OctetString {
  return foldCase(octetString(name));
}

/** Whether two names are the same, whatever the case of their letters. */
export function nameEquals(a: Name, b: Name): boolean {
  return a.length === b.length &&
    a.every((octet, i) => foldOctet(octet) === foldOctet(b[i] as number));
}

function foldOctet(octet: number): number {
  return octet >= 0x41 && octet <= 0x5a ? octet + 0x20 : octet;
}

function octetToText(octet: number): string {
  const char = String.fromCharCode(octet);
  if (/[A-Za-z0-9_*/-]/.test(char)) return char;
  return octet > 0x20 && octet < 0x7f && /[^0-9]/.test(char)
    ? `\\${char}`
    : `\\${String(octet).padStart(3, "0")}`;
}
