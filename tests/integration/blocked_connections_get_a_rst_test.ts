import assert from "node:assert/strict";
import { createRateLimiter } from "../../lib/firewall/mod.ts";
import { startEchoBackend } from "../support/backends.ts";
import { connectRaw } from "../support/clients.ts";
import { eventually } from "../support/deadline.ts";
import { buildClientHello } from "../support/hello.ts";
import { type PlaneOptions, startPlane } from "../support/plane.ts";
import { proxyV1 } from "../support/proxy_header.ts";
import { countryDatabase } from "../support/vectors.ts";

const hello = buildClientHello({ serverName: "a.test" });

/** Connects and asserts a RST without a single octet; returns the event. */
async function assertReset(options: PlaneOptions, prefix?: Uint8Array) {
  await using backend = await startEchoBackend();
  await using plane = await startPlane({
    routes: [{ hostname: "a.test", backend: backend.address }],
    ...options,
  });
  await using client = await connectRaw({ port: plane.port });
  if (prefix !== undefined) await client.write(prefix);
  const { bytes, ending } = await client.readToEnd();
  assert.equal(bytes.length, 0);
  assert.equal(ending, "reset");
  assert.equal(backend.connections.length, 0);
  return await plane.event();
}

Deno.test("a connection blocked by IP gets a RST before any octet, and its rule is logged", async () => {
  const event = await assertReset({ rules: [{ type: "ip", value: "127.0.0.1" }] });
  assert.equal(event.outcome, "blocked");
  assert.equal(event.rule, "ip 127.0.0.1 (#1)");
  assert.equal(event.client.split(":")[0], "127.0.0.1");
});

Deno.test("a connection blocked by CIDR gets a RST before any octet", async () => {
  const event = await assertReset({
    rules: [{ type: "cidr", value: "127.0.0.0/8" }, { type: "cidr", value: "10.0.0.0/8" }],
  });
  assert.equal(event.outcome, "blocked");
  assert.equal(event.rule, "cidr 127.0.0.0/8 (#1)");
});

Deno.test({
  name: "a connection blocked by country gets a RST",
  async fn() {
    const bytes = countryDatabase();
    const geoip = new SharedArrayBuffer(bytes.length);
    new Uint8Array(geoip).set(bytes);
    const event = await assertReset({
      rules: [{ type: "country", value: "SE" }],
      firewall: { geoip },
      listener: { proxyProtocol: true },
    }, proxyV1("89.160.20.112", "192.0.2.1"));
    assert.equal(event.outcome, "blocked");
    assert.equal(event.rule, "country SE (#1)");
  },
});

Deno.test("connections over the rate limit get a RST, those under it are served", async () => {
  const limiter = createRateLimiter({ limit: 2, windowMs: 60_000, key: new Uint32Array(4) });
  await using backend = await startEchoBackend();
  await using plane = await startPlane({
    routes: [{ hostname: "a.test", backend: backend.address }],
    firewall: { rateLimit: { limit: 2, windowMs: 60_000, buffer: limiter.buffer } },
  });
  for (let i = 0; i < 2; i++) {
    await using client = await connectRaw({ port: plane.port });
    client.end(hello);
    assert.equal((await client.readToEnd()).bytes.length, hello.length);
  }
  await using third = await connectRaw({ port: plane.port });
  assert.equal((await third.readToEnd()).ending, "reset");
  const event = await plane.event(2);
  assert.equal(event.outcome, "rate_limited");
  await using other = await connectRaw({ port: plane.port, localAddress: "127.0.0.2" });
  other.end(hello);
  assert.equal((await other.readToEnd()).bytes.length, hello.length);
});

Deno.test("connections over max_connections get a RST until one has ended", async () => {
  await using backend = await startEchoBackend();
  await using plane = await startPlane({
    routes: [{ hostname: "a.test", backend: backend.address }],
    listener: { maxConnections: 1 },
  });
  {
    await using first = await connectRaw({ port: plane.port });
    await first.write(hello);
    await first.read(hello.length);
    await using second = await connectRaw({ port: plane.port });
    assert.equal((await second.readToEnd()).ending, "reset");
    assert.equal((await plane.event()).outcome, "too_many_connections");
    first.end();
    assert.equal((await first.readToEnd()).ending, "end");
  }
  await plane.event(1);
  await using third = await connectRaw({ port: plane.port });
  third.end(hello);
  assert.equal((await third.readToEnd()).bytes.length, hello.length);
});

Deno.test("of a flood of blocked connections every one is counted, and told of alone or in a sum", async () => {
  const count = 400;
  await using plane = await startPlane({ rules: [{ type: "ip", value: "127.0.0.1" }] });
  const clients = Array.from({ length: count }, async () => {
    await using client = await connectRaw({ port: plane.port });
    return (await client.readToEnd()).ending;
  });
  assert.deepEqual(new Set(await Promise.all(clients)), new Set(["reset"]));
  const sums = () =>
    plane.logs.filter(({ message }) => message === "more connections were blocked")
      .reduce((sum, { fields }) => sum + Number(fields?.count), 0);
  await eventually(() => plane.events.length + sums() === count, "all are told of");
  assert.ok(plane.events.length >= 100);
  const { counters } = plane.plane.status();
  assert.deepEqual([counters.accepted, counters.blocked, counters.blocked_ip], [400, 400, 400]);
  const [counts] = await plane.plane.takeCounts();
  assert.deepEqual(counts?.ruleHits, [[1, count]]);
});
