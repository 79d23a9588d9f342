/** Requests of l7 routes whose backends fail, are full, or are down. */
import assert from "node:assert/strict";
import { BALANCE_LIMITS } from "../../lib/balance/mod.ts";
import { backend } from "../support/balancing.ts";
import { eventually } from "../support/deadline.ts";
import { connectHttp2, type HttpBackend, startHttpBackend, startL7 } from "../support/l7.ts";
import { unusedPort } from "../support/ports.ts";
import { deadAddress, route } from "../support/failing_over.ts";

const naming = (name: string) =>
  startHttpBackend("h2c", (request, response) => {
    request.resume();
    response.end(name);
  });

function l7(backends: readonly string[], more = {}) {
  const { hostname: _, ...rest } = route(backends, more);
  return startL7({ backend: backends[0] ?? "", route: rest });
}

Deno.test("l7: requests take turns, and none fails while one backend refuses", async () => {
  await using one = await naming("one");
  await using other = await naming("other");
  const dead = await deadAddress();
  await using plane = await l7([dead, one.address, other.address]);
  await using client = await connectHttp2(plane);
  const answers: string[] = [];
  for (let i = 0; i < 20; i++) {
    const { status, body } = await client.ask({ method: i % 2 ? "POST" : "GET" });
    assert.equal(status, 200);
    answers.push(body);
  }
  assert.ok(answers.filter((it) => it === "one").length >= 8);
  assert.ok(answers.filter((it) => it === "other").length >= 8);
  await plane.request(19);
  for (const [i, { backend, backendOutcome }] of plane.requests.entries()) {
    assert.equal(backend, answers[i] === "one" ? one.address : other.address);
    assert.equal(backendOutcome, "ok");
  }
  const [taken] = await plane.plane.takeCounts();
  const failed = taken?.backends.find((it) => it.backend === dead);
  assert.equal(failed?.outcome, "backend_unreachable");
  assert.ok((failed?.count ?? 0) <= 5, `${failed?.count}`);
});

Deno.test("l7: source sends all requests of one client to one backend, whatever connection they are on", async () => {
  await using one = await naming("one");
  await using other = await naming("other");
  await using plane = await l7([one.address, other.address], { balance: "source" });
  const homes = new Set<string>();
  for (let i = 1; i <= 8; i++) {
    const localAddress = `127.0.0.${i}`;
    const bodies = new Set<string>();
    for (let connection = 0; connection < 2; connection++) {
      await using client = await connectHttp2({ port: plane.port, localAddress });
      for (let n = 0; n < 3; n++) bodies.add((await client.ask()).body);
    }
    assert.equal(bodies.size, 1, localAddress);
    for (const body of bodies) homes.add(body);
  }
  assert.equal(homes.size, 2);
});

Deno.test("l7: a safe request whose backend broke off is asked of another, another request is not", async () => {
  let seen = 0;
  await using broken = await startHttpBackend("http1", (request) => {
    seen++;
    request.socket.destroy();
  });
  await using good = await naming("good");
  await using plane = await l7([broken.address, good.address], { balance: "round_robin" });
  await using client = await connectHttp2(plane);
  for (let i = 0; i < 4; i++) assert.equal((await client.ask()).status, 200);
  assert.ok(seen >= 1 && seen <= 4);
  const posts: number[] = [];
  for (let i = 0; i < 2; i++) posts.push((await client.ask({ method: "POST" })).status);
  assert.deepEqual(posts.sort(), [200, 502]);
});

Deno.test("l7: who is sent home by its address goes elsewhere when home breaks off, or cannot be reached", async () => {
  await using broken = await startHttpBackend("http1", (request) => request.socket.destroy());
  await using good = await naming("good");
  const dead = await deadAddress();
  await using plane = await l7([broken.address, dead, good.address], { balance: "source" });
  for (let i = 1; i <= 9; i++) {
    await using client = await connectHttp2({ port: plane.port, localAddress: `127.0.0.${i}` });
    assert.deepEqual([(await client.ask()).body, i], ["good", i]);
  }
});

