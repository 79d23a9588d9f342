import { same } from "../schema/mod.ts";
import { SETTINGS } from "./settings.ts";
import type { Config } from "./types.ts";
import { RULE_LISTS, WITH_THEM } from "./whole_file.ts";

/** Names of files that a running connector takes up. */
const FOLLOWED: ReadonlySet<string> = new Set(["ca_certs", "crls", "server_cert", "server_key"]);

/**
 * Settings of the process, which are read at its start, that differ between two configurations, as they
 * are written in the file: `log.level`, and a table as a whole where it came or went.
 */
export function changedSettings(before: Config, after: Config): string[] {
  const found: string[] = [];
  for (const [property, { key, kind }] of SETTINGS.shape.fields) {
    if (key === "listeners") continue;
    const [left, right] = [before, after].map((it) => (it as unknown as Fields)[property]);
    const fields = kind.shape?.fields;
    if (fields === undefined || !isTable(left) || !isTable(right)) {
      if (!same(left, right)) found.push(kind.shape === undefined ? key : `[${key}]`);
      continue;
    }
    for (const [inner, field] of fields) {
      if (key === "firewall" && isState(field.key)) continue;
      if (key === "connector" && FOLLOWED.has(field.key)) continue;
      const [old, now] = [left[inner], right[inner]];
      const isSame = key === "state" && field.key === "local"
        ? same(withoutFiles(old), withoutFiles(now))
        : same(old, now);
      if (!isSame) found.push(`${key}.${field.key}`);
    }
  }
  return found;
}

type Fields = Readonly<Record<string, unknown>>;

function isTable(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** `[state.local]` without the files that a running proxy takes up. */
function withoutFiles(local: unknown): unknown {
  return isTable(local) ? { ...local, files: undefined } : local;
}

function isState(key: string): boolean {
  return WITH_THEM.includes(key) || RULE_LISTS.some((list) => list === key);
}
