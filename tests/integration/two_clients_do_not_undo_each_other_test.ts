import assert from "node:assert/strict";
import { once } from "node:events";
import http2 from "node:http2";
import { connect } from "node:net";
import { join } from "node:path";
import { createClient, InvalidArgumentError } from "../../lib/client/mod.ts";
import { type AdminFixture, startAdmin } from "../support/admin.ts";
import { createServerIdentity } from "../support/certificates.ts";
import { runCtl } from "../support/mcproxyctl.ts";
import { unusedPort } from "../support/ports.ts";

const route = { hostname: "a.test", backend: "10.0.0.1:443" };

const revisionOf = async ({ client }: AdminFixture) =>
  (await client.getStatus({})).status?.revision ?? 0n;

Deno.test("an update of one form of the backends replaces the other, and nothing else", async () => {
  await using admin = await startAdmin();
  const { client, addr: listenerAddr } = admin;
  const hostname = "several.example";
  const backends = [{ addr: "10.0.0.1:443", weight: 3 }, { addr: "10.0.0.2:443" }];
  await client.addRoute({ listenerAddr, hostname, backend: "", backends, description: "two" });
  const update = async (route: { backend?: string; backends?: typeof backends }) => {
    const updateMask = { paths: Object.keys(route) };
    const done = await client.updateRoute({
      listenerAddr,
      route: { ...route, hostname },
      updateMask,
    });
    const { backend, backends, description } = done.route ?? {};
    return { backend, backends: backends?.map(({ addr }) => addr), description };
  };
  const other = [{ addr: "10.0.0.3:443", weight: 1 }, { addr: "10.0.0.1:443" }];
  assert.deepEqual(await update({ backends: other }), {
    backend: "10.0.0.3:443",
    backends: ["10.0.0.3:443", "10.0.0.1:443"],
    description: "two",
  });
  assert.deepEqual(await update({ backend: "10.0.0.9:443" }), {
    backend: "10.0.0.9:443",
    backends: [],
    description: "two",
  });
  await assert.rejects(update({ backend: "10.0.0.1:443", backends: other }), /not the first/);
});

Deno.test("a second client that knows fewer fields resets none of the others", async () => {
  await using admin = await startAdmin();
  const { client, addr: listenerAddr } = admin;
  await client.addRoute({
    listenerAddr,
    ...route,
    description: "the shop",
    sendProxyProtocol: true,
  });
  const done = await client.updateRoute({
    listenerAddr,
    route: { hostname: "A.test.", backend: "10.0.0.2:443" },
    updateMask: { paths: ["backend"] },
  });
  assert.deepEqual(
    [done.route?.backend, done.route?.description, done.route?.sendProxyProtocol],
    ["10.0.0.2:443", "the shop", true],
  );
  const cleared = await client.updateRoute({
    listenerAddr,
    route: { hostname: "a.test" },
    updateMask: { paths: ["description", "send_proxy_protocol"] },
  });
  assert.deepEqual(
    [cleared.route?.backend, cleared.route?.description, cleared.route?.sendProxyProtocol],
    ["10.0.0.2:443", "", false],
  );
  await assert.rejects(
    client.updateRoute({ listenerAddr, route: { ...route }, updateMask: { paths: ["colour"] } }),
    { field: "update_mask.paths[0]" },
  );
  // Without a mask it is the whole route, as before.
  await client.updateRoute({ listenerAddr, route: { ...route, description: "new" } });
  const whole = await client.updateRoute({ listenerAddr, route });
  assert.equal(whole.route?.description, "");
});

