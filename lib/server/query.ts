import { blockOf, cidrContains } from "../addr/mod.ts";
import type { ConnectionQuery } from "../plane/mod.ts";
import type { BackendUse } from "../l7/mod.ts";
import type { Connection } from "./connection_state.ts";
import type { SourceRules } from "./source_rules.ts";

/**
 * The test that a query is.
 *
 * @throws {TypeError} if `client` is neither an address nor a block.
 */
export function compileQuery(
  { listenerId, listener, route, backend: addr, path, stale, client, blockedBy }: ConnectionQuery,
  sources: Pick<SourceRules, "firewall">,
): (connection: Connection) => boolean {
  const backend = addr === undefined ? undefined : { addr, path };
  const block = client === undefined ? undefined : blockOf(client, "client");
  return (connection) => {
    if (listenerId !== undefined && connection.listener.id !== listenerId) return false;
    if (listener !== undefined && connection.listener.addr !== listener) return false;
    if (route !== undefined && connection.route?.hostname !== route) return false;
    if (backend !== undefined && !usesBackend(connection, backend)) return false;
    if (stale && !isStale(connection)) return false;
    if (block !== undefined && !cidrContains(block, connection.client.ip)) return false;
    if (blockedBy === undefined) return true;
    const verdict = sources.firewall.check(connection.client.ip);
    return verdict.action === "block" && verdict.rule.id === blockedBy;
  };
}

function usesBackend(connection: Connection, backend: BackendUse): boolean {
  const { route, carrier, backend: own } = connection;
  if (route?.mode === "l7") return carrier?.usesBackend?.(backend) === true;
  // Whoever waits for a place at one of several, or for what the authoriser says, is at none yet.
  const isPlain = route?.mode === "l4" && route.backends === undefined;
  return (own ?? (isPlain ? route.backend : undefined)) === backend.addr;
}

/** A replaced route is another object, even when it says the same. */
function isStale({ route, listener }: Connection): boolean {
  return route !== undefined && listener.routes.get(route.hostname) !== route;
}
