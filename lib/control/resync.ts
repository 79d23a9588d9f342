import type { Database } from "../db/mod.ts";
import { compileFirewall } from "../firewall/mod.ts";
import type { ListenerSnapshot, Snapshot } from "../plane/mod.ts";
import { compileListeners } from "./stored_listeners.ts";
import type { TlsStore } from "./tls_store.ts";

/**
 * The snapshot that the database holds, over the settings, sockets and counters of one that is served:
 * for when another process has written the database and given it back.
 */
export async function resyncSnapshot(
  before: Snapshot,
  { database, tls }: { readonly database: Database; readonly tls: TlsStore },
): Promise<Snapshot> {
  const served = new Map(before.listeners.map((listener) => [listener.id, listener]));
  const compiled = await compileListeners(database.listeners(), database);
  const listeners = compiled.map((listener) => onSameSocket(listener, served.get(listener.id)));
  return {
    ...before,
    listeners,
    tls: await tls.load(listeners.flatMap(({ routes }) => routes)),
    firewall: { ...before.firewall, rules: compileFirewall(database.firewallRules()) },
  };
}

function onSameSocket(
  listener: ListenerSnapshot,
  before: ListenerSnapshot | undefined,
): ListenerSnapshot {
  if (before === undefined || before.addr !== listener.addr) return listener;
  const { host, port, gauge } = before;
  return { ...listener, host, port, gauge };
}
