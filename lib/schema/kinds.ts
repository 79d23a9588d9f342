import { Buffer } from "node:buffer";
import { TomlDate } from "smol-toml";
import type { Result } from "../addr/mod.ts";
import { formatDuration, parseDuration } from "./duration.ts";
import { formatKeyPath } from "./key_path.ts";
import { type Kind, type Place, quote, type Raw, refuseText, refuseType } from "./kind.ts";
import { formatSize, parseSize } from "./size.ts";
import { suggest } from "./suggest.ts";

/** The least and the most a number may be, both allowed. */
export interface Bounds {
  readonly min: number;
  readonly max: number;
}

/** `true` or `false`. */
export function boolean(): Kind<boolean> {
  return {
    form: "boolean",
    doc: "`true` or `false`",
    empty: false,
    read: (value, place) => {
      if (typeof value === "boolean") return value;
      const meant = value === "true" || value === "false" ? value : undefined;
      return refuseType(value, "true or false", place, meant) ?? false;
    },
    check: (value) => value,
    show: String,
  };
}

/** A whole number. */
export function integer({ min, max }: Bounds): Kind<number> {
  const check = (value: bigint | number, { path, report }: Place): number => {
    if (value >= min && value <= max) return Number(value);
    report.problem(path, `${value} is not in ${min}–${max}`);
    return min;
  };
  return {
    form: "integer",
    doc: `integer from ${min} to ${max}`,
    empty: min,
    read: (value, place) => {
      if (typeof value === "bigint") return check(value, place);
      const meant = typeof value === "string" && /^[0-9]{1,15}$/.test(value) ? value : undefined;
      return refuseType(value, "an integer", place, meant) ?? min;
    },
    check,
    show: String,
  };
}

/** A length of time, in milliseconds; the bounds are too. */
export function duration(bounds: Bounds): Kind<number> {
  return measured({ ...DURATION, ...bounds });
}

/** A number of octets; the bounds are too. */
export function size(bounds: Bounds): Kind<number> {
  return measured({ ...SIZE, ...bounds });
}

/** How a number with a unit is written. */
interface Measure {
  readonly form: "duration" | "size";
  readonly parse: (text: string) => number | undefined;
  readonly format: (value: number) => string;
  /** What whoever writes a bare number most likely means. */
  readonly usualUnit: string;
  readonly example: string;
  readonly examples: string;
}

const DURATION: Measure = {
  form: "duration",
  parse: parseDuration,
  format: formatDuration,
  usualUnit: "s",
  example: '"5s"',
  examples: '"300ms", "5s", "2m" or "1h"',
};

const SIZE: Measure = {
  form: "size",
  parse: parseSize,
  format: formatSize,
  usualUnit: "B",
  example: '"64KiB"',
  examples: '"512B", "64KiB" or "1MiB"',
};

function measured({ min, max, ...measure }: Measure & Bounds): Kind<number> {
  const { form, parse, format, usualUnit, example, examples } = measure;
  const range = `${format(min)} to ${format(max)}`;
  const check = (found: number, { path, report }: Place, text = format(found)): number => {
    if (found >= min && found <= max) return found;
    report.problem(path, `${quote(text)} is not in the range ${range}`);
    return min;
  };
  const read = (value: Raw, { path, report }: Place): number => {
    if (typeof value === "bigint") {
      report.problem(path, `${value} has no unit`, { suggestion: `"${value}${usualUnit}"` });
    } else if (typeof value !== "string") {
      refuseType(value, `a ${form} such as ${example}`, { path, report });
    } else {
      const found = parse(value);
      if (found !== undefined) return check(found, { path, report }, value);
      report.problem(path, `${quote(value)} is not a ${form} such as ${examples}`);
    }
    return min;
  };
  const show = (value: number) => `"${format(value)}"`;
  return { form, doc: `${form} from ${range}`, empty: min, read, check, show };
}

/** A moment, in milliseconds since 1970. */
export function time(): Kind<number> {
  return {
    form: "time",
    doc: "date and time with an offset, such as `2027-01-01T00:00:00Z`",
    empty: 0,
    read: (value, place) => {
      const isMoment = value instanceof TomlDate && value.isDateTime() && !value.isLocal();
      if (isMoment) return value.getTime();
      return refuseType(value, "a date and time with an offset", place) ?? 0;
    },
    check: (value) => Math.trunc(value),
    show: (ms) => new Date(ms).toISOString(),
  };
}

