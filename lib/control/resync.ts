import type { Database } from "../db/mod.ts";
import { compileFirewallInSteps } from "../firewall/mod.ts";
import type { ListenerSnapshot, Snapshot } from "../plane/mod.ts";
import { runInSlices } from "../slices/mod.ts";
import type { RouteMaterials } from "./route_materials.ts";
import type { ErrorPageFiles } from "./error_page_files.ts";
import { withMemory } from "./route_memory.ts";
import { compileListeners } from "./stored_listeners.ts";

/**
 * The snapshot that the database holds, over the settings, sockets and counters of one that is served:
 * for when another process has written the database and given it back.
 */
export async function resyncSnapshot(
  before: Snapshot,
  { database, materials, pages }: {
    readonly database: Database;
    readonly materials: RouteMaterials;
    readonly pages: ErrorPageFiles | undefined;
  },
): Promise<Snapshot> {
  const served = new Map(before.listeners.map((listener) => [listener.id, listener]));
  const compiled = await compileListeners(database.listeners(), database);
  const listeners = compiled.map((listener) => onSameSocket(listener, served.get(listener.id)));
  const routes = listeners.flatMap(({ routes }) => routes);
  const rules = await runInSlices(compileFirewallInSteps(database.firewallRules()));
  return {
    ...before,
    listeners,
    tls: await materials.load(routes),
    ...pages && { pages: await pages.load(routes) },
    firewall: { ...before.firewall, rules },
  };
}

function onSameSocket(
  listener: ListenerSnapshot,
  before: ListenerSnapshot | undefined,
): ListenerSnapshot {
  if (before === undefined || before.addr !== listener.addr) return listener;
  const { host, port, gauge } = before;
  const known = new Map(before.routes.map((route) => [route.hostname, route]));
  const routes = listener.routes.map((route) => withMemory(route, known.get(route.hostname)));
  return { ...listener, host, port, gauge, routes };
}
