import assert from "node:assert/strict";
import { join } from "node:path";
import { createRateLimiter } from "../../lib/firewall/mod.ts";
import { type AdminFixture, startAdmin } from "../support/admin.ts";
import { startEchoBackend } from "../support/backends.ts";
import { connectRaw } from "../support/clients.ts";
import { buildClientHello } from "../support/hello.ts";
import { connectHttp2, startHttpBackend, startL7 } from "../support/l7.ts";
import { runCtl, spawnCtl } from "../support/mcproxyctl.ts";
import { buildMmdb } from "../support/mmdb.ts";
import { startPlane, type TestPlane } from "../support/plane.ts";
import { proxyV1 } from "../support/proxy_header.ts";

const hello = buildClientHello({ serverName: "a.test" });

/** How a client of an address fares: what it gets back, and how the connection ends. */
async function visit(plane: TestPlane, client: string): Promise<string> {
  await using connection = await connectRaw({ port: plane.port });
  await connection.write(proxyV1(client, "192.0.2.99"));
  connection.end(hello);
  const { bytes, ending } = await connection.readToEnd();
  if (bytes.length === hello.length) return "served";
  assert.equal(bytes.length, 0, "refused without a single octet");
  return ending;
}

Deno.test("a rule that allows lets in whom a block of addresses refuses, over real connections", async () => {
  await using backend = await startEchoBackend();
  await using plane = await startPlane({
    routes: [{ hostname: "a.test", backend: backend.address }],
    listener: { proxyProtocol: true },
    rules: [
      { type: "cidr", value: "198.51.100.0/24" },
      { type: "ip", value: "198.51.100.7", action: "allow" },
    ],
  });
  assert.equal(await visit(plane, "198.51.100.7"), "served");
  assert.equal(await visit(plane, "198.51.100.8"), "reset");
  assert.equal((await plane.event(1)).outcome, "blocked");
});

Deno.test("a rule that allows exempts from the rate limit only if it says so", async () => {
  const limiter = createRateLimiter({ limit: 1, windowMs: 60_000, key: new Uint32Array(4) });
  await using backend = await startEchoBackend();
  await using plane = await startPlane({
    routes: [{ hostname: "a.test", backend: backend.address }],
    listener: { proxyProtocol: true },
    rules: [
      { type: "ip", value: "198.51.100.1", action: "allow" },
      { type: "ip", value: "198.51.100.2", action: "allow", skipRateLimit: true },
    ],
    firewall: { rateLimit: { limit: 1, windowMs: 60_000, buffer: limiter.buffer } },
  });
  const twice = async (client: string) => [await visit(plane, client), await visit(plane, client)];
  assert.deepEqual(await twice("198.51.100.1"), ["served", "reset"]);
  assert.deepEqual(await twice("198.51.100.2"), ["served", "served"]);
});

Deno.test("a route that names who may use it resets everybody else before TLS", async () => {
  await using backend = await startEchoBackend();
  await using plane = await startPlane({
    routes: [{
      hostname: "a.test",
      backend: backend.address,
      allowedIps: ["198.51.100.1"],
      allowedCidrs: ["203.0.113.0/24"],
    }],
    listener: { proxyProtocol: true },
    // The rules of the firewall come first.
    rules: [{ type: "ip", value: "203.0.113.66" }],
  });
  assert.equal(await visit(plane, "198.51.100.1"), "served");
  assert.equal(await visit(plane, "203.0.113.5"), "served");
  assert.equal(await visit(plane, "198.51.100.2"), "reset");
  const event = await plane.event(2);
  assert.deepEqual([event.outcome, event.route], ["not_allowed", "a.test"]);
  assert.equal(await visit(plane, "203.0.113.66"), "reset");
  assert.equal((await plane.event(3)).outcome, "blocked");
  assert.equal(backend.connections.length, 2);
});

Deno.test("a route that names countries takes the ones of a GeoIP database that is replaced", async () => {
  const database = (country: string) => {
    const bytes = buildMmdb({
      networks: { "198.51.100.0/24": { country: { iso_code: country } } },
    });
    const geoip = new SharedArrayBuffer(bytes.length);
    new Uint8Array(geoip).set(bytes);
    return geoip;
  };
  await using backend = await startEchoBackend();
  await using plane = await startPlane({
    routes: [{ hostname: "a.test", backend: backend.address, allowedCountries: ["NL"] }],
    listener: { proxyProtocol: true },
    firewall: { geoip: database("NL") },
  });
  assert.equal(await visit(plane, "198.51.100.1"), "served");
  const firewall = { ...plane.snapshot.firewall, geoip: database("DE") };
  await plane.plane.apply([{ kind: "firewall", firewall }]);
  assert.equal(await visit(plane, "198.51.100.1"), "reset");
});

