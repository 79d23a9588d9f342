import assert from "node:assert/strict";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { type AdminClient, createClient } from "../../lib/client/mod.ts";
import { startEchoBackend } from "../support/backends.ts";
import { eventually } from "../support/deadline.ts";
import { connectWithName } from "../support/named_peer.ts";
import { unusedPort } from "../support/ports.ts";
import { type Proxy, startProxy } from "../support/proxy.ts";

/** Starts the program in a folder, with its admin socket there. */
async function start(folder: string, addr: string): Promise<{ proxy: Proxy; client: AdminClient }> {
  const proxy = await startProxy({
    folder,
    config: () => ({
      listeners: [{ addr }],
      grpc: { addr: `${folder}/admin.sock` },
      firewall: { rate_limit: 500, rate_window: "1s" },
      server: { workers: 2 },
    }),
  });
  return { proxy, client: createClient({ socketPath: `${folder}/admin.sock` }) };
}

Deno.test("everything that was changed at run time is there after a restart, by SIGTERM or SIGKILL", async () => {
  const folder = await Deno.makeTempDir({ prefix: "mc-proxy-test-" });
  const addr = `127.0.0.1:${await unusedPort()}`;
  const second = `127.0.0.1:${await unusedPort()}`;
  await using backend = await startEchoBackend();
  let state: unknown;
  for (const signal of ["SIGTERM", "SIGKILL"] as const) {
    const { proxy, client } = await start(folder, addr);
    try {
      if (signal === "SIGTERM") {
        await client.addListener({ addr: second, maxConnections: 7 });
        await client.addRoute({ listenerAddr: second, hostname: "a.example", backend: "b:1" });
        await client.updateRoute({
          listenerAddr: second,
          route: { hostname: "a.example", backend: backend.address },
        });
        await client.addFirewallRule({ type: "ip", value: "127.0.0.7", reason: "r" });
        await client.addFirewallRule({
          type: "ip",
          value: "127.0.0.8",
          ttl: durationFromMs(3_600_000),
        });
        await client.setRateLimit({ rateLimit: { limit: 300, window: durationFromMs(2000) } });
      }
      await using peer = await connectWithName(Number(second.split(":")[1]), "a.example");
      await peer.echo("routed");
      const found = await client.exportState({});
      // Once with the first process, then with the second.
      if (state !== undefined) assert.deepEqual(withoutHits(found.state), state);
      state = withoutHits(found.state);
      assert.equal(found.revision, 6n);
    } finally {
      client.close();
      await proxy.stop(signal);
    }
  }
  const { proxy, client } = await start(folder, addr);
  assert.deepEqual(withoutHits((await client.exportState({})).state), state);
  client.close();
  assert.equal(await proxy.stop(), 0);
  await Deno.remove(folder, { recursive: true });
});

Deno.test("hits are kept over a restart, and rules that ended meanwhile are gone", async () => {
  const folder = await Deno.makeTempDir({ prefix: "mc-proxy-test-" });
  const addr = `127.0.0.1:${await unusedPort()}`;
  const port = Number(addr.split(":")[1]);
  {
    const { proxy, client } = await start(folder, addr);
    await client.addFirewallRule({ type: "cidr", value: "127.0.0.8/31" });
    for (let i = 0; i < 5; i++) {
      await using peer = await connectWithName(port, "a.example", "127.0.0.9");
      assert.equal(await peer.ending(), "reset");
    }
    const hits = async () => (await client.getFirewallRules({})).rules[0]?.hits;
    await eventually(async () => await hits() === 5n, "both workers have counted");
    await client.addFirewallRule({ type: "ip", value: "192.0.2.1", ttl: durationFromMs(1000) });
    client.close();
    assert.equal(await proxy.stop(), 0);
  }
  await new Promise((resolve) => setTimeout(resolve, 1000));
  const { proxy, client } = await start(folder, addr);
  const { rules } = await client.getFirewallRules({});
  assert.deepEqual(rules.map(({ value, hits }) => [value, hits]), [["127.0.0.8/31", 5n]]);
  const [entry] = (await client.getAuditLog({ limit: 1 })).entries;
  assert.deepEqual([entry?.actor, entry?.action, entry?.subject], [
    "mc-proxy",
    "Expire",
    "ip 192.0.2.1",
  ]);
  client.close();
  assert.equal(await proxy.stop(), 0);
  await Deno.remove(folder, { recursive: true });
});

/** What is configured, without what is counted. */
function withoutHits(state: unknown): unknown {
  return JSON.parse(JSON.stringify(state, (key, value) => {
    return key === "hits" ? undefined : typeof value === "bigint" ? `${value}` : value;
  }));
}
