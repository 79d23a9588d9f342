import type { AnyField, RecordShape } from "./kind.ts";
import { same } from "./plain.ts";

/** The fields that a record gives a value and that mean nothing in a mode. */
export function unusedFields(shape: RecordShape, value: object, mode: string): AnyField[] {
  const values = value as Readonly<Record<string, unknown>>;
  return [...shape.fields].filter(([property, field]) => {
    const found = values[property];
    const isGiven = found !== undefined && !("default" in field && same(found, field.default));
    return isGiven && field.modes !== undefined && !field.modes.includes(mode);
  }).map(([, field]) => field);
}
