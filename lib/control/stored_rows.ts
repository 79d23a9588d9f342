import type { Database, DrainWish, ListenerRow, PolicyRow, RouteRow } from "../db/mod.ts";
import type { FirewallRule } from "../firewall/mod.ts";
import type { RateLimit } from "../state/mod.ts";

/** The rows that a snapshot is compiled from: those of a database, or what it is about to hold. */
export interface StoredRows {
  listeners(): readonly ListenerRow[];
  routes(listenerId: number): readonly RouteRow[];
  readonly policies: { list(): readonly PolicyRow[] };
  firewallRules(): readonly FirewallRule[];
  /** What was set at run time. */
  readonly settings: {
    readonly rateLimit: RateLimit | undefined;
    readonly drain?: DrainWish | undefined;
  };
}

/** The rows as they are now, whatever becomes of the database. */
export function readRows(database: Database): StoredRows {
  const listeners = database.listeners();
  const routes = new Map(listeners.map(({ id }) => [id, database.routes(id)]));
  const policies = database.policies.list();
  const rules = database.firewallRules();
  const { rateLimit, drain } = database.settings;
  return {
    listeners: () => listeners,
    routes: (id) => routes.get(id) ?? [],
    policies: { list: () => policies },
    firewallRules: () => rules,
    settings: { rateLimit, drain },
  };
}
