/**
 * Routes with limits for planes that no control plane has made.
 *
 * @module
 */
import { createRateLimiter } from "../../lib/firewall/mod.ts";
import { PERMITS_BYTES } from "../../lib/observe/mod.ts";
import type { Route, RouteMemory } from "../../lib/state/mod.ts";

/** The memory that the limits of a route count in. */
export function memoryOf({ rate }: Pick<Route, "rate">): RouteMemory {
  const windowMs = rate?.perMs ?? 1000;
  const limiter = () =>
    createRateLimiter({ limit: 1, windowMs, key: Uint32Array.of(1, 2, 3, 4), maxSources: 1024 })
      .buffer;
  return {
    connections: new SharedArrayBuffer(PERMITS_BYTES),
    connectionRate: limiter(),
    requestRate: limiter(),
  };
}
