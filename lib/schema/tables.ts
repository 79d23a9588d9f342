import type { RecordShape } from "./kind.ts";

/** A table inside another one, with its title as it is written in TOML. */
export interface TitledTable {
  readonly title: string;
  readonly doc: string;
  readonly shape: RecordShape;
}

/** Every table below one, outer ones first. */
export function* tablesBelow(
  root: RecordShape,
  path: readonly string[] = [],
): Generator<TitledTable> {
  for (const { key, kind, doc } of root.fields.values()) {
    const { shape } = kind;
    if (shape === undefined) continue;
    const name = [...path, key];
    const title = shape.repeated ? `[[${name.join(".")}]]` : `[${name.join(".")}]`;
    yield { title, doc, shape };
    yield* tablesBelow(shape, name);
  }
}

/** Which tables have which keys, for {@link Place.tablesByKey}. */
export function tablesByKey(root: RecordShape): ReadonlyMap<string, readonly string[]> {
  const tables = new Map<string, string[]>();
  for (const { title, shape } of tablesBelow(root)) {
    for (const { key, kind } of shape.fields.values()) {
      if (kind.shape === undefined) tables.set(key, [...tables.get(key) ?? [], title]);
    }
  }
  return tables;
}
