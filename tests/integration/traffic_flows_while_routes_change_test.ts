import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { createClient } from "../../lib/client/mod.ts";
import { startEchoBackend } from "../support/backends.ts";
import { connectRaw } from "../support/clients.ts";
import { eventually } from "../support/deadline.ts";
import { buildClientHello } from "../support/hello.ts";
import { startProxy } from "../support/proxy.ts";
import { unusedPort } from "../support/ports.ts";

const CHANGES_PER_SECOND = 100;
const SECONDS = 2;
const STREAMS = 4;
/** Octets that each stream sends, and gets back. */
const STREAM_BYTES = 1024 * 1024;

Deno.test("every stream is byte-exact while routes change a hundred times a second", async () => {
  const addr = `127.0.0.1:${await unusedPort()}`;
  await using backend = await startEchoBackend();
  await using proxy = await startProxy({
    config: (folder) => ({
      listeners: [{
        addr,
        routes: [{ hostname: "a.example", backend: backend.address }],
      }],
      grpc: { addr: `${folder}/admin.sock` },
      server: { workers: 2 },
    }),
  });
  using client = createClient({ socketPath: `${proxy.folder}/admin.sock` });
  const port = proxy.port();
  let done = false;
  const streams = Array.from({ length: STREAMS }, () => stream(port, () => done));
  const changes = CHANGES_PER_SECOND * SECONDS;
  for (let i = 0; i < changes; i++) {
    const due = performance.now() + 1000 / CHANGES_PER_SECOND;
    await change(client, { addr, backend: backend.address }, i);
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, due - performance.now())));
  }
  done = true;
  const rounds = await Promise.all(streams);
  assert.ok(rounds.every((count) => count > 0), String(rounds));
  const { entries } = await client.getAuditLog({ limit: 1 });
  assert.equal(entries[0]?.id, BigInt(changes));
  await eventually(
    async () => (await client.getStatus({})).status?.activeConnections === 0,
    "all end",
  );
  const { status } = await client.getStatus({});
  const total = rounds.reduce((sum, count) => sum + count, 0);
  assert.equal(status?.counters.relayed, BigInt(total));
});

/** The route in use is replaced by its like; others come and go; so do rules. */
async function change(
  client: ReturnType<typeof createClient>,
  { addr: listenerAddr, backend }: { addr: string; backend: string },
  i: number,
): Promise<void> {
  const hostname = `h${Math.floor(i / 4)}.example`;
  switch (i % 4) {
    case 0:
      await client.addRoute({ listenerAddr, hostname, backend });
      return;
    case 1:
      await client.updateRoute({ listenerAddr, route: { hostname: "a.example", backend } });
      return;
    case 2:
      await client.addFirewallRule({ type: "ip", value: `192.0.2.${i % 250}` });
      return;
    case 3:
      await client.removeFirewallRule({ type: "ip", value: `192.0.2.${(i - 1) % 250}` });
  }
}

/** Sends random octets through the proxy and compares what comes back, until told to stop. */
async function stream(port: number, isDone: () => boolean): Promise<number> {
  const hello = buildClientHello({ serverName: "a.example" });
  const body = randomBytes(STREAM_BYTES);
  const expected = createHash("sha256").update(hello).update(body).digest("hex");
  for (let rounds = 0;; rounds++) {
    if (isDone() && rounds > 0) return rounds;
    await using peer = await connectRaw({ port });
    const received = peer.digestToEnd(60_000);
    await peer.write(hello);
    for (let at = 0; at < body.length; at += 65_536) {
      await peer.write(body.subarray(at, at + 65_536));
    }
    peer.end();
    assert.deepEqual(await received, {
      length: hello.length + body.length,
      sha256: expected,
      ending: "end",
    });
  }
}
