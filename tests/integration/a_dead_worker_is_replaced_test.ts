import assert from "node:assert/strict";
import { BackendCell } from "../../lib/balance/mod.ts";
import { compileFirewall } from "../../lib/firewall/mod.ts";
import { type ConnectionEvent, GAUGE_BYTES, type LogRecord } from "../../lib/observe/mod.ts";
import type { Change, Snapshot } from "../../lib/plane/mod.ts";
import type { Route } from "../../lib/routes/mod.ts";
import { type PoolOptions, WorkerPool } from "../../lib/workers/mod.ts";
import { startBackend, startEchoBackend } from "../support/backends.ts";
import { connectRaw } from "../support/clients.ts";
import { eventually } from "../support/deadline.ts";
import { buildClientHello } from "../support/hello.ts";
import { listenerOf, routeOf } from "../support/plane.ts";
import { unusedPort } from "../support/ports.ts";

const hello = buildClientHello({ serverName: "a.test" });

/** A change is waited for however busy the machine is, in milliseconds. */
const PATIENT_MS = 120_000;

/** A pool that is drained on disposal. */
async function startPool(
  workers: number,
  backend: string,
  options: Partial<PoolOptions> = {},
  { backends = [], route = {} }: {
    readonly backends?: NonNullable<Snapshot["backends"]>;
    readonly route?: Partial<Route>;
  } = {},
) {
  const port = await unusedPort();
  const gauge = new SharedArrayBuffer(GAUGE_BYTES);
  const snapshot: Snapshot = {
    settings: { connectTimeoutMs: 2000, idleTimeoutMs: 30_000 },
    firewall: { rules: compileFirewall([]) },
    listeners: [
      listenerOf(port, { routes: [routeOf({ hostname: "a.test", backend, ...route })], gauge }),
    ],
    backends,
  };
  const events: ConnectionEvent[] = [];
  const logs: LogRecord[] = [];
  const pool = await WorkerPool.start(workers, snapshot, {
    onEvent: (event) => events.push(event),
    log: (record) => logs.push(record),
    ...options,
  });
  return {
    pool,
    port,
    snapshot,
    events,
    logs,
    active: () => new Int32Array(gauge)[0],
    [Symbol.asyncDispose]: () => pool.drain(0),
  };
}

/** Between connections, in milliseconds: what is left of two cores starts a worker meanwhile. */
const PAUSE_MS = 5;

/** One connection, whole or not at all. */
async function exchange(port: number): Promise<"ok" | "failed"> {
  try {
    await using client = await connectRaw({ port });
    client.end(hello);
    const { bytes } = await client.readToEnd();
    return bytes.length === hello.length ? "ok" : "failed";
  } catch {
    return "failed";
  }
}

