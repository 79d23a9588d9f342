import assert from "node:assert/strict";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { ProxyAdminService } from "../../lib/admin/gen/mod.ts";
import type { AdminClient } from "../../lib/client/mod.ts";
import { type AdminFixture, startAdmin } from "../support/admin.ts";
import { startEchoBackend } from "../support/backends.ts";
import { createAuthority, issueCertificate } from "../support/certificates.ts";
import { eventually } from "../support/deadline.ts";
import { connectWithName } from "../support/named_peer.ts";
import { unusedPort } from "../support/ports.ts";

/** Methods that a test of this file has called. */
const called = new Set<string>();

/** The client, which notes what is called. */
function noting({ client }: AdminFixture): AdminClient {
  return new Proxy(client, {
    get(target, name: string) {
      if (name in ProxyAdminService.method) called.add(name);
      return Reflect.get(target, name);
    },
  });
}

Deno.test("routes are added, replaced, listed by name, and removed", async () => {
  await using admin = await startAdmin();
  const client = noting(admin);
  const listenerAddr = admin.addr;
  const added = await client.addRoute({
    listenerAddr,
    hostname: "B.Example.",
    backend: "10.0.0.1:443",
    sendProxyProtocol: true,
  });
  assert.equal(added.route?.hostname, "b.example");
  await client.addRoute({ listenerAddr, hostname: "*.a.example", backend: "[2001:DB8::1]:443" });
  const updated = await client.updateRoute({
    listenerAddr,
    route: { hostname: "b.example", backend: "10.0.0.2:443" },
  });
  assert.deepEqual([updated.liveConnections, updated.closedConnections], [0, 0]);
  const { routes } = await client.listRoutes({ listenerAddr });
  assert.deepEqual(
    routes.map((it) => [it.hostname, it.backend, it.mode, it.sendProxyProtocol]),
    [
      ["*.a.example", "[2001:db8::1]:443", "l4", false],
      ["b.example", "10.0.0.2:443", "l4", false],
    ],
  );
  await client.removeRoute({ listenerAddr, hostname: "B.EXAMPLE" });
  const left = await client.listRoutes({ listenerAddr });
  assert.deepEqual(left.routes.map(({ hostname }) => hostname), ["*.a.example"]);
});

Deno.test("a request of the first protocol, without the newer fields, is an l4 route", async () => {
  await using admin = await startAdmin();
  const { addr: listenerAddr } = admin;
  await noting(admin).addRoute({ listenerAddr, hostname: "a.example", backend: "b.example:1" });
  assert.deepEqual(admin.database.routes(1), [{
    id: 1,
    listenerId: 1,
    hostname: "a.example",
    backend: "b.example:1",
    mode: "l4",
    tlsCert: "",
    tlsKey: "",
    backendTls: false,
    sendProxyProtocol: false,
  }]);
});

Deno.test("listeners are added, accept at once, and stop accepting when removed", async () => {
  await using admin = await startAdmin();
  await using backend = await startEchoBackend();
  const client = noting(admin);
  const addr = `127.0.0.1:${await unusedPort()}`;
  const { boundPort, listener } = await client.addListener({ addr, maxConnections: 5 });
  assert.equal(listener?.maxConnections, 5);
  const changed = await client.updateListener({ listener: { addr, maxConnections: 6 } });
  assert.equal(changed.listener?.maxConnections, 6);
  await client.addRoute({ listenerAddr: addr, hostname: "a.example", backend: backend.address });
  const { listeners } = await client.listListeners({});
  assert.deepEqual(listeners.map(({ status }) => [status?.addr, status?.routeCount]), [
    [admin.addr, 0],
    [addr, 1],
  ]);
  await using live = await connectWithName(boundPort, "a.example");
  await live.echo("before");
  assert.deepEqual(
    plain(await client.removeListener({ addr })),
    { liveConnections: 1, closedConnections: 0, pendingWorkers: [] },
  );
  await live.echo("goes on");
  await assert.rejects(client.removeListener({ addr }), { code: "not_found" });
  await assert.rejects(client.removeListener({ addr: admin.addr }), {
    code: "failed_precondition",
  });
});

