/**
 * Configurations for tests, and what loading them says, as an operator reads it.
 *
 * @module
 */
import assert from "node:assert/strict";
import { type Config, formatProblem, loadConfig, type LoadResult } from "../../lib/config/mod.ts";

/** Nothing exists. */
function readFile(path: string): Uint8Array {
  throw Object.assign(new Error(path), { code: "ENOENT" });
}

const load = (text: string): LoadResult => loadConfig(text, { readFile });

/** The problems, as an operator reads them, without the file's name. */
export function problemsOf(text: string): string[] {
  const result = load(text);
  return result.ok ? [] : result.problems.map((problem) => formatProblem("", problem).slice(1));
}

/** The warnings of a configuration that must be usable. */
export function warningsOf(text: string): string[] {
  const result = load(text);
  assert(result.ok, JSON.stringify(result));
  return result.warnings.map((warning) => formatProblem("", warning).slice(1));
}

/** The config of a usable file. */
export function configOf(text: string): Config {
  const result = load(text);
  assert(result.ok, JSON.stringify(result));
  return result.config;
}

/** A file with a database, which is all that a file must have, and then `text` from line 2 on. */
export const withDatabase = (text: string): string => `database.path = "/srv/a.db"\n${text}`;

/** {@link withDatabase} and one l4 route; its further settings start in line 7. */
export const withRoute = (text: string): string =>
  withDatabase(
    `[[listeners]]\naddr = ":443"\n[[listeners.routes]]\nhostname = "a.example"\n` +
      `backend = "10.0.0.1:443"\n${text}`,
  );
