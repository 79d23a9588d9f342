import type { IpAddress } from "../addr/mod.ts";
import { createRateLimiter } from "../firewall/mod.ts";
import { type OutcomeName, Permits } from "../observe/mod.ts";
import type { Route } from "../routes/mod.ts";

/** What the limits of a route would say to one more connection of a client, as they are filled now. */
export function explainRouteLimits(
  { rate, maxConnections = 0, memory }: Route,
  ip: IpAddress,
  nowMs: number,
): { readonly steps: readonly string[]; readonly outcome?: OutcomeName } {
  const steps: string[] = [];
  if (rate?.connections !== undefined && memory?.connectionRate !== undefined) {
    const { connections: limit, perMs: windowMs } = rate;
    const limiter = createRateLimiter({ limit, windowMs, buffer: memory.connectionRate });
    const { count } = limiter.look(ip, nowMs);
    const over = count >= limit;
    steps.push(
      `rate limit of the route: ${count} of at most ${limit} new connections${
        over ? ": over it" : ""
      }`,
    );
    if (over) return { steps, outcome: "rate_limited" };
  }
  if (memory?.connections === undefined) return { steps };
  const { active } = new Permits(memory.connections);
  steps.push(`route: ${active} of at most ${maxConnections} connections are open`);
  return active >= maxConnections ? { steps, outcome: "too_many_connections" } : { steps };
}