Deno.test("a removed listener's connections are closed when their time to drain is over", async () => {
  await using admin = await startAdmin();
  await using backend = await startEchoBackend();
  const client = noting(admin);
  const { boundPort } = await client.addListener({ addr: "127.0.0.1:0" });
  const listenerAddr = "127.0.0.1:0";
  await client.addRoute({ listenerAddr, hostname: "a.example", backend: backend.address });
  await using live = await connectWithName(boundPort, "a.example");
  const done = await client.removeListener({
    addr: listenerAddr,
    closeConnections: true,
    drainTimeout: durationFromMs(50),
  });
  assert.deepEqual(plain(done), {
    liveConnections: 1,
    closedConnections: 1,
    pendingWorkers: [],
  });
  assert.notEqual(await live.ending(), "open");
});

Deno.test("firewall rules block at once, say why, count hits and end on their own", async () => {
  await using admin = await startAdmin();
  const client = noting(admin);
  const { rule } = await client.addFirewallRule({
    type: "cidr",
    value: "127.0.0.2/31",
    reason: "scans",
    ttl: durationFromMs(60_000),
  });
  assert.equal(rule?.reason, "scans");
  await using blocked = await connectWithName(admin.port, "a.example", "127.0.0.2");
  assert.equal(await blocked.ending(), "reset");
  await client.addFirewallRule({
    type: "ip",
    value: "::FFFF:127.0.0.9",
    ttl: durationFromMs(1000),
  });
  const found = await client.getFirewallRules({});
  assert.deepEqual(found.rules.map(({ type, value, hits }) => [type, value, hits]), [
    ["cidr", "127.0.0.2/31", 1n],
    ["ip", "127.0.0.9", 0n],
  ]);
  const values = async () => (await client.getFirewallRules({})).rules.map(({ value }) => value);
  await eventually(async () => (await values()).length === 1, "the second rule ends");
  await client.removeFirewallRule({ type: "cidr", value: "127.0.0.2/31" });
  assert.deepEqual(await values(), []);
});

Deno.test("a block leaves live connections alone, unless it is asked to close them", async () => {
  await using admin = await startAdmin();
  await using backend = await startEchoBackend();
  const client = noting(admin);
  const listenerAddr = admin.addr;
  await client.addRoute({ listenerAddr, hostname: "a.example", backend: backend.address });
  await using live = await connectWithName(admin.port, "a.example", "127.0.0.3");
  await live.echo("x");
  const kept = await client.addFirewallRule({ type: "ip", value: "127.0.0.3" });
  assert.deepEqual([kept.liveConnections, kept.closedConnections], [1, 0]);
  await live.echo("still there");
  await client.removeFirewallRule({ id: kept.rule?.id ?? 0n });
  const closed = await client.addFirewallRule({
    type: "cidr",
    value: "127.0.0.0/29",
    closeConnections: true,
  });
  assert.deepEqual([closed.liveConnections, closed.closedConnections], [1, 1]);
  assert.notEqual(await live.ending(), "open");
});

Deno.test("a removed or replaced route keeps its connections, or closes exactly those", async () => {
  await using admin = await startAdmin();
  await using backend = await startEchoBackend();
  const client = noting(admin);
  const listenerAddr = admin.addr;
  for (const hostname of ["a.example", "b.example"]) {
    await client.addRoute({ listenerAddr, hostname, backend: backend.address });
  }
  await using a = await connectWithName(admin.port, "a.example");
  await using b = await connectWithName(admin.port, "b.example");
  await Promise.all([a.echo("a"), b.echo("b")]);
  const updated = await client.updateRoute({
    listenerAddr,
    route: { hostname: "a.example", backend: backend.address, sendProxyProtocol: true },
  });
  assert.deepEqual([updated.liveConnections, updated.closedConnections], [1, 0]);
  const found = await client.getRoute({ listenerAddr, hostname: "a.example" });
  assert.equal(found.route?.sendProxyProtocol, true);
  assert.equal(found.revision, updated.revision);
  await a.echo("goes on");
  const removed = await client.removeRoute({
    listenerAddr,
    hostname: "a.example",
    closeConnections: true,
  });
  assert.deepEqual(plain(removed), {
    liveConnections: 1,
    closedConnections: 1,
    pendingWorkers: [],
  });
  assert.notEqual(await a.ending(), "open");
  await b.echo("untouched");
});