Deno.test("every write is refused when the state is not at the revision that it names", async () => {
  await using admin = await startAdmin();
  const { client, addr: listenerAddr } = admin;
  const added = await client.addRoute({ listenerAddr, ...route });
  assert.equal(added.revision, await revisionOf(admin));
  const addr = `127.0.0.1:${await unusedPort()}`;
  await client.addListener({ addr });
  await client.addFirewallRule({ type: "ip", value: "192.0.2.1" });
  const before = await revisionOf(admin);
  const ifRevision = before - 1n;
  const rule = { type: "ip", value: "192.0.2.1" };
  const rateLimit = { limit: 3, window: { seconds: 1n, nanos: 0 } };
  const policy = { type: "require_header", value: "x-a" };
  const writes: Record<string, () => Promise<unknown>> = {
    addListener: () => client.addListener({ addr: "127.0.0.1:0", ifRevision }),
    updateListener: () =>
      client.updateListener({ listener: { addr, maxConnections: 3 }, ifRevision }),
    removeListener: () => client.removeListener({ addr, ifRevision }),
    addRoute: () => client.addRoute({ listenerAddr, ...route, hostname: "b.test", ifRevision }),
    updateRoute: () => client.updateRoute({ listenerAddr, route, ifRevision }),
    removeRoute: () => client.removeRoute({ listenerAddr, hostname: "a.test", ifRevision }),
    addFirewallRule: () => client.addFirewallRule({ type: "ip", value: "192.0.2.2", ifRevision }),
    removeFirewallRule: () => client.removeFirewallRule({ ...rule, ifRevision }),
    setRateLimit: () => client.setRateLimit({ rateLimit, ifRevision }),
    apply: () => client.apply({ state: { firewall: {} }, ifRevision }),
  };
  for (const [name, write] of Object.entries(writes)) {
    await assert.rejects(write, { code: "aborted", message: /is at revision/ }, name);
  }
  assert.equal(await revisionOf(admin), before, "nothing has changed");
  await assert.rejects(
    client.addL7Policy({ listenerAddr, hostname: "a.test", policy, ifRevision }),
    { code: "invalid_argument" },
  );
  const done = await client.removeFirewallRule({ ...rule, ifRevision: before });
  assert.ok(done.revision > before);
  // A client may say it once for all that it does.
  using careful = createClient({ socketPath: admin.socketPath, ifRevision: before });
  await assert.rejects(careful.removeRoute({ listenerAddr, hostname: "a.test" }), {
    code: "aborted",
  });
});

Deno.test("GetRoute tells one route and the revision that it is from", async () => {
  await using admin = await startAdmin();
  const { client, addr: listenerAddr } = admin;
  await client.addRoute({ listenerAddr, ...route, description: "the shop" });
  const found = await client.getRoute({ listenerAddr, hostname: "A.TEST" });
  assert.equal(found.route?.description, "the shop");
  assert.equal(found.revision, await revisionOf(admin));
  await assert.rejects(client.getRoute({ listenerAddr, hostname: "b.test" }), {
    code: "not_found",
  });
});

Deno.test("UpdateListener changes what it names, and new connections see it", async () => {
  await using admin = await startAdmin();
  const { client, addr } = admin;
  await client.updateListener({ listener: { addr, maxConnections: 7, proxyProtocol: true } });
  const { listener } = await client.updateListener({
    listener: { addr, trustedProxies: ["10.0.0.0/8"] },
    updateMask: { paths: ["trusted_proxies"] },
  });
  assert.deepEqual(
    [listener?.maxConnections, listener?.proxyProtocol, listener?.trustedProxies],
    [7, true, ["10.0.0.0/8"]],
  );
  assert.equal(admin.control.listeners[0]?.maxConnections, 7);
  const { code, stdout, stderr } = await runCtl(admin, [
    ...["listeners", "update", addr, "--max-connections", "9"],
  ]);
  assert.equal(code, 0, stderr);
  assert.match(stdout, /^updated listener/);
  assert.equal(admin.control.listeners[0]?.maxConnections, 9);
  assert.deepEqual(admin.control.listeners[0]?.trustedProxies, ["10.0.0.0/8"]);
  const late = await runCtl(admin, [
    ...["--if-revision", "1", "listeners", "update", addr, "--max-connections", "1"],
  ]);
  assert.equal(late.code, 1);
  assert.match(late.stderr, /the state is at revision \d+, not 1/);
});

Deno.test("lists come in pages, each entry once, also while others come and go", async () => {
  await using admin = await startAdmin();
  const { client, addr: listenerAddr } = admin;
  const names = ["*.e.test", "a.test", "b.test", "c.test", "d.test"];
  for (const hostname of names.toReversed()) {
    await client.addRoute({ listenerAddr, hostname, backend: "10.0.0.1:1" });
  }
  const seen: string[] = [];
  for (let pageToken = "";;) {
    const page = await client.listRoutes({ listenerAddr, pageSize: 2, pageToken });
    assert.ok(page.routes.length <= 2);
    seen.push(...page.routes.map(({ hostname }) => hostname));
    // The last one that was listed goes: the next page begins behind it all the same.
    if (pageToken === "") await client.removeRoute({ listenerAddr, hostname: "a.test" });
    pageToken = page.nextPageToken;
    if (pageToken === "") break;
  }
  assert.deepEqual(seen, names);
  assert.equal((await client.listRoutes({ listenerAddr })).nextPageToken, "");
  for (let i = 1; i <= 4; i++) await client.addFirewallRule({ type: "ip", value: `10.0.0.${i}` });
  const first = await client.getFirewallRules({ pageSize: 2 });
  const second = await client.getFirewallRules({ pageSize: 2, pageToken: first.nextPageToken });
  assert.deepEqual([...first.rules, ...second.rules].map(({ value }) => value), [
    ...["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"],
  ]);
  assert.equal(second.nextPageToken, "");
  await assert.rejects(client.getFirewallRules({ pageSize: 20_000 }), { field: "page_size" });
  await assert.rejects(client.getFirewallRules({ pageToken: "x" }), { field: "page_token" });
});

