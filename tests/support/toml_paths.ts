import { TomlDate } from "smol-toml";
import { formatKeyPath, type KeyPath } from "../../lib/schema/key_path.ts";

/** Every path of a parsed document, in document order. */
export function pathsOf(value: unknown, path: KeyPath = []): string[] {
  const own = path.length === 0 ? [] : [formatKeyPath(path)];
  if (Array.isArray(value)) {
    return [...own, ...value.flatMap((element, i) => pathsOf(element, [...path, i]))];
  }
  if (typeof value !== "object" || value === null || value instanceof TomlDate) return own;
  return [...own, ...Object.entries(value).flatMap(([key, v]) => pathsOf(v, [...path, key]))];
}
