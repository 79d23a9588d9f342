import { parseListenEndpoint } from "../addr/mod.ts";
import type { Database } from "../db/mod.ts";
import { GAUGE_BYTES } from "../observe/mod.ts";
import type { ListenerSnapshot } from "../plane/mod.ts";
import { compileRoutes, type RouteTable } from "../routes/mod.ts";
import type { RateLimit, State } from "../state/mod.ts";
import { ChangeSet } from "./change_set.ts";
import type { Difference } from "./difference.ts";
import { planState } from "./plan.ts";

/**
 * The differences from what a database holds to what a file says, for a start: whether addresses can be
 * bound, certificates belong together and countries are known is for the start itself to find out.
 *
 * @throws {DatabaseError}
 */
export function planOfFile(
  database: Database,
  { wanted, now, isDated = false }: {
    readonly wanted: Required<State>;
    readonly now: number;
    /** Whether rules say when they were made, as those of a group do. */
    readonly isDated?: boolean;
  },
): Promise<Difference[]> {
  const { listeners, tables } = present(database);
  const anyGeoIp = new SharedArrayBuffer(0);
  return planState(wanted, {
    state: {
      database,
      snapshot: { listeners, firewall: { geoip: anyGeoIp } },
      table: (id) => tables.get(id),
    },
    tls: { check: () => Promise.resolve() },
    rateLimit: database.settings.rateLimit ?? wanted.rateLimit,
    now,
    isWhole: true,
    isDated,
    tryToBind: (_host, port) => Promise.resolve(port),
  });
}

/** Writes the rows of a plan, in a transaction. */
export function writeRows(
  database: Database,
  { plan, rateLimit }: { readonly plan: readonly Difference[]; readonly rateLimit: RateLimit },
): void {
  const changes = new ChangeSet({ database, ...present(database) });
  for (const difference of plan) difference.write(changes);
  // Also where it is what was in effect: whoever compares the file later finds it here.
  if (database.settings.rateLimit === undefined) database.settings.setRateLimit(rateLimit);
}

/** Rows in the form of what is served, which they are not. */
function present(
  database: Database,
): { readonly listeners: ListenerSnapshot[]; readonly tables: Map<number, RouteTable> } {
  const policies = Map.groupBy(database.policies.list(), ({ routeId }) => routeId);
  const tables = new Map<number, RouteTable>();
  const listeners = database.listeners().map((row): ListenerSnapshot => {
    const routes = database.routes(row.id).map((route) => ({
      ...route,
      policies: policies.get(route.id) ?? [],
    }));
    tables.set(row.id, compileRoutes(routes));
    const endpoint = parseListenEndpoint(row.addr);
    const { host, port } = endpoint.ok ? endpoint.value : { host: "", port: 0 };
    return { ...row, host, port, routes, gauge: new SharedArrayBuffer(GAUGE_BYTES) };
  });
  return { listeners, tables };
}
