import {
  FieldError,
  type Fields,
  isFieldName,
  isFieldValue,
  isMethod,
  writeLatin1,
} from "../http/mod.ts";
import type { Output } from "../http/mod.ts";
import { kindOf, NameKind } from "./name_table.ts";

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
  const slab = output.reserve(first.length + last.length + 2 + fieldsRoom(fields));
  const { bytes } = slab;
  let at = writeLatin1(first, bytes, slab.used);
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i] as string;
    if (isOurs(name) || (skip !== undefined && skip(name))) continue;
    at = writeField(bytes, at, name, fields[i + 1] as string);
  }
  at = writeLatin1(last, bytes, at);
  bytes[at++] = 0x0d;
  bytes[at++] = 0x0a;
  slab.used = at;
}

/**
 * @throws {FieldError} if `text` may not stand in a first line.
 */
export function checkMethod(text: string): void {
  if (!isMethod(text)) throw new FieldError("cannot send a request: invalid method");
}

function checkField(name: string, value: string): void {
  if (!isFieldName(name)) throw new FieldError("cannot send fields: invalid name");
  if (!isFieldValue(value)) throw new FieldError(`cannot send fields: invalid value of ${name}`);
}

function isOurs(name: string): boolean {
  const kind = kindOf(name);
  return kind === NameKind.connection || kind === NameKind.transferEncoding ||
    kind === NameKind.upgrade || name === "keep-alive" || name === "proxy-connection";
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
    checkField(name, value);
    room += name.length + value.length + FIELD_OVERHEAD;
  }
  return room;
}

/** Writes trailers that {@link fieldsRoom} has checked. Answers the index after them. */
export function writeFields(bytes: Uint8Array, at: number, fields: Fields): number {
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i] as string;
    if (kindOf(name) === NameKind.ordinary) {
      at = writeField(bytes, at, name, fields[i + 1] as string);
    }
  }
  return at;
}
