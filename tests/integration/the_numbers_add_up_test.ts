import assert from "node:assert/strict";
import { join } from "node:path";
import { isRefusal, OUTCOMES } from "../../lib/observe/mod.ts";
import { startEchoBackend } from "../support/backends.ts";
import { startBehindBalancer } from "../support/balancer.ts";
import { connectRaw } from "../support/clients.ts";
import { eventually } from "../support/deadline.ts";

Deno.test("what status, clients, history and the routes count is the same, to the octet", async () => {
  await using backend = await startEchoBackend();
  await using proxy = await startBehindBalancer({
    config: (folder) => `[history]\npath = "${join(folder, "history.db")}"\n`,
  });
  const { admin: { client, control }, addr, visit } = proxy;
  await client.addRoute({ listenerAddr: addr, hostname: "a.example", backend: backend.address });
  await client.addFirewallRule({ type: "cidr", value: "198.51.100.0/24" });
  for (let i = 0; i < 6; i++) await visit(`203.0.113.${i % 3}`, "a.example");
  for (let i = 0; i < 4; i++) await visit("203.0.113.9", "b.example");
  for (let i = 0; i < 5; i++) await visit("198.51.100.7", "a.example");
  await using mute = await connectRaw({ port: proxy.admin.port });
  mute.socket.write("no TLS\r\n\r\n");
  assert.equal(await mute.ending, "reset");

  const counted = async () => {
    const { status } = await client.getStatus({});
    const counters = status?.counters ?? {};
    const outcomes = OUTCOMES.map((name) => [name, Number(counters[name] ?? 0n)] as const);
    const sum = (of: (name: typeof OUTCOMES[number]) => boolean) =>
      outcomes.reduce((total, [name, count]) => total + (of(name) ? count : 0), 0);
    const octets = [Number(counters.bytes_in), Number(counters.bytes_out)];
    return {
      accepted: Number(counters.accepted),
      ended: sum(() => true),
      refused: sum(isRefusal),
      octets,
      listener: (["bytesIn", "bytesOut"] as const).map((way) =>
        status?.listeners.reduce((total, it) => total + Number(it[way]), 0)
      ),
    };
  };
  await eventually(async () => (await counted()).ended === 16, "all have ended");
  const { accepted, refused, octets, listener } = await counted();
  assert.deepEqual([accepted, refused], [16, 10]);
  assert.ok(octets[0] === octets[1] && (octets[0] ?? 0) > 6 * 50, "an echo of each hello");
  assert.deepEqual(listener, octets);

  const past = async () => (await client.queryHistory({ limit: 100 })).connections;
  const times = (all: Awaited<ReturnType<typeof past>>) =>
    all.reduce((sum, { count }) => sum + Number(count), 0);
  await eventually(async () => times(await past()) === 16, "the history has all of them");
  const kept = await past();
  assert.equal(times(kept.filter(({ outcome }) => isRefusal(outcome as never))), refused);
  assert.deepEqual(
    [kept.map((it) => Number(it.bytesIn)), kept.map((it) => Number(it.bytesOut))]
      .map((list) => list.reduce((a, b) => a + b, 0)),
    octets,
  );
  for (
    const [by, total] of [
      ["connections", 16],
      ["refused", refused],
      ["bytes", octets.reduce((a, b) => a + b, 0)],
    ] as const
  ) {
    const { groups } = await client.listHeaviest({ group: "client", by, limit: 256 });
    assert.equal(Number(groups[0]?.total), total, by);
    const named = groups[0]?.hitters.reduce((sum, it) => sum + Number(it[by]), 0);
    assert.equal(named, total, `the clients by ${by}`);
  }
  const [route] = [...control.totals.taken];
  assert.deepEqual([route?.bytesIn, route?.bytesOut, route?.connections], [...octets, 6]);
});
