/** Several backends of an mtls route, and what a row of the directory says of them. */
import assert from "node:assert/strict";
import { startAdmin } from "../support/admin.ts";
import { type Backend, startEchoBackend } from "../support/backends.ts";
import { backend } from "../support/balancing.ts";
import type { TlsPeer } from "../support/clients.ts";
import { DOMAIN, issueClient, startConnector, type TestConnector } from "../support/connector.ts";
import { eventually, withinDeadline } from "../support/deadline.ts";
import { startHttpBackend } from "../support/l7.ts";
import { unusedPort } from "../support/ports.ts";

const alice = await issueClient("acme", "alice");

/** A connector whose rows all say `address`, and whose route says `more`. */
function start(address: string, more: Record<string, unknown>): Promise<TestConnector> {
  const route = { hostname: `*.${DOMAIN}`, backend: "", mode: "mtls" as const, ...more };
  return startConnector({ address, plane: { routes: [route] } });
}

const several = (addrs: readonly string[], more = {}) => ({
  backend: addrs[0],
  backends: addrs.map((addr) => backend(addr)),
  ...more,
});

/** A session that has heard itself. */
async function open(connector: TestConnector): Promise<TlsPeer> {
  const peer = await connector.connect(alice);
  await peer.write("hello");
  assert.equal(new TextDecoder().decode(await peer.read(5)), "hello");
  return peer;
}

async function visit(connector: TestConnector): Promise<void> {
  await using peer = await open(connector);
  peer.end();
  assert.equal(await peer.ending, "end");
}

/** A session that is refused after its handshake, and how it ended. */
async function refused(connector: TestConnector, i: number) {
  await using peer = await connector.connect(alice);
  await withinDeadline(peer.ending, "the connection ends");
  const { outcome, reason, backend } = await connector.plane.event(i);
  return { outcome, reason, backend };
}

const deadAddress = async () => `127.0.0.1:${await unusedPort()}`;

Deno.test("sessions of rows that say `route` take turns, and none fails while one backend refuses", async () => {
  await using one = await startEchoBackend();
  await using other = await startEchoBackend();
  const dead = await deadAddress();
  await using connector = await start("route", several([dead, one.address, other.address]));
  for (let i = 0; i < 12; i++) await visit(connector);
  await connector.plane.event(11);
  assert.ok(one.connections.length >= 4 && other.connections.length >= 4);
  for (const { backend, outcome } of connector.plane.events) {
    assert.equal(outcome, "relayed");
    assert.ok(backend === one.address || backend === other.address);
  }
  const [taken] = await connector.plane.plane.takeCounts();
  const failed = taken?.backends.find((it) => it.backend === dead);
  assert.equal(failed?.outcome, "backend_unreachable");
  assert.ok((failed?.count ?? 0) >= 1 && (failed?.count ?? 0) <= 5, `${failed?.count}`);
});

Deno.test("a row that says `route` goes to the route's only backend, and nowhere where it has none", async () => {
  await using echo = await startEchoBackend();
  {
    await using connector = await start("route", { backend: echo.address });
    await visit(connector);
    assert.equal((await connector.plane.event()).backend, echo.address);
  }
  await using connector = await start("route", {});
  const { outcome, reason } = await refused(connector, 0);
  assert.equal(outcome, "backend_unreachable");
  assert.equal(reason, "the row of web leaves its address to the route, which has no backends");
});

Deno.test("a row that names a backend of the route means that one: its limit and state, and no other", async () => {
  await using named = await startEchoBackend();
  await using other = await startEchoBackend();
  const list = (more: Parameters<typeof backend>[1]) => ({
    backend: other.address,
    backends: [backend(other.address), backend(named.address, more)],
  });
  {
    await using connector = await start(named.address, {
      ...list({ maxConnections: 1 }),
      queueLength: 0,
    });
    await using peer = await open(connector);
    assert.deepEqual(await refused(connector, 0), {
      outcome: "backend_full",
      reason: `${named.address} has as many connections as it may`,
      backend: named.address,
    });
    peer.end();
    await peer.ending;
  }
  {
    await using connector = await start(named.address, list({ state: "drain" }));
    assert.deepEqual(await refused(connector, 0), {
      outcome: "backend_unreachable",
      reason: `${named.address} was drained or taken down`,
      backend: named.address,
    });
  }
  {
    const dead = await deadAddress();
    await using connector = await start(dead, several([other.address, dead]));
    const { outcome, backend } = await refused(connector, 0);
    assert.deepEqual([outcome, backend], ["backend_unreachable", dead]);
  }
  assert.equal(named.connections.length, 1);
  assert.equal(other.connections.length, 0, "no other is tried");
});

Deno.test("a row that names an address beside the route's backends leads there, if it may", async () => {
  await using listed = await startEchoBackend();
  await using elsewhere = await startEchoBackend();
  const route = {
    hostname: `*.${DOMAIN}`,
    mode: "mtls" as const,
    ...several([listed.address, `127.0.0.1:${await unusedPort()}`]),
    backend: listed.address,
  };
  {
    await using connector = await startConnector({
      address: elsewhere.address,
      plane: { routes: [route] },
    });
    await visit(connector);
  }
  // The networks that sessions may be led to hold for what the database names alone.
  await using connector = await startConnector({
    address: elsewhere.address,
    connector: { allowedNetworks: [] },
    plane: { routes: [route] },
  });
  assert.equal((await refused(connector, 0)).outcome, "destination_refused");
  connector.directory.exec("UPDATE backend_hosts SET internal_ip_addr = 'route'");
  await visit(connector);
  assert.equal(listed.connections.length, 1);
  assert.equal(elsewhere.connections.length, 1);
});

