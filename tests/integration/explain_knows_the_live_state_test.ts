import assert from "node:assert/strict";
import { durationMs } from "@bufbuild/protobuf/wkt";
import { type AdminFixture, startAdmin } from "../support/admin.ts";
import { startEchoBackend } from "../support/backends.ts";
import { createServerIdentity } from "../support/certificates.ts";
import { connectRaw } from "../support/clients.ts";
import { eventually } from "../support/deadline.ts";
import { buildClientHello } from "../support/hello.ts";
import { unusedPort } from "../support/ports.ts";

const hello = buildClientHello({ serverName: "a.test" });

const explain = (admin: AdminFixture, listenerAddr = admin.addr) =>
  admin.client.explain({ clientIp: "127.0.0.1", listenerAddr, sni: "a.test" });

async function visit(admin: AdminFixture): Promise<string> {
  await using client = await connectRaw({ port: admin.port });
  client.end(hello);
  return (await client.readToEnd()).ending;
}

Deno.test("somebody over the rate limit is told so, and for how long", async () => {
  await using backend = await startEchoBackend();
  await using admin = await startAdmin({
    config: "firewall.rate_limit = 2\nfirewall.rate_window = '1m'",
  });
  const route = { hostname: "a.test", backend: backend.address };
  await admin.client.addRoute({ listenerAddr: admin.addr, ...route });
  const before = await explain(admin);
  assert.equal(before.verdict, "allow");
  assert.ok(
    before.steps.includes("rate limit: 0 of at most 2 new connections, no window is open"),
    before.steps.join("\n"),
  );
  assert.deepEqual([await visit(admin), await visit(admin)], ["end", "end"]);
  const after = await explain(admin);
  assert.deepEqual([after.verdict, after.outcome], ["block", "rate_limited"]);
  const ms = after.retryAfter && durationMs(after.retryAfter);
  assert.ok(ms !== undefined && ms > 0 && ms <= 60_001, `${ms}`);
  assert.match(
    after.steps.join("\n"),
    /2 of at most 2 new connections, the window ends in .*: over it/,
  );
  // It has told the truth, and asking has counted nothing.
  assert.equal(await visit(admin), "reset");
  const other = await admin.client.explain({
    clientIp: "127.0.0.2",
    listenerAddr: admin.addr,
    sni: "a.test",
  });
  assert.equal(other.verdict, "allow");
});

Deno.test("a listener that is full, and a source that has as many as it may, are in the answer", async () => {
  await using backend = await startEchoBackend();
  const port = await unusedPort();
  await using admin = await startAdmin({ config: "firewall.max_connections_per_source = 1" });
  const { client } = admin;
  const addr = `127.0.0.1:${port}`;
  await client.addListener({ addr, maxConnections: 2 });
  const route = { hostname: "a.test", backend: backend.address };
  for (const listenerAddr of [admin.addr, addr]) await client.addRoute({ listenerAddr, ...route });
  await using first = await connectRaw({ port });
  await first.write(hello);
  await first.read(hello.length);
  const source = await explain(admin, addr);
  assert.equal(source.outcome, "too_many_from_source");
  assert.ok(source.steps.includes("connections: 1 of at most 1 are open from there"));
  await using second = await connectRaw({ port, localAddress: "127.0.0.2" });
  await second.write(hello);
  await second.read(hello.length);
  const full = await explain(admin, addr);
  assert.equal(full.outcome, "too_many_connections");
  assert.ok(full.steps.includes(`listener ${addr}: 2 of at most 2 connections are open`));
});

Deno.test("policies of an l7 route and who may use it are in the answer", async () => {
  await using admin = await startAdmin();
  const { client, addr: listenerAddr, folder } = admin;
  const { certPem, keyPem } = await createServerIdentity("a.test");
  await Deno.writeTextFile(`${folder}/c.pem`, certPem);
  await Deno.writeTextFile(`${folder}/k.pem`, keyPem);
  await client.addRoute({
    ...{ listenerAddr, hostname: "a.test", backend: "127.0.0.1:1", mode: "l7" },
    ...{ tlsCert: `${folder}/c.pem`, tlsKey: `${folder}/k.pem`, allowedCidrs: ["127.0.0.0/8"] },
  });
  const policy = { type: "require_header", value: "x-token" };
  await client.addL7Policy({ listenerAddr, hostname: "a.test", policy });
  const allowed = await explain(admin);
  assert.equal(allowed.verdict, "allow");
  assert.deepEqual(allowed.policies.map(({ type, value }) => ({ type, value })), [policy]);
  const steps = allowed.steps.join("\n");
  assert.match(steps, /who may use it names it: cidr 127\.0\.0\.0\/8/);
  assert.match(
    steps,
    /policy: requests have to pass require_header "x-token", or are answered 403/,
  );
  const question = { clientIp: "192.0.2.1", listenerAddr, sni: "a.test" };
  const other = await client.explain(question);
  assert.deepEqual([other.verdict, other.outcome, other.route?.hostname], [
    "block",
    "not_allowed",
    "a.test",
  ]);
});

Deno.test("connections of a removed listener that are to be closed are in the answer", async () => {
  await using backend = await startEchoBackend();
  await using admin = await startAdmin();
  const { client } = admin;
  const port = await unusedPort();
  const addr = `127.0.0.1:${port}`;
  await client.addListener({ addr });
  await client.addRoute({ listenerAddr: addr, hostname: "a.test", backend: backend.address });
  await using open = await connectRaw({ port });
  await open.write(hello);
  await open.read(hello.length);
  await client.removeListener({
    addr,
    closeConnections: true,
    drainTimeout: { seconds: 1n, nanos: 0 },
  });
  const pending = async () => (await explain(admin)).steps.filter((it) => it.startsWith("drain:"));
  assert.match((await pending()).join(), new RegExp(`removed listener ${addr} are closed in 1s`));
  await eventually(async () => (await pending()).length === 0, "the drain ends");
  assert.equal((await open.readToEnd()).ending, "reset");
});