const ctl = async (admin: AdminFixture, ...args: string[]) => {
  const { code, stdout, stderr } = await runCtl(admin, args);
  assert.equal(code, 0, stderr);
  return stdout;
};

Deno.test("`firewall allow` takes a time, a reason and a name, and `explain` names the rule", async () => {
  await using admin = await startAdmin();
  const { addr, client } = admin;
  await client.addFirewallRule({ type: "cidr", value: "198.51.100.0/24" });
  const added = await ctl(
    admin,
    ...["--as", "anna", "firewall", "allow", "ip", "198.51.100.7"],
    ...["--ttl", "1h", "--reason", "our monitoring", "--skip-rate-limit"],
  );
  assert.match(added, /^added rule #2: allow ip 198\.51\.100\.7, without the rate limit until /);
  const list = await ctl(admin, "firewall", "list");
  assert.match(list, /2 +allow +ip +198\.51\.100\.7 +— .*our monitoring/);
  const { rules: [, rule] } = await client.getFirewallRules({});
  assert.ok(rule?.expiresAt, "it ends on its own");
  const { entries: [entry] } = await client.getAuditLog({});
  assert.match(entry?.actor ?? "", /\(anna\)$/);
  assert.equal(entry?.subject, "allow ip 198.51.100.7");
  const explained = await ctl(admin, "explain", "198.51.100.7", addr, "a.test");
  assert.match(explained, /rule #2 \(ip 198\.51\.100\.7\) allows 198\.51\.100\.7/);
  assert.match(explained, /verdict: block: no_route/);
  const answer = await client.explain({ clientIp: "198.51.100.7", listenerAddr: addr });
  assert.equal(answer.allowedBy?.reason, "our monitoring");
  assert.match(await ctl(admin, "status"), /firewall +1 cidr rules, 1 that allow, 0 blocked/);
  await client.removeFirewallRule({ type: "ip", value: "198.51.100.7" });
  const after = await client.explain({ clientIp: "198.51.100.7", listenerAddr: addr });
  assert.equal(after.outcome, "blocked");
});

Deno.test("a rule that allows lifts one about the same address, and removing one leaves the other", async () => {
  await using admin = await startAdmin();
  const { client, addr: listenerAddr } = admin;
  const named = { type: "ip", value: "198.51.100.7" };
  const outcome = async () =>
    (await client.explain({ clientIp: named.value, listenerAddr })).outcome;
  await client.addFirewallRule(named);
  assert.equal(await outcome(), "blocked");
  await client.addFirewallRule({ ...named, action: "allow" });
  assert.equal(await outcome(), "no_server_name");
  await assert.rejects(client.addFirewallRule({ ...named, action: "allow" }), {
    code: "already_exists",
    message: /allow ip 198\.51\.100\.7/,
  });
  // A client that knows of no action means the one that blocks.
  assert.equal((await client.removeFirewallRule(named)).rule?.action, "block");
  assert.equal((await client.removeFirewallRule(named)).rule?.action, "allow");
  await assert.rejects(client.removeFirewallRule(named), { code: "not_found" });
});

Deno.test("what does not fit together is refused with the field", async () => {
  await using admin = await startAdmin();
  const { client, addr: listenerAddr } = admin;
  await assert.rejects(
    client.addFirewallRule({ type: "ip", value: "192.0.2.1", skipRateLimit: true }),
    { field: "skip_rate_limit" },
  );
  await assert.rejects(
    client.addFirewallRule({ type: "ip", value: "192.0.2.1", action: "maybe" }),
    { field: "action" },
  );
  const route = { hostname: "a.test", backend: "127.0.0.1:1" };
  await assert.rejects(
    client.addRoute({ listenerAddr, ...route, allowedCountries: ["NL"] }),
    { field: "allowed_countries", message: /needs a GeoIP database/ },
  );
  await assert.rejects(
    client.addRoute({ listenerAddr, ...route, allowedCidrs: ["10.0.0.1/8"] }),
    { code: "invalid_argument", message: /^allowed_cidrs\[0\]: / },
  );
});

Deno.test("rules about everybody, or about the operator who asks, want --yes", async () => {
  const networks = { "203.0.113.0/24": { country: { iso_code: "NL" } } };
  await using geoip = await temporary(buildMmdb({ networks }));
  await using admin = await startAdmin({ config: `firewall.geoip_db = "${geoip.path}"` });
  const refused = async (why: RegExp, ...args: string[]) => {
    const { code, stderr } = await runCtlFrom(admin, "203.0.113.9 50000 203.0.113.1 22", args);
    assert.equal(code, 2, stderr);
    assert.match(stderr, why);
    assert.match(stderr, /give --yes if you mean it/);
    assert.equal((await admin.client.getFirewallRules({})).rules.length, 0);
  };
  await refused(/cidr 0\.0\.0\.0\/0 is every IPv4 address/, "firewall", "add", "cidr", "0.0.0.0/0");
  const from = /holds 203\.0\.113\.9, where you are connected from/;
  await refused(from, "firewall", "add", "cidr", "203.0.113.0/24");
  await refused(from, "firewall", "add", "country", "nl");
  const file = '[[firewall.rules]]\ntype = "cidr"\nvalue = "203.0.113.0/28"\n';
  const applied = await runCtlFrom(
    admin,
    "203.0.113.9 1 203.0.113.1 22",
    ["apply", "-f", "-"],
    file,
  );
  assert.equal(applied.code, 2);
  assert.match(applied.stderr, from);
  const done = await runCtlFrom(
    admin,
    "203.0.113.9 50000 203.0.113.1 22",
    ["firewall", "add", "cidr", "203.0.113.0/24", "--yes"],
  );
  assert.equal(done.code, 0, done.stderr);
  // Whoever is elsewhere is not asked.
  const other = await runCtlFrom(admin, "", ["firewall", "add", "ip", "203.0.113.9"]);
  assert.equal(other.code, 0, other.stderr);
});

async function temporary(bytes: Uint8Array) {
  const folder = await Deno.makeTempDir({ prefix: "mc-proxy-test-" });
  const path = join(folder, "geo.mmdb");
  await Deno.writeFile(path, bytes);
  return { path, [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }) };
}

/** mcproxyctl in a terminal that sshd opened. */
function runCtlFrom(
  admin: AdminFixture,
  connection: string,
  args: readonly string[],
  input = "",
) {
  return spawnCtl(admin, args, { input, env: { SSH_CONNECTION: connection } });
}

Deno.test("a route that begins to name others is none for a client that is connected, at its next request", async () => {
  await using backend = await startHttpBackend("http1", (_, response) => response.end("ok"));
  await using plane = await startL7({ backend: backend.address });
  await using client = await connectHttp2({ port: plane.port });
  assert.equal((await client.ask()).status, 200);
  const [listener] = plane.snapshot.listeners;
  const [route] = listener?.routes ?? [];
  assert.ok(listener && route);
  const allow = async (allowedIps: string[]) => {
    const set = [{ ...route, allowedIps }];
    await plane.plane.apply([{ kind: "routes", listenerId: listener.id, set, remove: [] }]);
    return (await client.ask()).status;
  };
  assert.equal(await allow(["192.0.2.1"]), 421);
  assert.equal(await allow(["127.0.0.1"]), 200);
});

Deno.test("an applied rule that begins to exempt from the rate limit does so at once, under its id", async () => {
  await using admin = await startAdmin({ config: "firewall.rate_limit = 1" });
  const { client, addr: listenerAddr } = admin;
  const rule = { action: "allow", type: "ip", value: "198.51.100.7" };
  const apply = async (skipRateLimit: boolean) => {
    await client.apply({ state: { firewall: { rules: [{ ...rule, skipRateLimit }] } } });
    const { steps, allowedBy } = await client.explain({ clientIp: rule.value, listenerAddr });
    return [steps.includes("rate limit: does not hold for this client"), allowedBy?.id];
  };
  assert.deepEqual(await apply(false), [false, 1n]);
  assert.deepEqual(await apply(true), [true, 1n]);
  assert.deepEqual(await apply(false), [false, 1n]);
});
