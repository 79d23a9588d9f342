import assert from "node:assert/strict";
import { startAdmin } from "../support/admin.ts";
import { startEchoBackend } from "../support/backends.ts";
import { startBehindBalancer } from "../support/balancer.ts";
import { connectRaw } from "../support/clients.ts";
import { eventually } from "../support/deadline.ts";
import { buildClientHello } from "../support/hello.ts";
import { connectHttp2, startHttpBackend, startL7 } from "../support/l7.ts";

Deno.test("one command names the client that hammers us, its network and what it costs", async () => {
  await using proxy = await startBehindBalancer();
  for (let i = 0; i < 20; i++) await proxy.visit("203.0.113.9");
  for (let i = 0; i < 4; i++) await proxy.visit(`203.0.113.${10 + i}`);
  for (let i = 1; i < 6; i++) await proxy.visit(`2001:db8:0:1::${i}`);
  const lines = (await proxy.ctl("clients", "--by", "refused", "--last", "1m")).split("\n");
  assert.equal(lines[0], "by refused, last 1m");
  assert.match(lines[2] ?? "", /^CLIENT +CONNECTIONS +REFUSED +BYTES +SHARE$/);
  assert.match(lines[3] ?? "", /^203\.0\.113\.9 +20 +20 +0 B +69 %$/);
  const networks = await proxy.ctl("clients", "--by", "refused", "--group", "network");
  assert.match(networks, /^203\.0\.113\.0\/24 +24 +24 .*\n2001:db8:0:1::\/64 +5 +5 /m);
});

Deno.test("whoever moves the most is seen while it moves, under its name", async () => {
  await using backend = await startEchoBackend();
  await using proxy = await startAdmin();
  await proxy.client.addRoute({
    listenerAddr: proxy.addr,
    hostname: "big.example",
    backend: backend.address,
  });
  await using peer = await connectRaw({ port: proxy.port });
  peer.socket.write(buildClientHello({ serverName: "big.example" }));
  const heaviest = async () => {
    const { groups } = await proxy.client.listHeaviest({ group: "name", by: "bytes" });
    const [name] = groups[0]?.hitters ?? [];
    return { name: name?.key, bytes: Number(name?.bytes ?? 0), times: name?.connections };
  };
  for (const sent of [100_000, 200_000]) {
    peer.socket.write(new Uint8Array(100_000));
    const counted = async () => (await heaviest()).bytes >= 2 * sent;
    await eventually(counted, `${sent} octets are counted in both directions`);
  }
  const { name, times } = await heaviest();
  assert.deepEqual([name, times], ["big.example", 1n], "and the connection once");
  peer.socket.end();
  await peer.ending;
  await eventually(() => proxy.control.plane.status().counters.relayed === 1, "it has ended");
  assert.equal((await heaviest()).times, 1n);
});

Deno.test("whoever a policy refuses again and again is refused, while the connection lasts", async () => {
  await using backend = await startHttpBackend("http1", (_, response) => response.end("ok"));
  await using proxy = await startL7({
    backend: backend.address,
    policies: [{ id: 1, type: "block_user_agent", value: "scanner" }],
  });
  await using client = await connectHttp2(proxy);
  const refused = async () => {
    const [{ hitters = [] } = {}] = await proxy.plane.takeCounts();
    const counted = hitters.find(({ group, by }) => group === "client" && by === "refused");
    return counted && [counted.keys, counted.counts];
  };
  const ask = async (agent: string) =>
    (await client.ask({ headers: { "user-agent": agent } })).status;
  assert.deepEqual([await ask("scanner"), await ask("scanner"), await ask("x")], [403, 403, 200]);
  assert.deepEqual(await refused(), [["127.0.0.1"], [2]]);
  assert.equal(await refused(), undefined, "each once");
  assert.equal(await ask("scanner"), 403);
  client.session.close();
  await proxy.event();
  assert.deepEqual(await refused(), [["127.0.0.1"], [1]], "and those before its end");
});

Deno.test("what cannot be asked is refused by the name of the field", async () => {
  await using proxy = await startAdmin();
  const { client } = proxy;
  const asks = [
    [{ by: "weight" }, /by: not one of connections, refused, bytes/],
    [{ group: "planet" }, /group: not one of client, network, name, country/],
    [{ limit: 257 }, /limit: not in 0–256/],
    [{ last: { seconds: 90n, nanos: 0 } }, /last: not 1, 10 or 60 minutes/],
  ] as const;
  for (const [ask, message] of asks) await assert.rejects(client.listHeaviest(ask), message);
});
