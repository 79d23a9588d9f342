import { readFileSync } from "node:fs";
import { parseDocument, type Problem, Report, tablesByKey } from "../schema/mod.ts";
import { ConfigFiles, type ReadFile } from "../settings/mod.ts";
import { checkConfig } from "./checks.ts";
import { SETTINGS } from "./settings.ts";
import type { Config } from "./types.ts";

const TABLES_BY_KEY = tablesByKey(SETTINGS.shape);

/** A configuration with what is odd about it, or everything that is wrong with it. */
export type LoadResult =
  | { readonly ok: true; readonly config: Config; readonly warnings: readonly Problem[] }
  | { readonly ok: false; readonly problems: readonly Problem[] };

export interface LoadOptions {
  /** Reads certificates, keys and the GeoIP database. Default: from the file system. */
  readonly readFile?: ReadFile;
  /** When certificates must be valid. Default: now. */
  readonly now?: Date;
  /**
   * Settings that win over those of the file, by section and key: the flags of a command. Their
   * problems have the position of the section, or of the file's beginning.
   */
  readonly overrides?: Readonly<Record<string, Readonly<Record<string, OverrideValue>>>>;
  /** Default: `true`. */
  readonly needsDatabase?: boolean;
  /** Whether the files that it names are read and checked. Default: `true`. */
  readonly readsFiles?: boolean;
  /** What else the caller has to say of a configuration. */
  readonly further?: (config: Config, report: Report) => void;
}

/** A setting that is not from the file. */
export type OverrideValue = string | bigint | boolean | string[];

/**
 * Turns the text of a configuration file into a {@link Config}, or into every problem that it has,
 * in the order of the file. Reads the files that it names, writes nothing.
 *
 * @example
 * ```ts
 * import { formatProblem, loadConfig } from "./mod.ts";
 * import assert from "node:assert/strict";
 *
 * const result = loadConfig('[database]\npath = "a.db"\n[log]\nlevel = "warning"\n');
 * assert(!result.ok);
 * assert.deepEqual(result.problems.map((problem) => formatProblem("mc-proxy.toml", problem)), [
 *   'mc-proxy.toml:4:1: log.level: "warning" is not one of debug, info, warn, error',
 * ]);
 * ```
 */
export function loadConfig(text: string, options: LoadOptions = {}): LoadResult {
  const parsed = parseDocument(text);
  if (!parsed.ok) return { ok: false, problems: [parsed.problem] };
  const { document, positions } = parsed;
  for (const [section, values] of Object.entries(options.overrides ?? {})) {
    const given = document[section];
    const isTable = typeof given === "object" && !Array.isArray(given);
    // A section that is no table is refused as it is.
    if (given === undefined || isTable) {
      Object.assign(document, { [section]: { ...given as object, ...values } });
    }
  }
  const report = new Report(positions);
  const config = SETTINGS.read(document, { path: [], report, tablesByKey: TABLES_BY_KEY });
  const { now = new Date(), needsDatabase = true, readsFiles = true } = options;
  const { readFile = (path) => readFileSync(path) } = options;
  const files = new ConfigFiles(readsFiles ? readFile : undefined);
  checkConfig(config, { report, files, now, needsDatabase });
  options.further?.(config, report);
  const { problems, warnings } = report;
  return problems.length > 0 ? { ok: false, problems } : { ok: true, config, warnings };
}
