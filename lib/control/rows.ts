import {
  parseBackendEndpoint,
  parseHostPattern,
  parseListenEndpoint,
  type Result,
} from "../addr/mod.ts";
import type { Database, ListenerRow } from "../db/mod.ts";
import { GAUGE_BYTES } from "../observe/mod.ts";
import type { Route } from "../routes/mod.ts";
import type { ListenerSnapshot } from "../server/mod.ts";
import { overlap } from "./binding.ts";
import { ControlError } from "./control_error.ts";
import { findFreePort } from "./free_port.ts";
import { parseIpOrCidr } from "./inputs.ts";

/**
 * Checks and compiles the listeners that the database holds. What the program writes was checked
 * before; rows of the first versions, and those that an operator wrote by hand, may hold anything.
 * One that does not parse ends the start: leaving it out would serve less, or to more people, than
 * the operator believes, and nobody reads a warning at three in the morning.
 *
 * @throws {ControlError} `invalid_row`, naming the row.
 */
export async function compileListeners(
  rows: readonly ListenerRow[],
  database: Database,
): Promise<ListenerSnapshot[]> {
  const listeners: ListenerSnapshot[] = [];
  for (const row of rows) {
    const listener = await compileListener(row, database);
    // With SO_REUSEPORT the kernel would not refuse it: it would share the connections out.
    const other = listeners.find((earlier) => overlap(earlier, listener));
    if (other !== undefined) throw invalidRow("listener", row, `overlaps the listener ${other.id}`);
    listeners.push(listener);
  }
  return listeners;
}

async function compileListener(row: ListenerRow, database: Database): Promise<ListenerSnapshot> {
  const { host, port } = parsed("listener", row, parseListenEndpoint(row.addr));
  for (const text of row.trustedProxies) {
    parsed("trusted proxy of listener", row, parseIpOrCidr(text));
  }
  return {
    ...row,
    host,
    port: port === 0 ? await findFreePort(host) : port,
    routes: checkedRoutes(row.id, database),
    gauge: new SharedArrayBuffer(GAUGE_BYTES),
  };
}

function checkedRoutes(listenerId: number, database: Database): readonly Route[] {
  const policies = Map.groupBy(database.policies.list(), ({ routeId }) => routeId);
  const byHostname = new Map<string, number>();
  return database.routes(listenerId).map((route) => {
    const { id, hostname } = route;
    parsed("route", route, parseHostPattern(hostname));
    // An mtls route names none: the authoriser does.
    if (route.mode !== "mtls" || route.backend !== "") {
      parsed("backend of route", route, parseBackendEndpoint(route.backend));
    }
    const other = byHostname.get(hostname);
    if (other !== undefined) throw invalidRow("route", route, `repeats the route ${other}`);
    byHostname.set(hostname, id);
    const own = policies.get(id)?.map(({ id, type, value }) => ({ id, type, value }));
    return own === undefined ? route : Object.assign(route, { policies: own });
  });
}

type Named = { readonly id: number } & ({ readonly addr: string } | { readonly hostname: string });

function parsed<T>(what: string, row: Named, result: Result<T>): T {
  if (result.ok) return result.value;
  throw invalidRow(what, row, result.reason);
}

function invalidRow(what: string, row: Named, reason: string): ControlError {
  // As JSON: whatever the column holds, the message stays one line.
  const name = JSON.stringify("addr" in row ? row.addr : row.hostname);
  return new ControlError("invalid_row", `database: ${what} ${row.id} (${name}): ${reason}`);
}
