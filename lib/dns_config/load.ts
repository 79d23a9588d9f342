import { readFileSync } from "node:fs";
import { parseDocument, type Problem, Report, tablesByKey } from "../schema/mod.ts";
import { ConfigFiles, type ReadFile } from "../settings/mod.ts";
import { checkMcnsConfig } from "./checks.ts";
import { SETTINGS } from "./settings.ts";
import type { McnsConfig } from "./types.ts";

const TABLES_BY_KEY = tablesByKey(SETTINGS.shape);

/** A configuration with what is odd about it, or everything that is wrong with it. */
export type LoadResult =
  | { readonly ok: true; readonly config: McnsConfig; readonly warnings: readonly Problem[] }
  | { readonly ok: false; readonly problems: readonly Problem[] };

export interface LoadOptions {
  /** Reads certificates and keys. Default: from the file system. */
  readonly readFile?: ReadFile;
  /** When certificates must be valid. Default: now. */
  readonly now?: Date;
}

/**
 * Turns the text of `mcns.toml` into a {@link McnsConfig}, or into every problem that it has, in the
 * order of the file. Reads the files that it names, writes nothing.
 *
 * @example
 * ```ts
 * import { formatProblem, loadMcnsConfig } from "./mod.ts";
 * import assert from "node:assert/strict";
 *
 * const result = loadMcnsConfig('[database]\npath = "a.db"\n[dns]\nupstream = ["1.1.1.1"]\n');
 * assert(!result.ok);
 * assert.deepEqual(result.problems.map((problem) => formatProblem("mcns.toml", problem)), [
 *   "mcns.toml:4:1: dns.upstream: unknown key; did you mean upstreams?",
 * ]);
 * ```
 */
export function loadMcnsConfig(text: string, options: LoadOptions = {}): LoadResult {
  const parsed = parseDocument(text);
  if (!parsed.ok) return { ok: false, problems: [parsed.problem] };
  const { document, positions } = parsed;
  const report = new Report(positions);
  const config = SETTINGS.read(document, { path: [], report, tablesByKey: TABLES_BY_KEY });
  const { now = new Date(), readFile = (path) => readFileSync(path) } = options;
  checkMcnsConfig(config, { report, files: new ConfigFiles(readFile), now });
  const { problems, warnings } = report;
  return problems.length > 0 ? { ok: false, problems } : { ok: true, config, warnings };
}
