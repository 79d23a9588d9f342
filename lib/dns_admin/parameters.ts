import { invalid } from "../queue/mod.ts";
import type { Call } from "./route.ts";

/**
 * A whole number of the query.
 *
 * @throws {RefusedError} if it is none, or too large; a limit of 0 is none either.
 */
export function integerOf(
  query: Call["query"],
  name: string,
  { fallback = 0, max = Number.MAX_SAFE_INTEGER }: { fallback?: number; max?: number } = {},
): number {
  const text = query[name];
  if (text === undefined) return fallback;
  const value = Number(text);
  const isNumber = /^[0-9]{1,16}$/.test(text) && value <= max && (name !== "limit" || value > 0);
  if (isNumber) return value;
  throw invalid(name, `not a whole number up to ${max}`);
}