Deno.test("certificates come in pages, too: each route once, whichever listener it is on", async () => {
  await using admin = await startAdmin();
  const { client, folder } = admin;
  const { certPem, keyPem } = await createServerIdentity("*.test");
  const files = { tlsCert: join(folder, "a.pem"), tlsKey: join(folder, "a.key") };
  await Deno.writeTextFile(files.tlsCert, certPem);
  await Deno.writeTextFile(files.tlsKey, keyPem);
  const other = `127.0.0.1:${await unusedPort()}`;
  await client.addListener({ addr: other });
  const routes = [[admin.addr, "b.test"], [other, "a.test"], [admin.addr, "a.test"]] as const;
  for (const [listenerAddr, hostname] of routes) {
    await client.addRoute({
      ...{ listenerAddr, hostname, backend: "10.0.0.1:1", mode: "l7" },
      ...files,
    });
  }
  const seen: string[] = [];
  let pageToken = "";
  do {
    const page = await client.listCertificates({ pageSize: 2, pageToken });
    assert.ok(page.certificates.length <= 2);
    seen.push(...page.certificates.map((it) => `${it.listenerAddr} ${it.hostname}`));
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  assert.deepEqual(seen, [
    ...[`${admin.addr} a.test`, `${admin.addr} b.test`, `${other} a.test`],
  ]);
});

Deno.test("a refused request names every field that is wrong", async () => {
  await using admin = await startAdmin();
  const { client, addr: listenerAddr } = admin;
  const bad = { hostname: "-", backend: "http://x", mode: "l5" };
  await assert.rejects(client.addRoute({ listenerAddr, ...bad }), (error) => {
    assert.ok(error instanceof InvalidArgumentError);
    assert.deepEqual(error.problems.map(({ field }) => field), ["hostname", "backend", "mode"]);
    assert.ok(error.problems.every(({ description }) => description.length > 5));
    assert.equal(error.field, "hostname");
    return true;
  });
  const many = Array.from({ length: 2000 }, (_, i) => ({ type: "ip", value: `nobody ${i}` }));
  await assert.rejects(client.apply({ state: { firewall: { rules: many } } }), (error) => {
    assert.ok(error instanceof InvalidArgumentError);
    assert.ok(error.problems.length > 50 && error.problems.length < 2000);
    assert.equal(error.problems[0]?.field, "state.firewall.rules[0].value");
    return true;
  });
});

Deno.test("a client that takes not one octet of its answers delays no other", async () => {
  await using admin = await startAdmin();
  const { addr: listenerAddr, client } = admin;
  const rules = Array.from({ length: 2000 }, (_, i) => ({
    type: "ip",
    value: `10.1.${i >> 8}.${i & 255}`,
  }));
  await client.apply({ state: { firewall: { rules } } });
  // A window of 0: nothing may be sent to it.
  const stuck = http2.connect("http://localhost", {
    createConnection: () => connect(admin.socketPath),
    settings: { initialWindowSize: 0 },
  });
  stuck.on("error", () => {});
  await once(stuck, "remoteSettings");
  const heads: Promise<unknown>[] = [];
  for (let i = 0; i < 60; i++) {
    const call = stuck.request({
      ":method": "POST",
      ":path": "/mc_proxy.v1.ProxyAdminService/ExportState",
      "content-type": "application/grpc",
      te: "trailers",
    });
    call.on("error", () => {});
    heads.push(once(call, "response"));
    call.end(new Uint8Array(5)); // A message without a field.
  }
  await Promise.all(heads);
  for (let i = 0; i < 20; i++) {
    await client.addRoute({ listenerAddr, hostname: `r${i}.test`, backend: "10.0.0.1:1" });
  }
  assert.equal((await client.listRoutes({ listenerAddr })).routes.length, 20);
  assert.equal((await client.getFirewallRules({})).rules.length, 2000);
  stuck.destroy();
});