Deno.test("the rate limit is set at run time and shown", async () => {
  await using admin = await startAdmin();
  const client = noting(admin);
  await client.setRateLimit({ rateLimit: { limit: 2, window: durationFromMs(60_000) } });
  const endings = [];
  for (let i = 0; i < 3; i++) {
    await using peer = await connectWithName(admin.port, "none.example", "127.0.0.4");
    endings.push(await peer.ending());
  }
  assert.deepEqual(endings, ["reset", "reset", "reset"]);
  const { status } = await client.getStatus({});
  assert.deepEqual([status?.counters.no_route, status?.counters.rate_limited], [2n, 1n]);
  assert.equal(status?.firewall?.rateLimit?.limit, 2);
  await client.setRateLimit({ rateLimit: { limit: 0 } });
  assert.equal((await client.getFirewallRules({})).rateLimit?.limit, 0);
});

Deno.test("policies belong to l7 routes, whose certificate has to load", async () => {
  await using admin = await startAdmin();
  const client = noting(admin);
  const listenerAddr = admin.addr;
  const authority = await createAuthority({ commonName: "test root" });
  const { certPem, keyPem } = await issueCertificate(authority, {
    dnsNames: ["a.example"],
    usages: ["server"],
  });
  const [tlsCert, tlsKey] = [`${admin.folder}/a.pem`, `${admin.folder}/a.key`];
  await Deno.writeTextFile(tlsCert, certPem);
  await Deno.writeTextFile(tlsKey, keyPem);
  const route = { hostname: "a.example", backend: "10.0.0.1:80", mode: "l7", tlsCert, tlsKey };
  await client.addRoute({ listenerAddr, ...route });
  const of = { listenerAddr, hostname: "a.example" };
  const policy = { type: "require_header", value: "X-Api-Key" };
  await client.addL7Policy({ ...of, policy });
  await assert.rejects(client.addL7Policy({ ...of, policy }), { code: "already_exists" });
  const { policies } = await client.listL7Policies(of);
  assert.deepEqual(policies.map(({ type, value }) => [type, value]), [[
    "require_header",
    "x-api-key",
  ]]);
  await client.removeL7Policy({ ...of, policy });
  await assert.rejects(client.removeL7Policy({ ...of, policy }), { code: "not_found" });
});

Deno.test("watchStatus() repeats, names the busiest routes, and ends with its reader", async () => {
  await using admin = await startAdmin();
  await using backend = await startEchoBackend();
  const client = noting(admin);
  const listenerAddr = admin.addr;
  await client.addRoute({ listenerAddr, hostname: "a.example", backend: backend.address });
  await client.addRoute({ listenerAddr, hostname: "b.example", backend: backend.address });
  await using peer = await connectWithName(admin.port, "b.example");
  await peer.echo("0123456789");
  let seen = 0;
  for await (
    const { status, routes } of client.watchStatus({ interval: durationFromMs(100), routes: 9 })
  ) {
    assert.equal(status?.healthy, true);
    assert.deepEqual(routes.map((it) => [it.hostname, it.activeConnections]), [["b.example", 1]]);
    if (++seen === 3) break;
  }
});

