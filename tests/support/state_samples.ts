/**
 * A value other than the default for every field of the state, so that a test can see each of them
 * arrive. A new text field needs one here, everything else is made from its description.
 *
 * @module
 */
import { type AnyField, type RecordKind, Report, same } from "../../lib/schema/mod.ts";

/** Samples that a description does not tell, by key. */
export type Samples = Readonly<Record<string, unknown>>;

/**
 * A record in which every field has a value of its own.
 *
 * @throws {Error} naming the field that has none, and what is wrong with those that were given.
 */
export function sampleOf<T extends object>(
  kind: RecordKind<T>,
  samples: Samples,
  { without = [] }: {
    /** Keys of fields that do not go with the others; another record has to have them. */
    readonly without?: readonly string[];
  } = {},
): T {
  const record: Record<string, unknown> = {};
  const fields = [...kind.shape.fields].filter(([, { key }]) => !without.includes(key));
  for (const [property, field] of fields) {
    record[property] = samples[field.key] ?? madeUp(field);
  }
  const report = new Report();
  const checked = kind.check(record as T, { path: [], report });
  if (!report.isEmpty) throw new Error(`bad samples: ${JSON.stringify(report.problems)}`);
  for (const [property, field] of fields) {
    const value = (checked as Record<string, unknown>)[property];
    const usual = "default" in field ? field.default : undefined;
    if (value === undefined || same(value, usual)) throw missing(field);
  }
  return checked;
}

function madeUp(field: AnyField): unknown {
  const { kind } = field;
  const usual = "default" in field ? field.default : "absent" in field ? field.absent : undefined;
  switch (kind.form) {
    case "boolean":
      return usual !== true;
    case "integer":
      return smallest(field, [1, 7, 100, 1000, 10_000]);
    case "duration":
      return smallest(field, [100, 1000, 10_000, 60_000, 3_600_000]);
    case "size":
      return smallest(field, [1024, 65_536, 1 << 20]);
    case "text": {
      const word = kind.words?.findLast((it) => it !== usual);
      if (word !== undefined) return word;
    }
  }
  throw missing(field);
}

/** The smallest number that is allowed and not the default. */
function smallest(field: AnyField, candidates: readonly number[]): number {
  const usual = "default" in field ? field.default : undefined;
  const found = candidates.find((value) => {
    const report = new Report();
    field.kind.check(value, { path: [], report });
    return report.isEmpty && value !== usual;
  });
  if (found === undefined) throw missing(field);
  return found;
}

function missing({ key }: AnyField): Error {
  return new Error(`the field ${key} has no sample that differs from its default`);
}
