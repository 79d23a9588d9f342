import assert from "node:assert/strict";
import { compileFirewall, createConnectionLimiter } from "../../lib/firewall/mod.ts";
import { type ConnectionEvent, MAX_WORKERS } from "../../lib/observe/mod.ts";
import type { FirewallSnapshot, Snapshot } from "../../lib/plane/mod.ts";
import { WorkerPool } from "../../lib/workers/mod.ts";
import { startEchoBackend } from "../support/backends.ts";
import { connectRaw } from "../support/clients.ts";
import type { CrowdTask } from "../support/connection_limit_worker.ts";
import { eventually, withinDeadline } from "../support/deadline.ts";
import { buildClientHello } from "../support/hello.ts";
import type { Peer } from "../support/peer.ts";
import { listenerOf, routeOf, startPlane } from "../support/plane.ts";
import { unusedPort } from "../support/ports.ts";
import { startProxy } from "../support/proxy.ts";

const hello = buildClientHello({ serverName: "a.test" });
const KEY = Uint32Array.of(5, 6, 7, 8);

function sourcesOf(limit: number): NonNullable<FirewallSnapshot["sources"]> {
  const { buffer } = createConnectionLimiter({ limit, key: KEY, workers: MAX_WORKERS });
  return { ipv6Prefix: 64, siteFactor: 0, connections: { limit, buffer } };
}

/** Connects and says hello; whether it was relayed. */
async function enter(
  port: number,
  localAddress: string,
  prefix?: string,
): Promise<[Peer, boolean]> {
  const peer = await connectRaw({ port, localAddress });
  if (prefix !== undefined) peer.socket.write(prefix);
  peer.socket.write(hello);
  const relayed = await peer.read(hello.length).then(() => true, () => false);
  return [peer, relayed];
}

async function leave(peers: readonly Peer[]): Promise<void> {
  for (const peer of peers) peer.end();
  await Promise.all(peers.map((peer) => withinDeadline(peer.ending, "it ends")));
  await Promise.all(peers.map((peer) => peer[Symbol.asyncDispose]()));
}

Deno.test("a source over its limit gets a RST, others are served, and a place comes back", async () => {
  await using backend = await startEchoBackend();
  await using plane = await startPlane({
    routes: [{ hostname: "a.test", backend: backend.address }],
    firewall: { sources: sourcesOf(2) },
  });
  const [first, a] = await enter(plane.port, "127.0.0.2");
  const [second, b] = await enter(plane.port, "127.0.0.2");
  assert.deepEqual([a, b], [true, true]);
  for (let i = 0; i < 5; i++) {
    const [refused, relayed] = await enter(plane.port, "127.0.0.2");
    assert.equal(relayed, false);
    assert.equal(await withinDeadline(refused.ending, "the RST"), "reset");
    const { outcome, rule } = await plane.event(i);
    assert.deepEqual([outcome, rule], ["too_many_from_source", "max_connections_per_source"]);
    await refused[Symbol.asyncDispose]();
  }
  const [honest, served] = await enter(plane.port, "127.0.0.3");
  assert.ok(served, "another source");
  await leave([first]);
  await plane.event(5);
  const [again, back] = await enter(plane.port, "127.0.0.2");
  assert.ok(back, "the place that became free");
  await leave([second, honest, again]);
});

Deno.test("the limit counts the client that a PROXY header names, not the proxy", async () => {
  await using backend = await startEchoBackend();
  await using plane = await startPlane({
    routes: [{ hostname: "a.test", backend: backend.address }],
    firewall: { sources: sourcesOf(1) },
    listener: { proxyProtocol: true },
  });
  const from = (client: string) => `PROXY TCP4 ${client} 192.0.2.9 1234 443\r\n`;
  const [first, a] = await enter(plane.port, "127.0.0.1", from("203.0.113.1"));
  const [second, b] = await enter(plane.port, "127.0.0.1", from("203.0.113.2"));
  const [third, c] = await enter(plane.port, "127.0.0.1", from("203.0.113.1"));
  assert.deepEqual([a, b, c], [true, true, false]);
  await third[Symbol.asyncDispose]();
  await leave([first, second]);
});

