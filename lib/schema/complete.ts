import type { AnyField } from "./kind.ts";
import { meansAbsent, type RecordKind } from "./record.ts";

/** The record with defaults for what it does not say, and so those in it; nothing is checked. */
export function complete<T extends object>(
  { shape }: RecordKind<T>,
  given: Readonly<Partial<T>>,
): T {
  const values = given as Readonly<Record<string, unknown>>;
  const result: Record<string, unknown> = {};
  for (const [property, field] of shape.fields) {
    const value = values[property] ?? ("default" in field ? field.default : undefined);
    if (value === undefined || meansAbsent(field, value)) continue;
    result[property] = field.apart === true ? value : completeValue(field.kind, value);
  }
  return result as T;
}

function completeValue(kind: AnyField["kind"], value: unknown): unknown {
  const inner = kind as RecordKind<object>;
  if (kind.form === "record") return complete(inner, value as object);
  if (kind.form !== "records") return value;
  return (value as readonly object[]).map((it) => complete(inner, it));
}
