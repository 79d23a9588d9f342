import { Buffer } from "node:buffer";
import type { Result } from "../addr/mod.ts";
import { formatKeyPath } from "./key_path.ts";
import { type Kind, type Place, quote, type Raw, refuseType } from "./schema.ts";
import { suggest } from "./suggest.ts";

/** The least and the most a number may be, both allowed. */
export interface Bounds {
  readonly min: number;
  readonly max: number;
}

/** `true` or `false`. */
export function boolean(): Kind<boolean> {
  return {
    doc: "`true` or `false`",
    empty: false,
    read: (value, place) => {
      if (typeof value === "boolean") return value;
      const meant = value === "true" || value === "false" ? value : undefined;
      return refuseType(value, "true or false", place, meant) ?? false;
    },
    show: String,
  };
}

/** A whole number. */
export function integer({ min, max }: Bounds): Kind<number> {
  return {
    doc: `integer from ${min} to ${max}`,
    empty: min,
    read: (value, place) => {
      if (typeof value !== "bigint") {
        const meant = typeof value === "string" && /^[0-9]{1,15}$/.test(value) ? value : undefined;
        return refuseType(value, "an integer", place, meant) ?? min;
      }
      if (value >= min && value <= max) return Number(value);
      place.report.problem(place.path, `${value} is not in ${min}–${max}`);
      return min;
    },
    show: String,
  };
}

/** A length of time, in milliseconds; the bounds are too. */
export function duration({ min, max }: Bounds): Kind<number> {
  const range = `${formatDuration(min)} to ${formatDuration(max)}`;
  const read = (value: Raw, { path, report }: Place): number => {
    if (typeof value === "bigint") {
      report.problem(path, `${value} has no unit`, `"${value}s"`);
    } else if (typeof value !== "string") {
      refuseType(value, 'a duration such as "5s"', { path, report });
    } else {
      const ms = parseDuration(value);
      if (ms !== undefined && ms >= min && ms <= max) return ms;
      report.problem(
        path,
        ms === undefined
          ? `${quote(value)} is not a duration such as "300ms", "5s", "2m" or "1h"`
          : `${quote(value)} is not in the range ${range}`,
      );
    }
    return min;
  };
  return {
    doc: `duration from ${range}`,
    empty: min,
    read,
    show: (ms) => `"${formatDuration(ms)}"`,
  };
}

/** One of a few words. */
export function oneOf<const T extends string>(first: T, ...others: T[]): Kind<T> {
  const words = [first, ...others];
  const read = (value: Raw, place: Place): T => {
    if (typeof value !== "string") return refuseType(value, "a string", place) ?? first;
    const found = words.find((word) => word === value);
    if (found !== undefined) return found;
    const meant = suggest(value, words);
    place.report.problem(
      place.path,
      `${quote(value)} is not one of ${words.join(", ")}`,
      meant && `"${meant}"`,
    );
    return first;
  };
  return {
    doc: words.map((word) => `\`"${word}"\``).join(", ").replace(/, ([^,]*)$/, " or $1"),
    empty: first,
    read,
    show: (word) => `"${word}"`,
  };
}

/** A string in a form of its own; the parser gives the canonical one. */
export function parsed(doc: string, parse: (text: string) => Result<string>): Kind<string> {
  const read = (value: Raw, place: Place): string => {
    if (typeof value !== "string") return refuseType(value, "a string", place) ?? "";
    const result = parse(value);
    if (result.ok) return result.value;
    place.report.problem(place.path, `${quote(value)} is invalid: ${result.reason}`);
    return "";
  };
  return { doc, empty: "", read, show: (text) => JSON.stringify(text) };
}

/** A text that no message repeats. */
export function secret({ maxLength }: { maxLength: number }): Kind<string> {
  const read = (value: Raw, place: Place): string => {
    if (typeof value !== "string") return refuseType(value, "a string", place) ?? "";
    if (value.length <= maxLength && !value.includes("\0")) return value;
    place.report.problem(place.path, `is over ${maxLength} characters, or holds a NUL`);
    return "";
  };
  return { doc: "text", empty: "", read, show: (text) => JSON.stringify(text) };
}

/** A path in the file system, as written; a relative one starts where the program was started. */
export function filePath(
  { maxBytes }: { maxBytes: number } = { maxBytes: MAX_PATH },
): Kind<string> {
  return parsed("path of a file", (text) => checkPath(text, maxBytes));
}

/** Whether the system can take a text for a path. */
export function checkPath(text: string, maxBytes: number): Result<string> {
  if (text === "") return { ok: false, reason: "the path is empty" };
  if (text.includes("\0")) return { ok: false, reason: "a path cannot hold a NUL" };
  if (Buffer.byteLength(text) > maxBytes) {
    return { ok: false, reason: `the path is over ${maxBytes} bytes` };
  }
  return { ok: true, value: text };
}

/** Linux's PATH_MAX without the final NUL, in bytes. */
const MAX_PATH = 4095;

/** Any number of values, each once. */
export function list(element: Kind<string>): Kind<readonly string[]> {
  const read = (value: Raw, { path, report }: Place): readonly string[] => {
    if (!Array.isArray(value)) return refuseType(value, "an array", { path, report }) ?? [];
    const firstPlaces = new Map<string, number>();
    for (const [i, entry] of value.entries()) {
      const place = { path: [...path, i], report };
      const found = element.read(entry, place);
      if (found === element.empty) continue;
      const first = firstPlaces.get(found);
      if (first === undefined) {
        firstPlaces.set(found, i);
      } else {
        report.problem(place.path, `${quote(found)} repeats ${formatKeyPath([...path, first])}`);
      }
    }
    return [...firstPlaces.keys()];
  };
  return {
    doc: `array, each ${element.doc}`,
    empty: [],
    read,
    show: (entries) => `[${entries.map(element.show).join(", ")}]`,
  };
}

/** Milliseconds in each unit, the largest first. */
const UNITS: readonly (readonly [unit: string, ms: number])[] = [
  ["h", 3_600_000],
  ["m", 60_000],
  ["s", 1_000],
  ["ms", 1],
];

/** Reads `"300ms"`, `"5s"`, `"2m"`, `"1h"`: a whole number and one unit, nothing else. */
function parseDuration(text: string): number | undefined {
  const match = /^(0|[1-9][0-9]{0,9})(ms|s|m|h)$/.exec(text);
  const unit = UNITS.find(([name]) => name === match?.[2]);
  return match === null || unit === undefined ? undefined : Number(match[1]) * unit[1];
}

/** In the largest unit that gives a whole number. */
function formatDuration(ms: number): string {
  const [unit, size] = UNITS.find(([, size]) => ms >= size && ms % size === 0) ?? ["ms", 1];
  return `${ms / size}${unit}`;
}