Deno.test("permits of a worker that dies come back, and the limit is one over all workers", async () => {
  await using backend = await startEchoBackend();
  const port = await unusedPort();
  const sources = sourcesOf(6);
  const { connections } = sources;
  assert.ok(connections);
  const snapshot: Snapshot = {
    settings: { connectTimeoutMs: 2000, idleTimeoutMs: 30_000 },
    firewall: { rules: compileFirewall([]), sources },
    listeners: [
      listenerOf(port, { routes: [routeOf({ hostname: "a.test", backend: backend.address })] }),
    ],
  };
  const events: ConnectionEvent[] = [];
  const pool = await WorkerPool.start(2, snapshot, {
    onEvent: (event) => events.push(event),
    log: () => {},
  });
  const limiter = createConnectionLimiter(connections);
  const client = { family: 4, w0: 0, w1: 0, w2: 0, w3: 0x7f000002 } as const;
  const fill = async () => {
    const peers: Peer[] = [];
    let refused = 0;
    for (let i = 0; i < 12; i++) {
      const [peer, relayed] = await enter(port, "127.0.0.2");
      if (relayed) peers.push(peer);
      else {
        refused++;
        await peer[Symbol.asyncDispose]();
      }
    }
    assert.deepEqual([peers.length, refused, limiter.count(client)], [6, 6, 6]);
    return peers;
  };
  try {
    const before = await fill();
    for (const worker of [0, 1]) {
      pool.replace(worker, "killed by the test");
      await eventually(
        () => pool.status().workers.every(({ state }) => state === "serving"),
        "the worker is back",
      );
    }
    await eventually(() => limiter.count(client) === 0, "every permit is back");
    await Promise.all(before.map((peer) => peer[Symbol.asyncDispose]()));
    await leave(await fill());
    await eventually(() => limiter.count(client) === 0, "those that ended gave theirs back");
  } finally {
    await pool.drain(0);
  }
});

/** Threads that take and give back as fast as they can. */
async function crowd(task: Omit<CrowdTask, "worker" | "gate">, workers: number) {
  const gate = new SharedArrayBuffer(4);
  new Int32Array(gate)[0] = workers;
  const url = new URL("../support/connection_limit_worker.ts", import.meta.url);
  const threads = Array.from({ length: workers }, () => new Worker(url, { type: "module" }));
  try {
    return await Promise.all(threads.map((thread, worker) => {
      const { promise, resolve, reject } = Promise.withResolvers<{ most: number; held: number }>();
      thread.onmessage = ({ data }) => resolve(data);
      thread.onerror = (event) => reject(new Error(event.message));
      thread.postMessage({ ...task, worker, gate });
      return promise;
    }));
  } finally {
    for (const thread of threads) thread.terminate();
  }
}

Deno.test("threads that share a limiter keep to it, and leave nothing behind", async () => {
  const [workers, sources, limit] = [4, 5, 3];
  const { buffer } = createConnectionLimiter({ limit, key: KEY, workers });
  const open = new SharedArrayBuffer(sources * 4);
  const limiter = createConnectionLimiter({ limit, buffer });
  const left = () =>
    Array.from(
      { length: sources },
      (_, w3) => limiter.count({ family: 4, w0: 0, w1: 0, w2: 0, w3 }),
    );
  const task = { buffer, limit, open, rounds: 20_000 };
  const busy = await crowd({ ...task, keeps: false }, workers);
  assert.ok(Math.max(...busy.map(({ most }) => most)) <= limit, JSON.stringify(busy));
  assert.deepEqual(left(), Array(sources).fill(0));

  const dead = await crowd({ ...task, keeps: true }, workers);
  assert.equal(dead.reduce((sum, { held }) => sum + held, 0), sources * limit);
  assert.deepEqual(left(), Array(sources).fill(limit));
  for (let worker = 0; worker < workers; worker++) limiter.releaseAll(worker);
  assert.deepEqual(left(), Array(sources).fill(0));
});

Deno.test("the program limits the connections of a source as it is configured", async () => {
  await using backend = await startEchoBackend();
  await using proxy = await startProxy({
    config: {
      listeners: [{
        addr: "127.0.0.1:0",
        routes: [{ hostname: "a.test", backend: backend.address }],
      }],
      server: { workers: 2 },
      firewall: { max_connections_per_source: 3 },
    },
  });
  const entered = [];
  for (let i = 0; i < 5; i++) entered.push(await enter(proxy.port(), "127.0.0.2"));
  assert.deepEqual(entered.map(([, relayed]) => relayed), [true, true, true, false, false]);
  const [honest, served] = await enter(proxy.port(), "127.0.0.3");
  assert.ok(served);
  await proxy.outcome("too_many_from_source", 1);
  for (const [peer] of [...entered, [honest] as const]) await peer[Symbol.asyncDispose]();
});
