import {
  create,
  type DescField,
  type DescMessage,
  type MessageInitShape,
  toBinary,
} from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import type { Steps } from "../slices/mod.ts";
import { joined } from "../wire/mod.ts";

/** Elements of a list that are encoded in one go, which takes a fraction of a millisecond. */
const AT_ONCE = 128;

type Values = Readonly<Record<string, unknown>>;

/**
 * Encodes a message, or what makes one, step by step: lists of messages piece by piece, everything
 * else at once. A decoder joins the pieces, as it does with lists that come in pieces.
 */
export function* encodeInSteps<D extends DescMessage>(
  desc: D,
  init: MessageInitShape<D>,
  atOnce: number = AT_ONCE,
): Steps<Uint8Array> {
  const parts: Uint8Array[] = [];
  yield* encodeInto(parts, [desc, init as Values], atOnce);
  const [only] = parts;
  return parts.length === 1 && only !== undefined ? only : joined(parts);
}

function* encodeInto(
  parts: Uint8Array[],
  [desc, init]: readonly [DescMessage, Values],
  atOnce: number,
): Steps<void> {
  const rest: Record<string, unknown> = {};
  const long: [DescField & { readonly message: DescMessage }, unknown][] = [];
  const known = new Map(desc.fields.map((it) => [it.localName, it]));
  for (const [name, value] of Object.entries(init)) {
    const field = known.get(name);
    if (field?.message !== undefined && isLong(field, value, atOnce)) {
      long.push([field as DescField & { readonly message: DescMessage }, value]);
    } else if (name !== "$typeName") rest[name] = value;
  }
  parts.push(toBinary(desc, create(desc, rest as never)));
  for (const [field, value] of long) {
    if (field.fieldKind === "list") {
      yield* encodeList(parts, { desc, field, elements: value as readonly Values[] }, atOnce);
    } else yield* encodeNested(parts, [field, value as Values], atOnce);
  }
}

function* encodeList(
  parts: Uint8Array[],
  { desc, field, elements }: {
    readonly desc: DescMessage;
    readonly field: DescField & { readonly message: DescMessage };
    readonly elements: readonly Values[];
  },
  atOnce: number,
): Steps<void> {
  for (let from = 0; from < elements.length;) {
    let to = from;
    while (to < elements.length && to - from < atOnce) {
      if (isLong(field, elements[to], atOnce)) break;
      to++;
    }
    if (to > from) {
      const piece = { [field.localName]: elements.slice(from, to) };
      parts.push(toBinary(desc, create(desc, piece as never)));
    } else yield* encodeNested(parts, [field, elements[to++] as Values], atOnce);
    from = to;
    yield;
  }
}

/** A message in a field, behind its tag and length. */
function* encodeNested(
  parts: Uint8Array[],
  [field, value]: readonly [DescField & { readonly message: DescMessage }, Values],
  atOnce: number,
): Steps<void> {
  const inner: Uint8Array[] = [];
  yield* encodeInto(inner, [field.message, value], atOnce);
  const length = inner.reduce((sum, part) => sum + part.length, 0);
  const head = new BinaryWriter().tag(field.number, WireType.LengthDelimited).uint32(length);
  parts.push(head.finish());
  for (const part of inner) parts.push(part);
}

/** Whether a value of a field holds a long list, at whatever depth. */
function isLong(field: DescField, value: unknown, atOnce: number): boolean {
  if (field.message === undefined || field.oneof !== undefined || !isObject(value)) return false;
  if (Array.isArray(value)) {
    return value.length > atOnce || value.some((it) => isLong(field, it, atOnce));
  }
  const values = value as Values;
  return field.message.fields.some((it) => isLong(it, values[it.localName], atOnce));
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null && !(value instanceof Uint8Array);
}