Deno.test("a worker killed under load comes back, and the others go on", async () => {
  await using backend = await startEchoBackend();
  await using running = await startPool(2, backend.address);
  const { pool, port, logs } = running;
  let stop = false;
  let served = 0;
  const load = Array.from({ length: 8 }, async () => {
    while (!stop) {
      if (await exchange(port) === "ok") served++;
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  });
  await eventually(() => served > 50, "traffic flows");
  for (let round = 0; round < 3; round++) {
    pool.replace(round % 2, "killed by the test");
    assert.equal(pool.status().workers[round % 2]?.state, "dead");
    await eventually(
      () => pool.status().workers.every(({ state }) => state === "serving"),
      "the worker is back",
    );
    const before = served;
    await eventually(() => served > before + 50, "traffic flows again");
  }
  stop = true;
  await Promise.all(load);
  assert.deepEqual(pool.status().workers.map(({ restarts }) => restarts), [2, 1]);
  assert.equal(logs.filter(({ message }) => message === "worker died").length, 3);
  assert.equal(logs.filter(({ message }) => message === "worker replaced").length, 3);
  // Nothing is served by a dead worker, and its permits came back.
  await eventually(() => running.active() === 0, "every permit is back");
  for (let i = 0; i < 20; i++) assert.equal(await exchange(port), "ok");
});

Deno.test("a worker killed under load leaks no place at a backend, and the limit holds", async () => {
  const LIMIT = 4;
  let open = 0;
  let most = 0;
  await using backend = await startBackend({
    onConnection({ socket }) {
      most = Math.max(most, ++open);
      socket.once("close", () => open--);
      socket.pipe(socket);
    },
  });
  const cell = { route: 1, addr: backend.address, buffer: BackendCell.create(Date.now()) };
  const shared = new BackendCell(cell.buffer);
  const one = { addr: backend.address, weight: 1, backup: false, maxConnections: LIMIT };
  await using running = await startPool(2, backend.address, {}, {
    backends: [cell],
    route: { backends: [{ ...one, state: "up" }], queueTimeoutMs: 60_000 },
  });
  const { pool, port } = running;
  let stop = false;
  let served = 0;
  const load = Array.from({ length: 12 }, async () => {
    while (!stop) {
      if (await exchange(port) === "ok") served++;
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  });
  for (let round = 0; round < 2; round++) {
    const before = served;
    await eventually(() => served > before + 30, "traffic flows");
    pool.replace(round, "killed by the test");
    await eventually(
      () => pool.status().workers.every(({ state }) => state === "serving"),
      "the worker is back",
    );
  }
  const before = served;
  await eventually(() => served > before + 30, "traffic flows again");
  stop = true;
  await Promise.all(load);
  await eventually(() => shared.open === 0, "every place is back");
  // The kernel may tell the backend of an end after the proxy has given the place to another.
  assert.ok(most <= 2 * LIMIT, `${most} were open at one time`);
});

Deno.test("what a worker takes while it is being ended comes back before its successor takes any", async () => {
  await using backend = await startEchoBackend();
  const cell = { route: 1, addr: backend.address, buffer: BackendCell.create(Date.now()) };
  const shared = new BackendCell(cell.buffer);
  await using running = await startPool(1, backend.address, {}, { backends: [cell] });
  const state = () => running.pool.status().workers[0]?.state;
  running.pool.replace(0, "killed by the test");
  let taken = 0;
  while (state() === "dead") {
    // As a thread does that has not noticed yet.
    if (shared.open === 0 && shared.acquire(0, 0)) taken++;
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  assert.ok(taken > 1, "also after the first time that all was taken back");
  await eventually(() => state() === "serving", "the worker is back");
  assert.equal(shared.open, 0);
});

const TROUBLED = { entry: new URL("../support/troubled_worker.ts", import.meta.url) };

/** What a {@link startPool} of one listener serves without its route. */
function withoutRoutes(snapshot: Snapshot): Snapshot {
  return { ...snapshot, listeners: snapshot.listeners.map((it) => ({ ...it, routes: [] })) };
}

const REMOVE: Change = { kind: "routes", listenerId: 1, set: [], remove: ["a.test"] };

for (const trouble of ["hang", "block"]) {
  Deno.test(`a worker that is late (${trouble}) keeps its connections and applies what it missed`, async () => {
    await using backend = await startEchoBackend();
    const options = { ...TROUBLED, lookMs: 50, applyTimeoutMs: 300 };
    await using running = await startPool(1, backend.address, options);
    const { pool, port, snapshot } = running;
    await using client = await connectRaw({ port });
    await client.write(hello);
    await client.read(hello.length);
    const asked = pool.closeConnection(`${trouble} 4000`);
    const applied = await pool.apply([REMOVE], withoutRoutes(snapshot));
    assert.deepEqual(applied, { pendingWorkers: [0] });
    // Who waited once does not wait again.
    const before = performance.now();
    await pool.apply([REMOVE], withoutRoutes(snapshot));
    assert(performance.now() - before < 250, "the second change is reported at once");
    assert.equal(pool.status().workers[0]?.pendingChanges, 2);
    await eventually(() => (pool.status().workers[0]?.lateMs ?? 0) > 0, "it is late");
    assert.equal(pool.status().workers[0]?.state, "serving");
    await asked;
    await eventually(() => pool.status().workers[0]?.pendingChanges === 0, "nothing is pending");
    await eventually(() => pool.status().workers[0]?.lateMs === 0, "it is on time");
    await client.write("the same stream");
    assert.equal(await client.readText(15), "the same stream");
    assert.equal(await exchange(port), "failed");
    assert.equal(pool.status().workers[0]?.restarts, 0);
  });
}

Deno.test("a worker that is far behind is sent the state instead of every change", async () => {
  await using backend = await startEchoBackend();
  await using running = await startPool(1, backend.address, { ...TROUBLED, applyTimeoutMs: 20 });
  const { pool, port, snapshot } = running;
  const asked = pool.closeConnection("block 1500");
  for (let i = 0; i < 100; i++) {
    const changes: Change[] = [{ kind: "routes", listenerId: 1, set: [], remove: [`r${i}.test`] }];
    await pool.apply(changes, { ...snapshot });
  }
  assert.deepEqual(await pool.apply([], withoutRoutes(snapshot)), { pendingWorkers: [0] });
  await asked;
  await eventually(() => pool.status().workers[0]?.pendingChanges === 0, "nothing is pending");
  // The last change had no text of its own: only the state as a whole can have brought it.
  assert.equal(await exchange(port), "failed");
});

Deno.test("a worker that refuses a change too late is brought to the state of the others", async () => {
  await using backend = await startEchoBackend();
  await using running = await startPool(1, backend.address, { ...TROUBLED, applyTimeoutMs: 100 });
  const { pool, port, snapshot } = running;
  const asked = [pool.closeConnection("block 800"), pool.closeConnection("refuse")];
  const applied = await pool.apply([REMOVE], withoutRoutes(snapshot));
  assert.deepEqual(applied, { pendingWorkers: [0] });
  await Promise.all(asked);
  await eventually(async () => await exchange(port) === "failed", "the change is in effect");
  await eventually(() => pool.status().workers[0]?.pendingChanges === 0, "nothing is pending");
});

Deno.test("a change that a worker refuses in time fails", async () => {
  await using backend = await startEchoBackend();
  await using running = await startPool(1, backend.address, TROUBLED);
  const { pool, snapshot } = running;
  await pool.closeConnection("refuse");
  await assert.rejects(pool.apply([REMOVE], withoutRoutes(snapshot)), /refused by the test/);
});

Deno.test.each([["throw"], ["reject"]])(
  "an error that nobody catches is logged and ends nothing (%s)",
  async (trouble) => {
    await using backend = await startEchoBackend();
    await using running = await startPool(1, backend.address, TROUBLED);
    const { pool, port, logs } = running;
    assert.equal(await pool.closeConnection(trouble), false);
    const line = () => logs.find(({ message }) => message === "an error that nobody caught");
    await eventually(() => line() !== undefined, "the error is logged");
    assert.match(String(line()?.fields?.reason), /thrown by the test/);
    assert.equal(await exchange(port), "ok");
    assert.equal(pool.status().workers[0]?.restarts, 0);
  },
);

Deno.test("an error that ends a worker costs the worker and nothing else", async () => {
  await using backend = await startEchoBackend();
  await using running = await startPool(1, backend.address, TROUBLED);
  const { pool, port, logs } = running;
  await pool.closeConnection("die");
  await eventually(
    () => logs.some(({ fields }) => /thrown by the test/.test(String(fields?.reason))),
    "the worker is gone",
  );
  const isBack = () => {
    const [worker] = pool.status().workers;
    return worker?.state === "serving" && worker.restarts === 1;
  };
  await eventually(isBack, "the worker is back");
  assert.equal(await exchange(port), "ok");
});

Deno.test("a change is complete when a worker that was starting has it too", async () => {
  await using backend = await startEchoBackend();
  await using running = await startPool(2, backend.address, { applyTimeoutMs: PATIENT_MS });
  const { pool, port, snapshot } = running;
  const [listener] = snapshot.listeners;
  assert(listener !== undefined);
  const without: Snapshot = { ...snapshot, listeners: [{ ...listener, routes: [] }] };
  for (let round = 0; round < 5; round++) {
    pool.replace(0, "killed by the test");
    await eventually(() => pool.status().workers[0]?.state === "starting", "it starts");
    // Two changes, the second while the first may still be on its way to the new worker.
    const changes = [
      pool.apply([{ kind: "routes", listenerId: 1, set: [], remove: ["a.test"] }], without),
      pool.apply([{ kind: "routes", listenerId: 1, set: listener.routes, remove: [] }], snapshot),
      pool.apply([{ kind: "routes", listenerId: 1, set: [], remove: ["a.test"] }], without),
    ];
    await Promise.all(changes);
    assert(pool.status().workers.every(({ state }) => state === "serving"));
    for (let i = 0; i < 10; i++) assert.equal(await exchange(port), "failed");
    await pool.apply(
      [{ kind: "routes", listenerId: 1, set: listener.routes, remove: [] }],
      snapshot,
    );
  }
});

Deno.test("a change reaches every worker, and a replaced worker starts from it", async () => {
  await using backend = await startEchoBackend();
  await using running = await startPool(2, backend.address);
  const { pool, port, snapshot } = running;
  const [listener] = snapshot.listeners;
  assert(listener !== undefined);
  const next: Snapshot = { ...snapshot, listeners: [{ ...listener, routes: [] }] };
  await pool.apply([{ kind: "routes", listenerId: 1, set: [], remove: ["a.test"] }], next);
  for (let i = 0; i < 10; i++) assert.equal(await exchange(port), "failed");
  pool.replace(0, "killed by the test");
  await eventually(
    () => pool.status().workers.every(({ state }) => state === "serving"),
    "the worker is back",
  );
  for (let i = 0; i < 10; i++) assert.equal(await exchange(port), "failed");
  await pool.apply([{ kind: "routes", listenerId: 1, set: listener.routes, remove: [] }], snapshot);
  for (let i = 0; i < 10; i++) assert.equal(await exchange(port), "ok");
});

Deno.test("connections are counted, listed and closed across workers", async () => {
  await using backend = await startEchoBackend();
  await using running = await startPool(2, backend.address);
  const { pool, port, events } = running;
  const clients: Awaited<ReturnType<typeof connectRaw>>[] = [];
  for (let i = 0; i < 12; i++) {
    const client = await connectRaw({ port });
    clients.push(client);
    await client.write(hello);
    await client.read(hello.length);
  }
  const { connections: listed } = await pool.findConnections({}, 100);
  assert.equal(listed.length, 12);
  assert.equal(new Set(listed.map(({ id }) => id)).size, 12);
  assert(listed.every(({ sni, bytesIn }) => sni === "a.test" && bytesIn === hello.length));
  const { connections, total } = await pool.findConnections({}, 100);
  const ages = connections.map(({ ageMs }) => ageMs);
  assert.deepEqual([ages.length, total], [12, 12]);
  assert.deepEqual(ages, ages.toSorted((a, b) => b - a), "the oldest first, of whichever worker");
  assert.equal(await pool.closeConnection("nobody"), false);
  assert.equal(await pool.closeConnection(listed[0]?.id ?? ""), true);
  await eventually(() => events.length === 1, "its end is reported");
  assert.equal(events[0]?.outcome, "closed_by_operator");
  for (const client of clients) await client[Symbol.asyncDispose]();
  await eventually(() => events.length === 12, "every end is reported");
  assert.equal(pool.status().counters.accepted, 12);
});

Deno.test("drain lets streams end and cuts those that do not", async () => {
  await using backend = await startEchoBackend();
  const running = await startPool(2, backend.address);
  const { pool, port, events } = running;
  await using finishing = await connectRaw({ port });
  await using lingering = await connectRaw({ port });
  for (const client of [finishing, lingering]) {
    await client.write(hello);
    await client.read(hello.length);
  }
  const drained = pool.drain(3000);
  await eventually(async () => {
    try {
      // One that a closing listener still accepts would wait for its peek deadline.
      await using _accepted = await connectRaw({ port });
      return false;
    } catch {
      return true;
    }
  }, "nothing is accepted any more");
  finishing.end("last words");
  assert.equal((await finishing.readToEnd()).text, "last words");
  assert.equal((await lingering.readToEnd()).ending, "reset");
  await drained;
  const routed = events.filter(({ route }) => route !== undefined);
  assert.deepEqual(routed.map(({ outcome }) => outcome).sort(), ["relayed", "shutdown"]);
});

Deno.test("a port that another program holds is named in one line", async () => {
  const holder = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = holder.addr as Deno.NetAddr;
  try {
    const snapshot: Snapshot = {
      settings: { connectTimeoutMs: 1, idleTimeoutMs: 1 },
      firewall: { rules: compileFirewall([]) },
      listeners: [listenerOf(port)],
    };
    await assert.rejects(
      WorkerPool.start(2, snapshot, { onEvent: () => {}, log: () => {} }),
      /^WorkerError: cannot listen on 127\.0\.0\.1:\d+: the port is in use/,
    );
  } finally {
    holder.close();
  }
});
