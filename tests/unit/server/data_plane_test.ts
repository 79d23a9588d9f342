import assert from "node:assert/strict";
import { compileFirewall } from "../../../lib/firewall/mod.ts";
import {
  type ConnectionEvent,
  COUNTERS_BYTES,
  createCounters,
  type LogRecord,
  RequestCounts,
} from "../../../lib/observe/mod.ts";
import type { ListenerSnapshot, Snapshot } from "../../../lib/plane/mod.ts";
import { DataPlane } from "../../../lib/server/mod.ts";
import type { Sockets, TcpStream } from "../../../lib/tcp/mod.ts";
import { eventually } from "../../support/deadline.ts";
import { FakeStream } from "../../support/fake_stream.ts";
import { listenerOf } from "../../support/plane.ts";

/** Sockets that note what is bound; `accept` has the last one accept a connection. */
function fakeSockets() {
  const bound = new Set<number>();
  let accept: (stream: TcpStream) => void = () => {};
  const sockets = {
    kind: "node",
    listen({ port }: { port: number }, onStream: typeof accept) {
      accept = onStream;
      assert(!bound.has(port), `${port} is bound already`);
      bound.add(port);
      return Promise.resolve({ rearm() {}, close: () => void bound.delete(port) });
    },
  } as unknown as Sockets;
  return { sockets, bound, accept: (stream: TcpStream) => accept(stream) };
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

Deno.test("DataPlane ends a connection that throws, counts it, and gives its places back", async () => {
  const { sockets, accept } = fakeSockets();
  const events: ConnectionEvent[] = [];
  const records: LogRecord[] = [];
  const plane = new DataPlane({
    worker: 0,
    idPrefix: "t",
    sockets,
    counters: createCounters(new SharedArrayBuffer(COUNTERS_BYTES)),
    requests: new RequestCounts(() => {}),
    onEvent: (event) => events.push(event),
    log: (record) => records.push(record),
    clock: { now: () => 0, wallNow: () => 0, every: () => () => {} },
  }, snapshotOf([]));
  const listener = { ...listenerOf(1001), id: 1, maxConnections: 1 };
  await plane.apply([{ kind: "snapshot", snapshot: snapshotOf([listener]) }]);
  // The second one has a place only if the first one gave its back.
  for (let i = 0; i < 2; i++) {
    const stream = new FakeStream();
    stream.resume = () => {
      throw new Error("a fault");
    };
    accept(stream);
    await eventually(() => events.length > i, "it has ended");
    assert.equal(stream.ending, "reset");
  }
  assert.deepEqual(
    events.map(({ outcome, reason }) => [outcome, reason]),
    Array(2).fill(["internal_error", "a fault"]),
  );
  assert.deepEqual(
    records.map(({ level, message }) => `${level} ${message}`),
    Array(2).fill("error connection failed unexpectedly"),
  );
  await plane.drain();
});
