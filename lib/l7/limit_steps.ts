/**
 * Steps that bound how much one client may ask of a route.
 *
 * @module
 */
import { createRateLimiter } from "../firewall/mod.ts";
import type { Clock } from "../relay/mod.ts";
import { errorReply } from "./local_reply.ts";
import { TOO_LARGE } from "./message_rules.ts";
import type { Step } from "./step.ts";

/** Requests of one client in a time, counted by all workers together. */
export function rateStep(
  { limit, windowMs, buffer }: {
    readonly limit: number;
    readonly windowMs: number;
    readonly buffer: SharedArrayBuffer;
  },
  clock: Clock,
): Step {
  const limiter = createRateLimiter({ limit, windowMs, buffer });
  return ({ connection }) => {
    const now = clock.wallNow();
    const { ip } = connection.client;
    if (limiter.admit(ip, now)) return undefined;
    const seconds = Math.max(1, Math.ceil(limiter.look(ip, now).endsInMs / 1000));
    const reply = errorReply("retry-after", String(seconds));
    return { status: 429, reason: "over the route's rate limit", reply };
  };
}

/** Content that is declared to be too long; what comes undeclared is counted as it comes. */
export function bodyStep(maxOctets: number): Step {
  return ({ exchange }) => {
    if (exchange.head.protocol !== "" || exchange.head.contentLength <= maxOctets) return undefined;
    return { status: 413, reason: TOO_LARGE };
  };
}