Deno.test("l7: a backend that breaks off five times in a row is out", async () => {
  let seen = 0;
  await using broken = await startHttpBackend("http1", (request) => {
    seen++;
    request.socket.destroy();
  });
  await using good = await naming("good");
  await using plane = await l7([broken.address, good.address]);
  await using client = await connectHttp2(plane);
  for (let i = 0; i < 30; i++) assert.equal((await client.ask()).status, 200);
  assert.equal(seen, 5);
});

Deno.test("l7: requests whose backend broke off are repeated within the budget, and then no more", async () => {
  let seen = 0;
  await using broken = await startHttpBackend("http1", (request) => {
    seen++;
    request.socket.destroy();
  });
  await using plane = await startL7({
    backend: broken.address,
    route: { backends: [backend(broken.address, { maxConnections: 100 })] },
  });
  await using client = await connectHttp2(plane);
  const REQUESTS = 14;
  for (let i = 0; i < REQUESTS; i++) assert.equal((await client.ask()).status, 502);
  assert.equal(seen, REQUESTS + BALANCE_LIMITS.leastRetries);
});

Deno.test("l7: all are down: each is tried in turn, and the first that is back serves", async () => {
  const ports = [await unusedPort(), await unusedPort()];
  const [one = "", other = ""] = ports.map((port) => `127.0.0.1:${port}`);
  await using plane = await l7([one, other]);
  await using client = await connectHttp2(plane);
  for (let i = 0; i < 6; i++) assert.equal((await client.ask()).status, 502);
  const { backend = "" } = await plane.request(5);
  assert.ok([one, other].includes(backend));
  await using back: HttpBackend = await startHttpBackend(
    "h2c",
    (_, response) => response.end("back"),
    { port: ports[0] as number },
  );
  await eventually(async () => (await client.ask()).status === 200, "it is served");
  assert.ok(back.connections > 0);
});

Deno.test("l7: requests beyond max_connections wait, and are refused when the line is full", async () => {
  const waiting: (() => void)[] = [];
  await using slow = await startHttpBackend("h2c", (_, response) => {
    waiting.push(() => response.end("done"));
  });
  await using plane = await startL7({
    backend: slow.address,
    route: {
      backends: [backend(slow.address, { maxConnections: 2 })],
      queueLength: 1,
      queueTimeoutMs: 60_000,
    },
  });
  await using client = await connectHttp2(plane);
  const first = client.ask();
  const second = client.ask();
  await eventually(() => waiting.length === 2, "two are asked");
  const third = client.ask();
  const fourth = await client.ask();
  assert.equal(fourth.status, 503);
  const { backendOutcome, backend: full } = await plane.request();
  assert.deepEqual([backendOutcome, full], ["backend_full", "(all)"]);
  waiting.shift()?.();
  assert.equal((await first).status, 200);
  await eventually(() => waiting.length === 2, "the third is asked");
  waiting.forEach((answer) => answer());
  assert.deepEqual([(await second).status, (await third).status], [200, 200]);
});

Deno.test("l7: a client that leaves while it waits takes no place with it", async () => {
  const waiting: (() => void)[] = [];
  await using slow = await startHttpBackend("h2c", (_, response) => {
    waiting.push(() => response.end("done"));
  });
  await using plane = await startL7({
    backend: slow.address,
    route: { backends: [backend(slow.address, { maxConnections: 1 })] },
  });
  await using client = await connectHttp2(plane);
  const first = client.ask();
  await eventually(() => waiting.length === 1, "one is asked");
  {
    await using other = await connectHttp2(plane);
    other.ask().catch(() => {});
    other.ask().catch(() => {});
    await eventually(() => plane.active === 2, "the other is there");
  }
  await plane.request(1);
  waiting.shift()?.();
  assert.equal((await first).status, 200);
  const again = client.ask();
  await eventually(() => waiting.length === 1, "the next is asked");
  waiting.shift()?.();
  assert.equal((await again).status, 200);
});
