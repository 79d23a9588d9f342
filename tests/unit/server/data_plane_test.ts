import assert from "node:assert/strict";
import { compileFirewall } from "../../../lib/firewall/mod.ts";
import {
  type ConnectionEvent,
  COUNTERS_BYTES,
  createCounters,
  type LogRecord,
  Pressure,
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

Deno.test("DataPlane takes the settings of a snapshot", async () => {
  const { sockets, accept } = fakeSockets();
  const events: ConnectionEvent[] = [];
  const plane = new DataPlane({
    worker: 0,
    idPrefix: "t",
    sockets,
    counters: createCounters(new SharedArrayBuffer(COUNTERS_BYTES)),
    requests: new RequestCounts(() => {}),
    onEvent: (event) => events.push(event),
    log: () => {},
    clock: { now: () => 0, wallNow: () => 0, every: () => () => {} },
  }, snapshotOf([listenerOf(1001)]));
  const snapshot = snapshotOf([listenerOf(1001)]);
  await plane.apply([{ kind: "snapshot", snapshot }]);
  const served = new FakeStream();
  accept(served);
  assert.equal(served.ending, undefined);
  // More than a guard would say: everybody is refused, whatever the chance.
  const pressure = new SharedArrayBuffer(Pressure.BYTES);
  new Int32Array(pressure)[0] = 2 ** 30;
  const settings = { ...snapshot.settings, pressure };
  await plane.apply([{ kind: "snapshot", snapshot: { ...snapshot, settings } }]);
  const refused = new FakeStream();
  accept(refused);
  assert.equal(refused.ending, "reset");
  assert.deepEqual(events.map(({ outcome }) => outcome), ["overloaded"]);
  await plane.apply([{ kind: "snapshot", snapshot }]);
  const again = new FakeStream();
  accept(again);
  assert.equal(again.ending, undefined);
  for (const stream of [served, again]) stream.sendEnd();
  await plane.drain();
});

Deno.test("DataPlane that is drained binds nothing, goes on with what it has, and binds again", async () => {
  const { sockets, bound, accept } = fakeSockets();
  const events: ConnectionEvent[] = [];
  // The service manager has this one open too.
  sockets.isInherited = ({ port }) => port === 1002;
  const plane = new DataPlane({
    worker: 0,
    idPrefix: "t",
    sockets,
    counters: createCounters(new SharedArrayBuffer(COUNTERS_BYTES)),
    requests: new RequestCounts(() => {}),
    onEvent: (event) => events.push(event),
    log: () => {},
    clock: { now: () => 0, wallNow: () => 0, every: () => () => {} },
  }, snapshotOf([]));
  const [one, two, three] = [1001, 1002, 1003].map((port) => ({ ...listenerOf(port), id: port }));
  assert.ok(one && two && three);
  await plane.apply([{ kind: "snapshot", snapshot: snapshotOf([one, two]) }]);
  const open = new FakeStream();
  accept(open);
  await plane.apply([{ kind: "drained", isDrained: true }]);
  assert.deepEqual([...bound], [1002]);
  assert.equal(open.ending, undefined, "what was open goes on");
  const late = new FakeStream();
  accept(late);
  assert.equal(late.ending, "reset");
  assert.deepEqual(events.map(({ outcome }) => outcome), ["shutdown"]);

  // What is changed meanwhile is what is served afterwards.
  await plane.apply([{ kind: "add_listener", listener: three }]);
  await plane.apply([{ kind: "remove_listener", listenerId: 1001 }]);
  assert.deepEqual([...bound], [1002]);
  await plane.apply([{ kind: "drained", isDrained: false }]);
  assert.deepEqual([...bound].sort(), [1002, 1003]);

  // A worker that begins with such a snapshot is drained, and one whose snapshot is not serves again.
  const drained = { ...snapshotOf([one, three]), isDrained: true };
  await plane.apply([{ kind: "snapshot", snapshot: drained }]);
  assert.deepEqual([...bound], []);
  await plane.apply([{ kind: "snapshot", snapshot: snapshotOf([one, three]) }]);
  assert.deepEqual([...bound].sort(), [1001, 1003]);
  open.sendEnd();
  await plane.drain();
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