Deno.test("who waits for a place is let in when one is free; who loses the right to is cut, and takes none", async () => {
  await using echo = await startEchoBackend();
  await using connector = await start("route", {
    backend: echo.address,
    backends: [backend(echo.address, { maxConnections: 1 })],
    queueTimeoutMs: 600_000,
  });
  const first = await open(connector);
  await using second = await connector.connect(alice);
  await second.write("second");
  await eventually(() => connector.access.size === 2, "the second is admitted");
  connector.directory.exec("UPDATE backend_hosts SET user_ids = '[]'");
  connector.access.changed();
  await withinDeadline(second.ending, "the second is cut");
  await withinDeadline(first.ending, "the first is cut");
  await first[Symbol.asyncDispose]();
  await connector.plane.event(1);
  assert.deepEqual(connector.plane.events.map(({ outcome }) => outcome), [
    "authorization_revoked",
    "authorization_revoked",
  ]);
  assert.equal(echo.connections.length, 1);
  connector.directory.exec(`UPDATE backend_hosts SET user_ids = '["alice"]'`);
  connector.access.changed();
  const third = await open(connector);
  await using fourth = await connector.connect(alice);
  await fourth.write("after");
  third.end();
  await third.ending;
  assert.equal(new TextDecoder().decode(await fourth.read(5)), "after");
  await third[Symbol.asyncDispose]();
  fourth.end();
  await fourth.ending;
});

Deno.test("sessions at one backend are found and cut, and those at another go on", async () => {
  await using one = await startEchoBackend();
  await using other = await startEchoBackend();
  await using connector = await start("route", several([one.address, other.address]));
  await using first = await open(connector);
  await using second = await open(connector);
  const { plane } = connector.plane;
  const query = { route: `*.${DOMAIN}`, backend: one.address, path: "" };
  assert.equal((await plane.findConnections(query, 9)).total, 1);
  assert.equal(await plane.closeConnections(query), 1);
  await withinDeadline(Promise.race([first.ending, second.ending]), "one is cut");
  const { backend, outcome } = await connector.plane.event();
  assert.deepEqual([backend, outcome], [one.address, "closed_by_operator"]);
  assert.equal((await plane.findConnections({}, 9)).total, 1);
});

Deno.test("a session that the route led ends when its row names an address", async () => {
  await using echo = await startEchoBackend();
  await using connector = await start("route", { backend: echo.address });
  await using peer = await open(connector);
  connector.directory.prepare("UPDATE backend_hosts SET internal_ip_addr = ?").run(echo.address);
  connector.access.changed();
  await withinDeadline(peer.ending, "it ends");
  const { outcome, reason } = await connector.plane.event();
  assert.deepEqual([outcome, reason], ["authorization_revoked", "host_moved"]);
});

Deno.test("a route that is relayed by the connector has an idle timeout of its own", async () => {
  await using echo = await startEchoBackend();
  await using connector = await start(echo.address, { idleTimeoutMs: 100 });
  await using peer = await open(connector);
  await withinDeadline(peer.ending, "it ends");
  assert.equal((await connector.plane.event()).outcome, "idle_timeout");
});

// --- administration --------------------------------------------------------------------------------

const hostname = `*.${DOMAIN}`;

const interval = { seconds: 0n, nanos: 100_000_000 };

Deno.test("backends of an mtls route are checked in plain text, listed, drained and explained", async () => {
  const checks: string[] = [];
  await using well = await startHttpBackend("http1", (request, response) => {
    checks.push(request.url ?? "");
    response.end();
  });
  await using sick: Backend = await startEchoBackend();
  await using admin = await startAdmin();
  const { client, addr: listenerAddr } = admin;
  await client.addRoute({
    ...{ listenerAddr, hostname, mode: "mtls", balance: "least" },
    backends: [{ addr: well.address }, { addr: sick.address }],
    health: {
      ...{ kind: "http", path: "/up", interval, fall: 1, rise: 1 },
      timeout: { seconds: 0n, nanos: 300_000_000 },
    },
  });
  const conditions = async () =>
    (await client.listBackends({ hostname })).backends.map(({ condition }) => condition).join();
  await eventually(
    async () => checks.length > 0 && (await conditions()) === "up,failing",
    "both are checked",
  );
  assert.equal(checks[0], "/up");
  const { steps } = await client.explain({
    ...{ clientIp: "192.0.2.1", listenerAddr, sni: `web.${DOMAIN}` },
  });
  assert.deepEqual(steps.slice(-5).filter((step) => !step.startsWith("backend:")), [
    `route: the wildcard ${hostname} takes web.${DOMAIN} to the host that the authoriser names (mtls)`,
    'authoriser: a host is where its row says, or where the route leads if it says "route"',
    `backends: least over ${well.address}`,
  ]);
  const late = await deadAddress();
  await client.addBackend({ hostname, backend: { addr: late, weight: 3, backup: true } });
  const at = { hostname, addr: sick.address };
  await client.setBackendState({ ...at, state: "drain" });
  assert.equal((await conditions()).split(",")[1], "drain");
  await client.setBackendState({ ...at, state: "up" });
  await client.removeBackend(at);
  const { route } = await client.getRoute({ listenerAddr, hostname });
  assert.deepEqual(route?.backends.map(({ addr, weight, backup }) => [addr, weight, backup]), [
    [well.address, 1, false],
    [late, 3, true],
  ]);
  for (const peer of sick.connections) peer.end();
});