/** One of a few words. */
export function oneOf<const T extends string>(first: T, ...others: T[]): Kind<T> {
  const words = [first, ...others];
  const check = (value: string, { path, report }: Place): T => {
    const found = words.find((word) => word === value);
    if (found !== undefined) return found;
    const meant = suggest(value, words);
    const message = `${quote(value)} is not one of ${words.join(", ")}`;
    report.problem(path, message, { suggestion: meant && `"${meant}"` });
    return first;
  };
  return {
    form: "text",
    doc: words.map((word) => `\`"${word}"\``).join(", ").replace(/, ([^,]*)$/, " or $1"),
    empty: first,
    read: (value, place) =>
      typeof value === "string"
        ? check(value, place)
        : refuseType(value, "a string", place) ?? first,
    check,
    show: (word) => `"${word}"`,
    words,
  };
}

/**
 * A string in a form of its own; the parser gives the canonical one. `meant` says which text stands
 * for an integer that was given instead, if one does.
 */
export function parsed(
  doc: string,
  parse: (text: string) => Result<string>,
  meant?: (value: bigint) => string,
): Kind<string> {
  const check = (value: string, place: Place): string => {
    const result = parse(value);
    if (result.ok) return result.value;
    refuseText(value, result.reason, place);
    return "";
  };
  return textKind(doc, check, (value) => {
    const text = typeof value === "bigint" ? meant?.(value) : undefined;
    return text !== undefined && parse(text).ok ? JSON.stringify(text) : undefined;
  });
}

/** A text that no message repeats. */
export function secret({ maxLength }: { maxLength: number }): Kind<string> {
  return textKind("text", (value, { path, report }) => {
    if (value.length <= maxLength && !value.includes("\0")) return value;
    report.problem(path, `is over ${maxLength} characters, or holds a NUL`);
    return "";
  });
}

function textKind(
  doc: string,
  check: (value: string, place: Place) => string,
  meant: (value: Raw) => string | undefined = () => undefined,
): Kind<string> {
  return {
    form: "text",
    doc,
    empty: "",
    read: (value, place) =>
      typeof value === "string"
        ? check(value, place)
        : refuseType(value, "a string", place, meant(value)) ?? "",
    check,
    show: (text) => JSON.stringify(text),
  };
}

/** A text for people, which cannot forge a line of a log or move a cursor. */
export function prose({ maxLength }: { maxLength: number }): Kind<string> {
  return parsed(`text of at most ${maxLength} characters`, (text) => {
    if (text.length > maxLength) return { ok: false, reason: `over ${maxLength} characters` };
    if (!isPrintable(text)) return { ok: false, reason: "it holds a control character" };
    return { ok: true, value: text };
  });
}

/** Whether a text can neither forge a line of a log nor move a cursor. */
export function isPrintable(text: string): boolean {
  // deno-lint-ignore no-control-regex -- they are what is looked for
  return !/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/.test(text);
}

/** A path in the file system, as written; a relative one starts where the program was started. */
export function filePath(): Kind<string> {
  return parsed("path of a file", (text) => checkPath(text));
}

/** Whether the system can take a text for a path. */
export function checkPath(text: string, maxBytes = MAX_PATH): Result<string> {
  if (text === "") return { ok: false, reason: "the path is empty" };
  if (text.includes("\0")) return { ok: false, reason: "a path cannot hold a NUL" };
  if (Buffer.byteLength(text) > maxBytes) {
    return { ok: false, reason: `the path is over ${maxBytes} octets` };
  }
  return { ok: true, value: text };
}

/** Linux's PATH_MAX without the final NUL, in octets. */
const MAX_PATH = 4095;

/** Any number of values, each once. */
export function list(
  element: Kind<string>,
  { maxLength = Infinity }: { readonly maxLength?: number } = {},
): Kind<readonly string[]> {
  const collect = <V>(
    values: readonly V[],
    convert: (value: V, place: Place) => string,
    { path, report }: Place,
  ): readonly string[] => {
    if (values.length > maxLength) report.problem(path, `holds more than ${maxLength}`);
    const firstPlaces = new Map<string, number>();
    for (const [i, entry] of values.entries()) {
      const place = { path: [...path, i], report };
      const found = convert(entry, place);
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
    form: "list",
    doc: `array, each ${element.doc}`,
    empty: [],
    read: (value, place) =>
      Array.isArray(value)
        ? collect(value, element.read, place)
        : refuseType(value, "an array", place) ?? [],
    check: (values, place) => collect(values, element.check, place),
    show: (entries) => `[${entries.map(element.show).join(", ")}]`,
    element,
  };
}
