import type { IpAddress } from "../addr/mod.ts";
import type { ConnectionLimiter, SourcePermit } from "./connection_limiter.ts";
import type { Firewall } from "./firewall.ts";
import type { RateLimiter } from "./rate_limiter.ts";
import type { FirewallRule } from "./rule.ts";

/** What decides about clients; what is absent refuses nobody. */
export interface Gates {
  readonly firewall: Firewall;
  /** Of new connections per source. */
  readonly rateLimiter?: RateLimiter | undefined;
  /** Of open connections per source. */
  readonly connectionLimiter?: ConnectionLimiter | undefined;
}

/** Why a client is refused. */
export type Refusal =
  | { readonly outcome: "blocked"; readonly rule: FirewallRule }
  | { readonly outcome: "rate_limited" }
  | { readonly outcome: "too_many_from_source" };

/** What becomes of a connection: refused, or let in, with what it has taken of a limit. */
export interface Judgement {
  readonly refusal?: Refusal;
  readonly permit?: SourcePermit;
}

/** When, and who counts. */
export interface Occasion {
  /** Milliseconds since 1970. */
  readonly nowMs: number;
  readonly worker: number;
}

const LET_IN: Judgement = {};
const RATE_LIMITED: Judgement = { refusal: { outcome: "rate_limited" } };
const TOO_MANY: Judgement = { refusal: { outcome: "too_many_from_source" } };

/**
 * Whether a connection may go on, by the address of its real client: rules that allow, rules that
 * block, the limits of new and of open connections, in this order. Whoever is let in is counted.
 */
export function judge(
  ip: IpAddress,
  { firewall, rateLimiter, connectionLimiter }: Gates,
  { nowMs, worker }: Occasion,
): Judgement {
  const verdict = firewall.check(ip);
  if (verdict.action === "block") return { refusal: { outcome: "blocked", rule: verdict.rule } };
  if (rateLimiter !== undefined && !firewall.skipsRateLimit(ip)) {
    if (!rateLimiter.admit(ip, nowMs)) return RATE_LIMITED;
  }
  if (connectionLimiter === undefined) return LET_IN;
  const permit = connectionLimiter.acquire(ip, worker);
  return permit === undefined ? TOO_MANY : { permit };
}

/** What {@link judge} would say of one more connection, and why; nothing is counted. */
export interface Opinion {
  readonly refusal?: Refusal;
  /** The rule that allows the client, if one does. */
  readonly allowedBy?: FirewallRule;
  /** Absent: there is no limit, or it does not hold for this client. */
  readonly rate?: { readonly count: number; readonly limit: number; readonly endsInMs: number };
  /** There is a limit of new connections, and it does not hold for this client. */
  readonly skipsRateLimit?: true;
  /** Open connections of the source; absent: there is no limit. */
  readonly open?: { readonly count: number; readonly limit: number };
}

/** Asks without taking anything: see {@link Opinion}. */
export function consider(
  ip: IpAddress,
  { firewall, rateLimiter, connectionLimiter }: Gates,
  { nowMs }: Pick<Occasion, "nowMs">,
): Opinion {
  const allowedBy = firewall.allowing(ip);
  const verdict = firewall.check(ip);
  const known = allowedBy === undefined ? {} : { allowedBy };
  if (verdict.action === "block") {
    return { ...known, refusal: { outcome: "blocked", rule: verdict.rule } };
  }
  const skips = rateLimiter !== undefined && firewall.skipsRateLimit(ip);
  const rate = skips ? undefined : rateLimiter?.look(ip, nowMs);
  const open = connectionLimiter && {
    count: connectionLimiter.count(ip),
    limit: connectionLimiter.limit,
  };
  const refusal = rate !== undefined && rate.limit > 0 && rate.count >= rate.limit
    ? { outcome: "rate_limited" } as const
    : open !== undefined && open.count >= open.limit
    ? { outcome: "too_many_from_source" } as const
    : undefined;
  return {
    ...known,
    ...refusal && { refusal },
    ...rate && { rate },
    ...skips && { skipsRateLimit: true },
    ...open && { open },
  };
}
