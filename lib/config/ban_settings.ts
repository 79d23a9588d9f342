import type { Result } from "../addr/mod.ts";
import { duration, integer, list, parsed, records, suggest, table } from "../schema/mod.ts";
import type { BanConfig } from "./types.ts";

const SECOND = 1_000;
const HOUR = 3_600 * SECOND;
const DAY = 24 * HOUR;

/** More rules than anybody writes. */
const MAX_BANS = 32;

/** Outcomes of connections that may get their source banned, and `policy` for requests. */
export const BAN_CAUSES = [
  "no_route",
  "no_server_name",
  "not_allowed",
  "hello_invalid",
  "hello_timeout",
  "proxy_invalid",
  "tls_failed",
  "tls_timeout",
  "certificate_refused",
  "not_authorized",
  "rate_limited",
  "too_many_from_source",
  "policy",
] as const;

const ban = table<BanConfig>({
  on: {
    key: "on",
    kind: list(parsed("outcome", causeOf), { maxLength: BAN_CAUSES.length }),
    required: true,
    doc:
      "What counts: outcomes of connections (RUNBOOK.md explains them), and `policy` for requests " +
      `that an L7 policy refuses. Of ${BAN_CAUSES.map((it) => `\`${it}\``).join(", ")}.`,
  },
  count: {
    key: "count",
    kind: integer({ min: 1, max: 1000 }),
    required: true,
    doc: "So many of them, of all kinds together, get a source banned.",
  },
  withinMs: {
    key: "within",
    kind: duration({ min: SECOND, max: DAY }),
    required: true,
    doc: "In any span of this length.",
  },
  forMs: {
    key: "for",
    kind: duration({ min: SECOND, max: 366 * DAY }),
    required: true,
    doc: "How long the source is banned.",
  },
});

/** `[[ban]]`. */
export const bans = records(ban, { maxLength: MAX_BANS });

function causeOf(text: string): Result<string> {
  if (BAN_CAUSES.some((it) => it === text)) return { ok: true, value: text };
  const meant = suggest(text, BAN_CAUSES);
  const end = meant === undefined
    ? `: one of ${BAN_CAUSES.join(", ")}`
    : `; did you mean ${meant}?`;
  return { ok: false, reason: `nobody is banned for it${end}` };
}