Deno.test("connections are listed by listener, route and client, and closed by id", async () => {
  await using admin = await startAdmin();
  await using backend = await startEchoBackend();
  const client = noting(admin);
  const listenerAddr = admin.addr;
  await client.addRoute({ listenerAddr, hostname: "*.example", backend: backend.address });
  await using a = await connectWithName(admin.port, "a.example", "127.0.0.5");
  await using b = await connectWithName(admin.port, "b.example", "127.0.0.6");
  await Promise.all([a.echo("12345"), b.echo("1")]);
  const { total } = await client.listConnections({ listenerAddr, route: "*.example" });
  assert.equal(total, 2);
  const found = await client.listConnections({ client: "127.0.0.5/32" });
  const [connection] = found.connections;
  assert.equal(found.total, 1);
  assert.equal(connection?.sni, "a.example");
  assert.match(connection?.client ?? "", /^127\.0\.0\.5:/);
  assert.equal(connection?.backend, backend.address);
  assert.equal((await client.listConnections({ limit: 1 })).connections.length, 1);
  await client.closeConnection({ id: connection?.id ?? "" });
  assert.notEqual(await a.ending(), "open");
  await assert.rejects(client.closeConnection({ id: connection?.id ?? "" }), { code: "not_found" });
});

Deno.test("explain() answers as real connections are treated", async () => {
  await using admin = await startAdmin();
  const client = noting(admin);
  const listenerAddr = admin.addr;
  await client.addRoute({ listenerAddr, hostname: "*.example", backend: "10.0.0.1:1" });
  await client.addFirewallRule({ type: "cidr", value: "192.0.2.0/24", reason: "why" });
  const ask = (clientIp: string, sni: string) => client.explain({ clientIp, listenerAddr, sni });
  const blocked = await ask("::ffff:192.0.2.1", "a.example");
  assert.deepEqual([blocked.verdict, blocked.outcome, blocked.rule?.reason], [
    "block",
    "blocked",
    "why",
  ]);
  const allowed = await ask("192.0.3.1", "A.example.");
  assert.deepEqual([allowed.verdict, allowed.outcome, allowed.route?.hostname], [
    "allow",
    "",
    "*.example",
  ]);
  assert.ok(allowed.steps.some((step) => step.includes("wildcard")), allowed.steps.join("\n"));
  assert.equal((await ask("192.0.3.1", "example")).outcome, "no_route");
  assert.equal((await ask("192.0.3.1", "")).outcome, "no_server_name");
});

Deno.test("explain() says what a route is for", async () => {
  await using admin = await startAdmin();
  const { client, addr: listenerAddr } = admin;
  const description = "the shop; ask ops@example.net";
  const route = { hostname: "a.example", backend: "10.0.0.1:1", description };
  await client.addRoute({ listenerAddr, ...route });
  const { steps } = await client.explain({
    clientIp: "192.0.2.1",
    listenerAddr,
    sni: "a.example",
  });
  assert.ok(steps.some((step) => step.endsWith(`10.0.0.1:1 (l4): ${description}`)), steps.join());
});

Deno.test("every change is in the audit log: who, what, before and after", async () => {
  await using admin = await startAdmin();
  const client = noting(admin);
  const listenerAddr = admin.addr;
  await client.addRoute({ listenerAddr, hostname: "a.example", backend: "10.0.0.1:1" });
  await client.updateRoute({
    listenerAddr,
    route: { hostname: "a.example", backend: "10.0.0.2:1" },
  });
  await client.removeRoute({ listenerAddr, hostname: "a.example" });
  const { entries } = await client.getAuditLog({});
  const subject = `${listenerAddr} a.example`;
  const backend = (json: string) => json === "" ? "" : JSON.parse(json).backend;
  assert.deepEqual(
    entries.map((it) => [it.action, it.subject, backend(it.before), backend(it.after)]),
    [
      ["RemoveRoute", subject, "10.0.0.2:1", ""],
      ["UpdateRoute", subject, "10.0.0.1:1", "10.0.0.2:1"],
      ["AddRoute", subject, "", "10.0.0.1:1"],
    ],
  );
  assert.ok(entries.every(({ actor }) => actor === `uid ${Deno.uid()} (test)`));
  const page = await client.getAuditLog({ limit: 1, beforeId: entries[0]?.id ?? 0n });
  assert.deepEqual(page.entries.map(({ id }) => id), [entries[1]?.id]);
});

