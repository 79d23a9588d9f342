import type { RecordShape } from "../schema/mod.ts";
import { fieldsOf, type FlagValues, UsageError } from "../terminal/mod.ts";

/** What an update changes, and the fields' names in the protocol. */
export interface ChangedFields {
  readonly changes: Readonly<Record<string, unknown>>;
  readonly updateMask: { readonly paths: string[] };
}

/**
 * What the flags of an `update` say; all other fields are kept.
 *
 * @throws {UsageError} if they say nothing.
 */
export function changedFields(shape: RecordShape, flags: FlagValues): ChangedFields {
  const changes = fieldsOf(shape, flags);
  const changed = Object.keys(changes);
  if (changed.length === 0) throw new UsageError("nothing to update: give a flag");
  const paths = changed.map((property) => shape.fields.get(property)?.key ?? property);
  return { changes, updateMask: { paths } };
}
