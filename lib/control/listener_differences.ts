import type { Endpoint } from "../addr/mod.ts";
import { cut, listenerKey, put } from "../fleet/mod.ts";
import type { ListenerSnapshot } from "../plane/mod.ts";
import { LISTENER, type ListenerSettings } from "../state/mod.ts";
import { type Difference, shown } from "./difference.ts";

/** A listener where there was none. */
export function addListener(listener: ListenerSettings, endpoint: Endpoint): Difference {
  return {
    action: "add",
    kind: "listener",
    subject: listener.addr,
    after: shown(LISTENER, listener),
    edits: [put({ kind: "listener", listener })],
    write: (changes) => changes.addListener(changes.database.addListener(listener), endpoint),
  };
}

/** Other settings of a listener, which stays where it is. */
export function updateListener(before: ListenerSnapshot, after: ListenerSettings): Difference {
  const row = { id: before.id, ...after };
  return {
    action: "update",
    kind: "listener",
    subject: after.addr,
    before: shown(LISTENER, before),
    after: shown(LISTENER, after),
    touches: { listenerId: before.id },
    edits: [put({ kind: "listener", listener: after })],
    write: (changes) => {
      changes.database.updateListener(row);
      changes.updateListener(row);
    },
  };
}

/** A listener that goes, and its routes with it. */
export function removeListener(before: ListenerSnapshot): Difference {
  return {
    action: "remove",
    kind: "listener",
    subject: before.addr,
    before: shown(LISTENER, before),
    touches: { listenerId: before.id },
    edits: [cut(listenerKey(before.addr))],
    write: (changes) => {
      changes.database.removeListener(before.id);
      changes.removeListener(before.addr);
    },
  };
}