Deno.test("an exported state applies to itself without a difference, and undoes later changes", async () => {
  await using admin = await startAdmin();
  const client = noting(admin);
  const listenerAddr = admin.addr;
  await client.addRoute({ listenerAddr, hostname: "a.example", backend: "10.0.0.1:1" });
  await client.addFirewallRule({ type: "ip", value: "192.0.2.1", reason: "r" });
  await client.setRateLimit({ rateLimit: { limit: 9, window: durationFromMs(1000) } });
  const { state, revision } = await client.exportState({});
  assert.ok(state);
  const same = await client.apply({ state, dryRun: true });
  assert.deepEqual([same.differences, same.revision], [[], revision]);
  await client.removeRoute({ listenerAddr, hostname: "a.example" });
  await client.removeFirewallRule({ type: "ip", value: "192.0.2.1" });
  await assert.rejects(client.apply({ state, ifRevision: revision }), { code: "aborted" });
  const { differences } = await client.apply({ state });
  assert.deepEqual(differences.map(({ action, kind }) => [action, kind]), [
    ["add", "route"],
    ["add", "firewall_rule"],
  ]);
  assert.deepEqual((await client.apply({ state, dryRun: true })).differences, []);
});

Deno.test("snapshot() writes a copy beside the database and refuses to overwrite", async () => {
  await using admin = await startAdmin();
  const client = noting(admin);
  const path = `${admin.folder}/copy.db`;
  const { size } = await client.snapshot({ path });
  assert.equal(BigInt((await Deno.stat(path)).size), size);
  await assert.rejects(client.snapshot({ path }), { code: "already_exists" });
  await client.snapshot({ path, overwrite: true });
  await assert.rejects(client.snapshot({ path: "/nowhere/a.db" }), {
    code: "invalid_argument",
    field: "path",
  });
});

Deno.test("listHeaviest() answers for every group when nobody has come", async () => {
  await using admin = await startAdmin();
  const { groups } = await noting(admin).listHeaviest({});
  assert.deepEqual(groups.map(({ group, hitters, total }) => [group, hitters.length, total]), [
    ["client", 0, 0n],
    ["network", 0, 0n],
    ["name", 0, 0n],
    ["country", 0, 0n],
  ]);
});

