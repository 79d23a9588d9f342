import type { ConnectionEvent } from "../observe/mod.ts";
import type { ConnectionInfo, RouteTally } from "../plane/mod.ts";
import { type Connection, type Ending, formatSocketAddress } from "./connection_state.ts";

function routeFields({ sni, route, identity, host, backend = route?.backend }: Connection) {
  return {
    ...sni !== undefined && { sni },
    ...route !== undefined && { route: route.hostname, mode: route.mode },
    ...backend && { backend },
    ...identity !== undefined && { identity },
    ...host !== undefined && { host },
  };
}

function traffic({ relay, l7 }: Connection): { bytesIn: number; bytesOut: number } {
  const carrier = relay ?? l7;
  return { bytesIn: carrier?.bytesIn ?? 0, bytesOut: carrier?.bytesOut ?? 0 };
}

/** What the connection has carried, for its route. */
export function toTally(connection: Connection): Omit<RouteTally, "connections"> {
  return {
    listener: connection.listener.addr,
    route: connection.route?.hostname ?? "",
    ...traffic(connection),
  };
}

/** The connection as an operator sees it while it lasts. */
export function toInfo(connection: Connection, now: number): ConnectionInfo {
  return {
    id: connection.id,
    listener: connection.listener.addr,
    client: formatSocketAddress(connection.client),
    ...routeFields(connection),
    ...traffic(connection),
    ageMs: Math.round(now - connection.startedAt),
  };
}

/** The connection as it is logged and counted when it has ended. */
export function toEvent(connection: Connection, ending: Ending, now: number): ConnectionEvent {
  const peer = formatSocketAddress(connection.peer);
  return {
    id: connection.id,
    listener: connection.listener.addr,
    peer,
    client: connection.client === connection.peer ? peer : formatSocketAddress(connection.client),
    ...routeFields(connection),
    ...ending.rule !== undefined && { rule: ending.rule },
    outcome: ending.outcome,
    ...ending.reason !== undefined && { reason: ending.reason },
    ...traffic(connection),
    durationMs: Math.round((now - connection.startedAt) * 10) / 10,
  };
}
