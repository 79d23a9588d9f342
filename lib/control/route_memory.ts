import { createRateLimiter, RATE_NOTES } from "../firewall/mod.ts";
import { GUESS_WINDOW_MS } from "../l7/mod.ts";
import { PERMITS_BYTES } from "../observe/mod.ts";
import type { Route, RouteMemory } from "../state/mod.ts";

/** Clients of one route that are told apart at one time: 128 KiB. */
const SOURCES = 2 ** 14;

/**
 * A route with the memory that its limits count in. What is counted goes on being counted when a
 * route is changed in something else.
 *
 * @param before what there was under its hostname.
 */
export function withMemory<R extends Route>(route: R, before?: Route): R {
  const { rate, maxConnections = 0, basicAuth } = route;
  const memory: RouteMemory = {
    ...maxConnections > 0 && {
      connections: before?.memory?.connections ?? new SharedArrayBuffer(PERMITS_BYTES),
    },
    ...(rate?.connections ?? 0) > 0 && { connectionRate: rateOf("connectionRate", route, before) },
    ...(rate?.requests ?? 0) > 0 && { requestRate: rateOf("requestRate", route, before) },
    ...basicAuth !== undefined && {
      guesses: before?.memory?.guesses ?? newRate(GUESS_WINDOW_MS),
    },
  };
  if (Object.keys(memory).length > 0) return { ...route, memory };
  return route.memory === undefined ? route : { ...route, memory: undefined };
}

/** A window of another length begins anew. */
function rateOf(
  name: "connectionRate" | "requestRate",
  { rate }: Route,
  before: Route | undefined,
): SharedArrayBuffer {
  const windowMs = rate?.perMs ?? 0;
  const there = before?.rate?.perMs === windowMs ? before.memory?.[name] : undefined;
  return there ?? newRate(windowMs);
}

function newRate(windowMs: number): SharedArrayBuffer {
  const key = crypto.getRandomValues(new Uint32Array(4));
  return createRateLimiter({ limit: 1, windowMs, key, maxSources: SOURCES, notes: RATE_NOTES })
    .buffer;
}
