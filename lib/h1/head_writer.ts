import {
  FieldError,
  type Fields,
  isFieldName,
  isFieldValue,
  isSpace,
  OCTETS,
  type Output,
  VALUE_OCTET,
  writeLatin1,
} from "../http/mod.ts";
import { isOrdinary, kindOf, NameKind } from "./name_table.ts";

/** What a field costs beside its characters: `: ` and CR LF. */
const FIELD_OVERHEAD = 4;

/** A head to write. */
export interface HeadToWrite {
  /** The first line and fields of our own, each with its CR LF; checked by whoever made it. */
  readonly first: string;
  readonly fields: Fields;
  /** Whether a field of this name is left out although it may be sent. */
  readonly skip?: ((name: string) => boolean) | undefined;
  /** Fields of our own after the others, each with its CR LF. */
  readonly last: string;
}

/**
 * Writes a head. Fields that belong to one connection are left out: they are this hop's to say.
 *
 * @throws {FieldError} if a field cannot be sent; nothing was written then.
 */
export function writeHead(output: Output, { first, fields, skip, last }: HeadToWrite): void {
  const slab = output.reserve(first.length + last.length + 2 + lengthOf(fields));
  const { bytes } = slab;
  let at = writeLatin1(first, bytes, slab.used);
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i] as string;
    const kind = kindOf(name);
    if (kind === NameKind.unknown) checkName(name);
    at = isOurs(kind, name) || (skip !== undefined && skip(name))
      ? checkLeftOut(fields[i + 1] as string, name, at)
      : writeChecked(bytes, at, name, fields[i + 1] as string);
  }
  at = writeLatin1(last, bytes, at);
  bytes[at++] = 0x0d;
  bytes[at++] = 0x0a;
  slab.used = at;
}

function checkName(name: string): void {
  if (!isFieldName(name)) throw new FieldError("cannot send fields: invalid name");
}

function checkValue(value: string, name: string): void {
  if (!isFieldValue(value)) throw new FieldError(`cannot send fields: invalid value of ${name}`);
}

function checkLeftOut(value: string, name: string, at: number): number {
  checkValue(value, name);
  return at;
}

function isOurs(kind: number, name: string): boolean {
  return kind === NameKind.connection || kind === NameKind.transferEncoding ||
    kind === NameKind.upgrade || name === "keep-alive" || name === "proxy-connection";
}

/** Octets that fields take at most. */
function lengthOf(fields: Fields): number {
  let octets = (fields.length / 2) * FIELD_OVERHEAD;
  for (let i = 0; i < fields.length; i++) octets += (fields[i] as string).length;
  return octets;
}

/**
 * Writes a field whose name is good, and looks at each octet of its value on the way: once, where a
 * check before would be a second time.
 */
function writeChecked(bytes: Uint8Array, at: number, name: string, value: string): number {
  at = writeLatin1(name, bytes, at);
  bytes[at++] = 0x3a;
  bytes[at++] = 0x20;
  const { length } = value;
  let all = VALUE_OCTET;
  for (let i = 0; i < length; i++) {
    const code = value.charCodeAt(i);
    // Beyond the table is no octet.
    all &= code < 256 ? OCTETS[code] as number : 0;
    bytes[at++] = code;
  }
  const ends = length > 0 &&
    (isSpace(value.charCodeAt(0)) || isSpace(value.charCodeAt(length - 1)));
  if (all === 0 || ends) throw new FieldError(`cannot send fields: invalid value of ${name}`);
  bytes[at++] = 0x0d;
  bytes[at++] = 0x0a;
  return at;
}

function writeField(bytes: Uint8Array, at: number, name: string, value: string): number {
  at = writeLatin1(name, bytes, at);
  bytes[at++] = 0x3a;
  bytes[at++] = 0x20;
  at = writeLatin1(value, bytes, at);
  bytes[at++] = 0x0d;
  bytes[at++] = 0x0a;
  return at;
}

/**
 * Octets that these fields take at most.
 *
 * @throws {FieldError} if one cannot be sent.
 */
export function fieldsRoom(fields: Fields): number {
  let room = 0;
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i] as string;
    const value = fields[i + 1] as string;
    checkName(name);
    checkValue(value, name);
    room += name.length + value.length + FIELD_OVERHEAD;
  }
  return room;
}

/** Writes trailers that {@link fieldsRoom} has checked. Answers the index after them. */
export function writeFields(bytes: Uint8Array, at: number, fields: Fields): number {
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i] as string;
    if (isOrdinary(name)) {
      at = writeField(bytes, at, name, fields[i + 1] as string);
    }
  }
  return at;
}
