import {
  create,
  type DescField,
  type DescMessage,
  mergeFromBinary,
  type MessageShape,
} from "@bufbuild/protobuf";
import { reflect, type ReflectList, type ReflectMessage } from "@bufbuild/protobuf/reflect";
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import type { Steps } from "../slices/mod.ts";

/** Octets that are decoded in one go, which takes a fraction of a millisecond. */
const AT_ONCE = 8 * 1024;

/**
 * Decodes a message step by step: 100,000 routes at once hold a thread for a second. What is decoded
 * piece by piece is what `fromBinary()` makes of the whole, because octets of a message that follow
 * each other are merged ("Last One Wins" in the encoding's specification).
 *
 * @throws {Error} if the octets are no message of this type.
 */
export function* decodeInSteps<D extends DescMessage>(
  desc: D,
  bytes: Uint8Array,
  atOnce: number = AT_ONCE,
): Steps<MessageShape<D>> {
  const message = create(desc);
  yield* decodeInto(reflect(desc, message), bytes, atOnce);
  return message;
}

function* decodeInto(target: ReflectMessage, bytes: Uint8Array, atOnce: number): Steps<void> {
  const { desc, message } = target;
  const reader = new BinaryReader(bytes);
  let from = 0;
  const take = (to: number) => {
    if (to > from) mergeFromBinary(desc, message, bytes.subarray(from, to));
  };
  while (reader.pos < reader.len) {
    const start = reader.pos;
    const [number, wire] = reader.tag();
    const field = desc.fields.find((it) => it.number === number);
    const child = field && wire === WireType.LengthDelimited ? messageIn(field) : undefined;
    if (field === undefined || child === undefined) reader.skip(wire, number);
    else {
      const inner = reader.bytes(); // A view, whose length was checked.
      if (inner.length > atOnce) {
        take(start);
        const part = nested(target, field, child);
        yield* decodeInto(part, inner, atOnce);
        from = reader.pos;
      }
    }
    if (reader.pos - from < atOnce) continue;
    take(reader.pos);
    from = reader.pos;
    yield;
  }
  take(reader.pos);
}

/** The type of the messages in a field; of maps, whose entries are small, none. */
function messageIn(field: DescField): DescMessage | undefined {
  const isOne = field.fieldKind === "message";
  return isOne || field.fieldKind === "list" && field.listKind === "message"
    ? field.message
    : undefined;
}

/** Where the octets of a field go: a new element of a list, or the one message that is there. */
function nested(target: ReflectMessage, field: DescField, child: DescMessage): ReflectMessage {
  if (field.fieldKind === "list") {
    const element = reflect(child);
    (target.get(field) as ReflectList).add(element);
    return element;
  }
  if (field.fieldKind === "message" && !target.isSet(field)) target.set(field, reflect(child));
  return target.get(field) as ReflectMessage;
}
