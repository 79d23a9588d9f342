/** Octets in each unit, the largest first. */
const UNITS: readonly (readonly [unit: string, octets: number])[] = [
  ["GiB", 1 << 30],
  ["MiB", 1 << 20],
  ["KiB", 1 << 10],
  ["B", 1],
];

/**
 * Octets of `"512B"`, `"64KiB"`, `"1MiB"` or `"2GiB"`: a whole number and one unit, nothing else.
 * Units of a thousand are left out, so that nobody has to wonder which ones are meant.
 *
 * @example
 * ```ts
 * import { formatSize, parseSize } from "./mod.ts";
 * import assert from "node:assert/strict";
 *
 * assert.equal(parseSize("64KiB"), 65_536);
 * assert.equal(parseSize("64K"), undefined);
 * assert.equal(formatSize(65_536), "64KiB");
 * ```
 */
export function parseSize(text: string): number | undefined {
  const match = /^(0|[1-9][0-9]{0,8})(B|KiB|MiB|GiB)$/.exec(text);
  const unit = UNITS.find(([name]) => name === match?.[2]);
  if (match === null || unit === undefined) return undefined;
  return Number(match[1]) * unit[1];
}

/** In the largest unit that gives a whole number, as {@link parseSize} takes it. */
export function formatSize(octets: number): string {
  const fits = ([, size]: readonly [string, number]) => octets >= size && octets % size === 0;
  const [unit, size] = UNITS.find(fits) ?? ["B", 1];
  return `${octets / size}${unit}`;
}
