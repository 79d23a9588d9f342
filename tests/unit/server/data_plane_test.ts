import assert from "node:assert/strict";
import { compileFirewall } from "../../../lib/firewall/mod.ts";
import { COUNTERS_BYTES, createCounters, RequestCounts } from "../../../lib/observe/mod.ts";
import type { ListenerSnapshot, Snapshot } from "../../../lib/plane/mod.ts";
import { DataPlane } from "../../../lib/server/mod.ts";
import type { Sockets } from "../../../lib/tcp/mod.ts";
import { listenerOf } from "../../support/plane.ts";

/** Sockets that note what is bound. */
function fakeSockets() {
  const bound = new Set<number>();
  const sockets = {
    kind: "node",
    listen({ port }: { port: number }) {
      assert(!bound.has(port), `${port} is bound already`);
      bound.add(port);
      return Promise.resolve({ rearm() {}, close: () => void bound.delete(port) });
    },
  } as unknown as Sockets;
  return { sockets, bound };
}

function snapshotOf(listeners: readonly ListenerSnapshot[]): Snapshot {
  return {
    settings: { connectTimeoutMs: 2000, idleTimeoutMs: 30_000 },
    firewall: { rules: compileFirewall([]) },
    listeners,
  };
}

Deno.test("DataPlane binds what a snapshot names, keeps what it had, and closes what is gone", async () => {
  const { sockets, bound } = fakeSockets();
  const one = { ...listenerOf(1001), id: 1 };
  const two = { ...listenerOf(1002), id: 2 };
  const plane = new DataPlane({
    worker: 0,
    idPrefix: "t",
    sockets,
    counters: createCounters(new SharedArrayBuffer(COUNTERS_BYTES)),
    requests: new RequestCounts(() => {}),
    onEvent: () => {},
    log: () => {},
  }, snapshotOf([]));
  const apply = (...listeners: ListenerSnapshot[]) =>
    plane.apply([{ kind: "snapshot", snapshot: snapshotOf(listeners) }]);
  await apply(one, two);
  assert.deepEqual([...bound], [1001, 1002]);
  await apply(two);
  assert.deepEqual([...bound], [1002]);
  await apply(one, two);
  assert.deepEqual([...bound].sort(), [1001, 1002]);
  await plane.apply([{ kind: "remove_listener", listenerId: 1 }]);
  assert.deepEqual([...bound], [1002]);
  await plane.drain();
  assert.deepEqual([...bound], []);
});
