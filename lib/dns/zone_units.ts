import { failure, type Result, success } from "../addr/mod.ts";

/** RFC 2181 §8. */
export const MAX_TTL = 0x7fffffff;

const SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 };

/** Seconds of `3600` or, as every name server writes it, `1h30m`, up to `max`. */
export function ttlFromText(text: string, max: number = MAX_TTL): Result<number> {
  if (!/^([0-9]{1,10}|([0-9]{1,10}[smhdw])+)$/i.test(text)) {
    return failure("not a number of seconds, such as 3600 or 1h");
  }
  let seconds = 0;
  for (const [, digits = "", unit = "s"] of text.matchAll(/([0-9]+)([a-z]?)/gi)) {
    seconds += Number(digits) * (SECONDS[unit.toLowerCase()] ?? 1);
  }
  return seconds <= max ? success(seconds) : failure(`over ${max} seconds`);
}

/** A number without sign, up to `max`. */
export function numberFromText(text: string, max: number): Result<number> {
  const value = Number(text);
  if (!/^[0-9]{1,10}$/.test(text) || value > max) return failure(`not a number from 0 to ${max}`);
  return success(value);
}

/** Seconds since 1970 modulo 2³², of `YYYYMMDDHHMMSS` or a number (RFC 4034 §3.2). */
export function timeFromText(text: string): Result<number> {
  const [, year, month, day, hour, minute, second] =
    /^([0-9]{4})([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})$/.exec(text) ?? [];
  if (year === undefined) return numberFromText(text, 0xffffffff);
  const iso = `${year}-${month}-${day}T${hour}:${minute}:${second}Z`;
  const ms = Date.parse(iso);
  // A day that there is not would be another one.
  const same = !Number.isNaN(ms) && new Date(ms).toISOString().slice(0, 19) === iso.slice(0, 19);
  return same ? success((ms / 1000) % 0x1_0000_0000) : failure("not a time");
}

/** A time as `YYYYMMDDHHMMSS`. */
export function timeText(seconds: number): string {
  return new Date(seconds * 1000).toISOString().replace(/\.\d+|[-:TZ]/g, "");
}
