import { MAX_RATE_LIMIT } from "../firewall/mod.ts";
import { duration, field, integer, type Place, record, type ValueOf } from "../schema/mod.ts";

const HOUR = 3_600_000;

/** New connections in one window; 0: off. */
export const LIMIT = integer({ min: 0, max: MAX_RATE_LIMIT });

/** The window of a limit. */
export const WINDOW = duration({ min: 100, max: 24 * HOUR });

/** A limit of new connections per source address (IPv6: per /64), over all listeners. */
export const RATE_LIMIT = record({
  limit: field("limit", LIMIT, {
    default: 0,
    doc: "New connections in one window; more are reset. 0: off.",
  }),
  /** 0: none was given, which only a limit of 0 may do without. */
  windowMs: field("window", WINDOW, {
    default: 0,
    doc: "The window of the limit.",
  }),
}, { rule: checkWindow });

/** A limit of new connections per source address. */
export type RateLimit = ValueOf<typeof RATE_LIMIT>;

function checkWindow(
  { limit, windowMs }: { readonly limit: number; readonly windowMs: number },
  { path, report }: Place,
): undefined {
  const at = [...path, "window"];
  if (limit > 0 && windowMs === 0 && !report.hasProblem(at)) report.problem(at, "is missing");
}
