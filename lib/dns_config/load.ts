import { type LoadedSettings, type LoadOptions, loadSettings } from "../settings/mod.ts";
import { checkMcnsConfig } from "./checks.ts";
import { SETTINGS } from "./settings.ts";
import type { McnsConfig } from "./types.ts";

/** A configuration with what is odd about it, or everything that is wrong with it. */
export type LoadResult = LoadedSettings<McnsConfig>;

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
  return loadSettings(text, { settings: SETTINGS, check: checkMcnsConfig }, options);
}
