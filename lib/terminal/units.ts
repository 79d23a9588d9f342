import {
  formatDuration as formatExactDuration,
  parseDuration as parseExactly,
  parseSize as parseExactSize,
} from "../schema/mod.ts";
import { UsageError } from "./exit.ts";

export { formatExactDuration };

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/**
 * Milliseconds of `300ms`, `5s`, `2m`, `1h`, `7d` or `4w`.
 *
 * @throws {UsageError}
 */
export function parseDuration(text: string): number {
  const ms = parseExactly(text);
  if (ms !== undefined) return ms;
  throw new UsageError(`${JSON.stringify(text)} is not a duration such as 30s, 10m, 1h or 7d`);
}

/**
 * Octets of `512B`, `64KiB` or `1MiB`.
 *
 * @throws {UsageError}
 */
export function parseSize(text: string): number {
  const octets = parseExactSize(text);
  if (octets !== undefined) return octets;
  throw new UsageError(`${JSON.stringify(text)} is not a size such as 512B, 64KiB or 1MiB`);
}

/** For people: two units, such as `3d 4h`, `5m 12s`, `0.4s`. */
export function formatDuration(ms: number): string {
  if (ms < 10 * SECOND) return `${(ms / SECOND).toFixed(1)}s`;
  if (ms < MINUTE) return `${Math.floor(ms / SECOND)}s`;
  if (ms < HOUR) return `${Math.floor(ms / MINUTE)}m ${Math.floor((ms % MINUTE) / SECOND)}s`;
  if (ms < DAY) return `${Math.floor(ms / HOUR)}h ${Math.floor((ms % HOUR) / MINUTE)}m`;
  return `${Math.floor(ms / DAY)}d ${Math.floor((ms % DAY) / HOUR)}h`;
}

const PREFIXES = ["", "k", "M", "G", "T", "P", "E"] as const;

/** Octets in at most four characters and a unit: `0 B`, `999 B`, `1.5 kB`, `12 MB`. */
export function formatBytes(bytes: number | bigint): string {
  return `${scaled(Number(bytes))}B`;
}

/** Counts in at most four characters and a prefix: `42`, `1.5k`, `12M`. */
export function formatCount(count: number | bigint): string {
  return scaled(Number(count)).trim().replace(" ", "");
}

function scaled(value: number): string {
  let at = 0;
  while (value >= 999.5 && at < PREFIXES.length - 1) {
    value /= 1000;
    at++;
  }
  const digits = at === 0 ? Math.round(value).toString() : value.toFixed(value < 9.95 ? 1 : 0);
  return `${digits} ${PREFIXES[at]}`;
}

/** In UTC, to the second: `2026-11-20 23:13:00Z`. */
export function formatTime(ms: number): string {
  return new Date(ms).toISOString().replace("T", " ").replace(/\.[0-9]+Z$/, "Z");
}

/** Yes or no. */
export function yesNo(value: boolean): string {
  return value ? "yes" : "no";
}
