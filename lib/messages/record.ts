import type { DescField, DescMessage, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import { isFieldSet } from "@bufbuild/protobuf";
import {
  type Duration,
  durationFromMs,
  durationMs,
  type Timestamp,
  timestampFromMs,
  timestampMs,
} from "@bufbuild/protobuf/wkt";
import type { AnyField, Kind, RecordShape } from "../schema/mod.ts";

/** The values of a record that a message holds; nothing is checked. */
export type Unchecked = Record<string, unknown>;

/**
 * The fields of a record in a message. A field without a value is left out: the empty text and
 * zero are what a message without the field says too, unless the protocol makes it `optional`.
 */
export function fromMessage<D extends DescMessage>(
  shape: RecordShape,
  desc: D,
  message: Omit<MessageShape<D>, "$typeName"> | undefined,
): Unchecked {
  const values: Unchecked = {};
  if (message === undefined) return values;
  for (const [property, part, field] of carried(shape, desc)) {
    if (!isFieldSet(message as never, part as never)) continue;
    const value = (message as Readonly<Record<string, unknown>>)[part.localName];
    values[property] = fromField(field.kind, part, value);
  }
  return values;
}

/** The message of a record; a field that is absent is what its absence means. */
export function toMessage<D extends DescMessage>(
  shape: RecordShape,
  desc: D,
  record: object,
): MessageInitShape<D> {
  const values = record as Readonly<Record<string, unknown>>;
  const message: Record<string, unknown> = {};
  for (const [property, part, field] of carried(shape, desc)) {
    const value = values[property] ?? ("optional" in field ? field.absent : undefined);
    if (value !== undefined) message[part.localName] = toField(field.kind, part, value);
  }
  return message as MessageInitShape<D>;
}

type Carried = readonly [property: string, part: DescField, field: AnyField];

/** What {@link carried} found, which is the same every time: a million rules ask. */
const known = new WeakMap<RecordShape, WeakMap<DescMessage, readonly Carried[]>>();

/** The fields that a message carries; the test of the protocol says which have to be there. */
function carried(shape: RecordShape, desc: DescMessage): readonly Carried[] {
  let ofShape = known.get(shape);
  if (ofShape === undefined) known.set(shape, ofShape = new WeakMap());
  let found = ofShape.get(desc);
  if (found === undefined) ofShape.set(desc, found = findCarried(shape, desc));
  return found;
}

function findCarried(shape: RecordShape, desc: DescMessage): Carried[] {
  const byName = new Map(desc.fields.map((it) => [it.name, it]));
  return [...shape.fields].flatMap(([property, field]) => {
    const part = byName.get(field.key);
    return part === undefined || field.apart === true ? [] : [[property, part, field]];
  });
}

// deno-lint-ignore no-explicit-any -- the kind says what the value is
function fromField(kind: Kind<any>, desc: DescField, value: any): unknown {
  switch (kind.form) {
    case "duration":
      return durationMs(value as Duration);
    case "time":
      return timestampMs(value as Timestamp);
    case "list":
      return [...value];
    case "record":
      return fromMessage(shapeOf(kind), messageOf(desc), value);
    case "records":
      return value.map((it: never) => fromMessage(shapeOf(kind), messageOf(desc), it));
    default:
      return value;
  }
}

// deno-lint-ignore no-explicit-any -- the kind says what the value is
function toField(kind: Kind<any>, desc: DescField, value: any): unknown {
  switch (kind.form) {
    case "duration":
      return durationFromMs(value);
    case "time":
      return timestampFromMs(value);
    case "list":
      return [...value];
    case "record":
      return toMessage(shapeOf(kind), messageOf(desc), value);
    case "records":
      return value.map((it: object) => toMessage(shapeOf(kind), messageOf(desc), it));
    default:
      return value;
  }
}

// deno-lint-ignore no-explicit-any -- of any value
function shapeOf({ shape, form }: Kind<any>): RecordShape {
  if (shape === undefined) throw new TypeError(`a kind of the form ${form} has no fields`);
  return shape;
}

function messageOf(desc: DescField): DescMessage {
  if (desc.message === undefined) throw new TypeError(`${desc.name} is no message`);
  return desc.message;
}
