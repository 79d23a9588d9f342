import { createRateLimiter, type RateLimiter } from "../firewall/mod.ts";
import { Permits } from "../observe/mod.ts";
import type { Route } from "../routes/mod.ts";
import type { Connection, Ending } from "./connection_state.ts";
import type { PlaneState } from "./plane_state.ts";

/** Made when the first connection takes a route; workers have objects of their own for each route. */
const limiters = new WeakMap<Route, RateLimiter>();

/** Whether a route takes one more connection of this client, and of anybody. */
export function passRouteLimits(
  c: Connection,
  route: Route,
  state: PlaneState,
): Ending | undefined {
  const { memory, maxConnections = 0 } = route;
  // Most routes: nothing is looked up.
  if (memory === undefined) return undefined;
  if (limiterOf(route)?.admit(c.client.ip, state.clock.wallNow()) === false) {
    return { outcome: "rate_limited", rule: `rate_limit of ${route.hostname}` };
  }
  if (memory.connections === undefined || maxConnections === 0) return undefined;
  const permits = new Permits(memory.connections);
  if (permits.acquire(state.worker, maxConnections)) {
    c.routePermits = permits;
    return undefined;
  }
  const reason = "the route has as many connections as it may";
  return { outcome: "too_many_connections", reason };
}

function limiterOf(route: Route): RateLimiter | undefined {
  const { rate, memory } = route;
  if (rate?.connections === undefined || memory?.connectionRate === undefined) return undefined;
  let limiter = limiters.get(route);
  if (limiter === undefined) {
    limiter = createRateLimiter({
      limit: rate.connections,
      windowMs: rate.perMs,
      buffer: memory.connectionRate,
    });
    limiters.set(route, limiter);
  }
  return limiter;
}