Deno.test("watchConnections() tells of those that end and that are asked for", async () => {
  await using admin = await startAdmin();
  await using backend = await startEchoBackend();
  const client = noting(admin);
  const listenerAddr = admin.addr;
  await client.addRoute({ listenerAddr, hostname: "a.example", backend: backend.address });
  const stop = new AbortController();
  const found: string[] = [];
  const watching = (async () => {
    const request = { client: "127.0.0.0/8", route: "a.example" };
    for await (const { events, dropped } of client.watchConnections(request, stop)) {
      assert.equal(dropped, 0n);
      for (const { connection, outcome } of events) {
        assert.notEqual(outcome, "");
        found.push(`${connection?.route}`);
      }
    }
  })().catch(() => {});
  await assert.rejects(client.watchConnections({ outcome: "lost" }).next(), { field: "outcome" });
  // Until the stream is there, and one that nobody asked for.
  for (let i = 0; found.length === 0; i++) {
    assert.ok(i < 100, "nothing came");
    const { port } = admin;
    const other = await connectWithName(port, "b.example").catch(() => undefined);
    await other?.[Symbol.asyncDispose]();
    const one = await connectWithName(port, "a.example");
    await one.echo("x");
    await one[Symbol.asyncDispose]();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  stop.abort();
  await watching;
  assert.deepEqual([...new Set(found)], ["a.example"]);
});

Deno.test("queryHistory() without a history says so", async () => {
  await using admin = await startAdmin();
  await assert.rejects(noting(admin).queryHistory({}), { code: "failed_precondition" });
});

Deno.test("writeBack() of a database that is in its place is refused", async () => {
  await using admin = await startAdmin();
  await assert.rejects(noting(admin).writeBack({}), { code: "failed_precondition" });
});

Deno.test("calls about a fleet are refused where the state is not a group's", async () => {
  await using admin = await startAdmin();
  const client = noting(admin);
  const refused = { code: "failed_precondition", message: /state.source = "postgres"/ };
  await assert.rejects(client.listFleet({}), refused);
  await assert.rejects(client.waitForFleet({ wait: "all" }), refused);
  await assert.rejects(client.forgetFleetMember({ name: "p1" }), refused);
  await assert.rejects(client.drainFleetMember({ name: "p1" }), refused);
  await assert.rejects(client.undrainFleetMember({ name: "p1" }), refused);
});

Deno.test("backends of a route come, drain and go, and the last one that is up stays", async () => {
  await using admin = await startAdmin();
  const client = noting(admin);
  const hostname = "several.example";
  await client.addRoute({ listenerAddr: admin.addr, hostname, backend: "10.0.0.1:443" });
  const added = await client.addBackend({
    hostname,
    backend: { addr: "10.0.0.2:443", weight: 2, maxConnections: 9 },
  });
  assert.deepEqual(
    [added.backend?.listenerAddr, added.backend?.hostname, added.backend?.condition],
    [admin.addr, hostname, "starting"],
  );
  await assert.rejects(client.addBackend({ hostname, backend: { addr: "10.0.0.2:443" } }), {
    code: "already_exists",
  });
  await assert.rejects(client.addBackend({ hostname, backend: { addr: "nowhere" } }), {
    field: "backend.addr",
  });
  const drained = await client.setBackendState({ hostname, addr: "10.0.0.1:443", state: "drain" });
  assert.equal(drained.backend?.condition, "drain");
  for (
    const change of [
      client.setBackendState({ hostname, addr: "10.0.0.2:443", state: "down" }),
      client.removeBackend({ hostname, addr: "10.0.0.2:443" }),
    ]
  ) {
    await assert.rejects(change, { code: "failed_precondition" });
  }
  const { backends } = await client.listBackends({ hostname });
  assert.deepEqual(
    backends.map(({ backend, condition }) => [
      backend?.addr,
      backend?.weight,
      backend?.maxConnections,
      condition,
    ]),
    [["10.0.0.1:443", 1, 0, "drain"], ["10.0.0.2:443", 2, 9, "starting"]],
  );
  await client.removeBackend({ hostname, addr: "10.0.0.1:443" });
  const { routes } = await client.listRoutes({ listenerAddr: admin.addr });
  const [route] = routes.filter((it) => it.hostname === hostname);
  assert.equal(route?.backend, "10.0.0.2:443");
  const { entries } = await client.getAuditLog({});
  const actions = entries.filter(({ subject }) => subject === `${admin.addr} ${hostname}`)
    .map(({ action }) => action);
  assert.deepEqual(actions, ["RemoveBackend", "SetBackendState", "AddBackend", "AddRoute"]);
});

Deno.test("listCertificates() tells of routes that name one, and without [acme] nothing is ordered", async () => {
  await using admin = await startAdmin();
  const client = noting(admin);
  const { certificates } = await client.listCertificates({});
  assert.deepEqual(certificates.filter(({ source }) => source === ""), []);
  const code = "failed_precondition";
  await assert.rejects(client.renewCertificate({ hostname: "a.example" }), { code });
  await assert.rejects(client.revokeCertificate({ hostname: "a.example" }), { code });
  await assert.rejects(client.rolloverAccountKey({}), { code });
});

Deno.test("reloadGeoIP() without a GeoIP database says so", async () => {
  await using admin = await startAdmin();
  await assert.rejects(noting(admin).reloadGeoIP({}), { code: "failed_precondition" });
});

Deno.test("reload() where nothing was read from a file says so", async () => {
  await using admin = await startAdmin();
  await assert.rejects(noting(admin).reload({}), { code: "failed_precondition" });
});

Deno.test("health follows the proxy", async () => {
  await using admin = await startAdmin();
  assert.equal(await admin.client.healthy(), true);
});

Deno.test("the tests above call every method of the service", () => {
  assert.deepEqual([...called].sort(), Object.keys(ProxyAdminService.method).sort());
});

/** The fields of a message, but for the revision, which counts on. */
function plain(message: object): Record<string, unknown> {
  const { $typeName: _, revision, ...fields } = message as Record<string, unknown>;
  assert.ok(revision === undefined || typeof revision === "bigint" && revision > 0n);
  return fields;
}
