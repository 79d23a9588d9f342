import type { Report } from "../schema/mod.ts";
import { type LoadedSettings, type LoadOptions as Options, loadSettings } from "../settings/mod.ts";
import { checkConfig } from "./checks.ts";
import { SETTINGS } from "./settings.ts";
import type { Config } from "./types.ts";

/** A configuration with what is odd about it, or everything that is wrong with it. */
export type LoadResult = LoadedSettings<Config>;

/** How the configuration of mc-proxy is loaded. */
export interface LoadOptions extends Options {
  /** Default: `true`. */
  readonly needsDatabase?: boolean;
  /** What else the caller has to say of a configuration. */
  readonly further?: (config: Config, report: Report) => void;
}

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
  const { needsDatabase = true, further } = options;
  return loadSettings(text, {
    settings: SETTINGS,
    check: (config, context) => {
      checkConfig(config, { ...context, needsDatabase });
      further?.(config, context.report);
    },
  }, options);
}
