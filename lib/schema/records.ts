import { formatKeyPath } from "./key_path.ts";
import { type Place, quote, type RecordShape, refuseType } from "./kind.ts";
import type { RecordKind } from "./record.ts";

/** Records, each once: `[[name]]`. Of more than `maxLength` none is looked at. */
export function records<T extends object>(
  element: RecordKind<T>,
  { maxLength = Infinity }: { readonly maxLength?: number } = {},
): RecordKind<readonly T[]> {
  const { identity, fields } = element.shape;
  // An iterator for each of a million records takes its time.
  const isLong = [...fields.values()].some(({ kind }) => kind.checkInSteps !== undefined);
  const distinct = (values: readonly T[], place: Place): readonly T[] => {
    for (const _ of refuseRepeated(values, element.shape, place));
    return values;
  };
  const fits = (values: readonly unknown[], { path, report }: Place): boolean => {
    if (values.length <= maxLength) return true;
    report.problem(path, `holds ${values.length}, more than ${maxLength}`);
    return false;
  };
  return {
    form: "records",
    doc: "tables",
    empty: [],
    read: (value, place) => {
      if (!Array.isArray(value)) return refuseType(value, "an array of tables", place) ?? [];
      if (!fits(value, place)) return [];
      const at = (i: number) => ({ ...place, path: [...place.path, i] });
      return distinct(value.map((entry, i) => element.read(entry, at(i))), place);
    },
    check: (values, place) => {
      if (!fits(values, place)) return [];
      const at = (i: number) => ({ ...place, path: [...place.path, i] });
      return distinct(values.map((value, i) => element.check(value, at(i))), place);
    },
    *checkInSteps(values, place) {
      if (!fits(values, place)) return [];
      const checked: T[] = [];
      for (const [i, value] of values.entries()) {
        const at = { ...place, path: [...place.path, i] };
        checked.push(isLong ? yield* element.checkInSteps(value, at) : element.check(value, at));
        yield;
      }
      yield* refuseRepeated(checked, element.shape, place);
      return checked;
    },
    show: () => "[]",
    element,
    shape: { ...element.shape, repeated: true, identity },
  };
}

/** Says which records repeat others, a step for each. */
function* refuseRepeated(
  values: readonly object[],
  shape: RecordShape,
  { path, report }: Place,
): Generator<undefined, void> {
  const last = shape.identity.at(-1);
  const key = last && shape.fields.get(last)?.key;
  if (key === undefined) return;
  // A part that is missing or refused has been reported.
  const isRefused = (i: number) =>
    !report.isEmpty &&
    shape.identity.some((it) => report.hasProblem([...path, i, shape.fields.get(it)?.key ?? ""]));
  const first = new Map<string, number>();
  for (const [i, value] of values.entries()) {
    yield;
    if (isRefused(i)) continue;
    const identity = identityOf(shape, value);
    const other = first.get(identity);
    if (other === undefined) first.set(identity, i);
    else {
      const message = `${quote(identity)} repeats ${formatKeyPath([...path, other])}`;
      report.problem([...path, i, key], message);
    }
  }
}

/** What tells a record from others of its list, as one text; a part that is absent says nothing. */
export function identityOf(shape: RecordShape, value: object): string {
  const values = value as Readonly<Record<string, unknown>>;
  return shape.identity.map((property) => values[property])
    .filter((part) => part !== undefined).map(String).join(" ");
}
