import { blockOf, type Cidr, cidrContains, type IpAddress, maskIp } from "../addr/mod.ts";
import { createRateLimiter, type RateLimiter } from "../firewall/mod.ts";
import type { RateSettings } from "./settings.ts";

const WINDOW_MS = 1000;
/** Prefixes remembered at once, 8 octets each. */
const MAX_PREFIXES = 2 ** 16;

/** What is done with an answer over UDP. */
export type Rating = "send" | "slip" | "drop";

/** The memory of a limiter, for all servers of a process. */
export function createRateBuffer(responsesPerSecond: number): SharedArrayBuffer {
  const key = crypto.getRandomValues(new Uint32Array(4));
  return createRateLimiter({
    limit: responsesPerSecond,
    windowMs: WINDOW_MS,
    key,
    maxSources: MAX_PREFIXES,
  }).buffer;
}

/**
 * Limits answers to sources that may be forged (response rate limiting): so many a second to one
 * prefix. Of those over it, each `slip`-th is sent empty and truncated: an honest client that shares
 * its prefix with a victim comes again over TCP, and a forger gains nothing by what is no longer than
 * the question.
 */
export class ResponseRate {
  readonly #limiter: RateLimiter;
  readonly #isOff: boolean;
  readonly #ipv4Prefix: number;
  readonly #slip: number;
  readonly #exempt: readonly Cidr[];
  #over = 0;

  constructor({ responsesPerSecond, slip, ipv4Prefix, ipv6Prefix, exempt, buffer }: RateSettings) {
    this.#limiter = createRateLimiter({
      limit: responsesPerSecond,
      windowMs: WINDOW_MS,
      ipv6Prefix,
      buffer,
    });
    this.#isOff = responsesPerSecond === 0;
    this.#ipv4Prefix = ipv4Prefix;
    this.#slip = slip;
    this.#exempt = exempt.map((text) => blockOf(text, "exempt"));
  }

  /** Counts one more answer to an address. */
  rate(client: IpAddress, nowMs: number): Rating {
    if (this.#isOff) return "send";
    const source = client.family === 4 ? maskIp(client, this.#ipv4Prefix) : client;
    if (this.#limiter.admit(source, nowMs)) return "send";
    if (this.#exempt.some((block) => cidrContains(block, client))) return "send";
    if (this.#slip === 0) return "drop";
    return ++this.#over % this.#slip === 0 ? "slip" : "drop";
  }
}
