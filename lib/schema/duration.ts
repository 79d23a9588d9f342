const HOUR = 3_600_000;

/** Milliseconds in each unit, the largest first. */
const UNITS: readonly (readonly [unit: string, ms: number])[] = [
  ["w", 7 * 24 * HOUR],
  ["d", 24 * HOUR],
  ["h", HOUR],
  ["m", 60_000],
  ["s", 1_000],
  ["ms", 1],
];

/**
 * Milliseconds of `"300ms"`, `"5s"`, `"2m"`, `"1h"`, `"7d"` or `"4w"`: a whole number and one unit,
 * nothing else, in files as on command lines. A day has 24 hours.
 *
 * @example
 * ```ts
 * import { formatDuration, parseDuration } from "./mod.ts";
 * import assert from "node:assert/strict";
 *
 * assert.equal(parseDuration("2m"), 120_000);
 * assert.equal(parseDuration("1h30m"), undefined);
 * assert.equal(formatDuration(120_000), "2m");
 * ```
 */
export function parseDuration(text: string): number | undefined {
  const match = /^(0|[1-9][0-9]{0,8})(ms|s|m|h|d|w)$/.exec(text);
  const unit = UNITS.find(([name]) => name === match?.[2]);
  if (match === null || unit === undefined) return undefined;
  return Number(match[1]) * unit[1];
}

/** In the largest unit up to hours that gives a whole number, as {@link parseDuration} takes it. */
export function formatDuration(ms: number): string {
  const fits = ([, size]: readonly [string, number]) =>
    size <= HOUR && ms >= size && ms % size === 0;
  const [unit, size] = UNITS.find(fits) ?? ["ms", 1];
  return `${ms / size}${unit}`;
}
