/** Several backends of a path: chosen, limited, checked and drained apart from those of the route. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { type AdminFixture, startAdmin } from "../support/admin.ts";
import { backend } from "../support/balancing.ts";
import { eventually } from "../support/deadline.ts";
import {
  connectHttp1,
  connectHttp2,
  type HttpBackend,
  identity,
  startHttpBackend,
  startL7,
} from "../support/l7.ts";
import { runCtl } from "../support/mcproxyctl.ts";
import { unusedPort } from "../support/ports.ts";

const hostname = "a.test";

const naming = (name: string) =>
  startHttpBackend("http1", (request, response) => {
    request.resume();
    response.end(name);
  });

Deno.test("requests of a path take turns at its backends, and none fails while one refuses", async () => {
  await using home = await naming("home");
  await using one = await naming("one");
  await using other = await naming("other");
  const dead = `127.0.0.1:${await unusedPort()}`;
  await using plane = await startL7({
    backend: home.address,
    route: {
      paths: [{
        prefix: "/api",
        backend: dead,
        backends: [dead, one.address, other.address].map((addr) => backend(addr)),
      }],
    },
  });
  for (const connect of [connectHttp2, connectHttp1]) {
    await using client = await connect(plane);
    const answers: string[] = [];
    for (let i = 0; i < 12; i++) {
      const { status, body } = await client.ask({ path: "/api/x" });
      assert.equal(status, 200);
      answers.push(body);
    }
    assert.ok(answers.filter((it) => it === "one").length >= 4);
    assert.ok(answers.filter((it) => it === "other").length >= 4);
    assert.equal((await client.ask({ path: "/" })).body, "home");
  }
  const [taken] = await plane.plane.takeCounts();
  const failed = taken?.backends.find((it) => it.backend === dead);
  assert.deepEqual([failed?.route, failed?.outcome], [hostname, "backend_unreachable"]);
});

Deno.test("a limit of a path's backend leaves the route's places at the same backend alone", async () => {
  const waiting: (() => void)[] = [];
  await using shared = await startHttpBackend("http1", (request, response) => {
    if (request.url === "/") return void response.end("home");
    waiting.push(() => response.end("api"));
  });
  await using plane = await startL7({
    backend: shared.address,
    route: {
      backends: [backend(shared.address, { maxConnections: 1 })],
      queueLength: 0,
      paths: [{
        prefix: "/api",
        backend: shared.address,
        backends: [backend(shared.address, { maxConnections: 1 })],
      }],
    },
  });
  await using client = await connectHttp2(plane);
  const first = client.ask({ path: "/api" });
  await eventually(() => waiting.length === 1, "the path's place is taken");
  assert.equal((await client.ask({ path: "/api" })).status, 503);
  assert.equal((await client.ask({ path: "/" })).body, "home");
  waiting.shift()?.();
  assert.equal((await first).body, "api");
});

/** An admin fixture with an l7 route whose path `/api` has backends. */
async function startWithPath(
  home: HttpBackend,
  api: readonly HttpBackend[],
  more: Record<string, unknown> = {},
): Promise<AdminFixture> {
  const { certPem, keyPem } = await identity();
  const admin = await startAdmin();
  const [tlsCert, tlsKey] = [join(admin.folder, "cert.pem"), join(admin.folder, "key.pem")];
  await Deno.writeTextFile(tlsCert, certPem);
  await Deno.writeTextFile(tlsKey, keyPem);
  await admin.client.addRoute({
    ...{ listenerAddr: admin.addr, hostname, mode: "l7", tlsCert, tlsKey },
    backend: home.address,
    paths: [
      { prefix: "/api", backends: api.map(({ address: addr }) => ({ addr })), ...more },
      { prefix: "/open", skipAuth: true },
    ],
  });
  return admin;
}

async function ctl(admin: AdminFixture, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await runCtl(admin, args);
  assert.equal(code, 0, stderr);
  return stdout.trim();
}

Deno.test("backends of a path are listed, drained, taken down, added and removed one by one", async () => {
  const answers: (() => void)[] = [];
  await using home = await naming("home");
  await using slow = await startHttpBackend("http1", (_, response) => {
    answers.push(() => response.end("slow"));
  });
  await using quick = await naming("quick");
  await using late = await naming("late");
  await using admin = await startWithPath(home, [slow, quick]);
  const { client } = admin;
  const statesOf = async (path: string) =>
    (await client.listBackends({ hostname, path })).backends
      .map((it) => `${it.path} ${it.backend?.addr} ${it.condition} ${it.open}`);
  assert.deepEqual(await statesOf(""), [
    ` ${home.address} up 0`,
    `prefix /api ${slow.address} up 0`,
    `prefix /api ${quick.address} up 0`,
  ]);
  await using one = await connectHttp2(admin);
  await using other = await connectHttp1(admin);
  const first = one.ask({ path: "/api" });
  await eventually(() => answers.length === 1, "the slow one is asked");
  const at = ["--path", "/api"];
  assert.equal(
    await ctl(admin, "backends", "drain", hostname, slow.address, ...at),
    `backend ${slow.address} of ${hostname} (/api) drains: it gets nothing new; 1 live connection go on`,
  );
  for (let i = 0; i < 4; i++) assert.equal((await other.ask({ path: "/api" })).body, "quick");
  const list = await ctl(admin, "backends", "list", hostname, "--path", "prefix=/api");
  assert.match(list, /PATH/);
  assert.match(list, /prefix \/api .* drain .* 1 .*drained by an operator/);
  assert.doesNotMatch(list, new RegExp(home.address));
  answers.shift()?.();
  assert.equal((await first).body, "slow");
  assert.deepEqual(await statesOf("prefix /api"), [
    `prefix /api ${slow.address} drain 0`,
    `prefix /api ${quick.address} up 0`,
  ]);
  const there = { hostname, path: "/api", addr: slow.address };
  await client.setBackendState({ ...there, state: "up" });
  let last: Promise<{ status: number }> | undefined;
  await eventually(() => {
    last ??= one.ask({ path: "/api" }).then((answer) => {
      if (answer.status === 200) last = undefined;
      return answer;
    });
    return answers.length === 1;
  }, "it is asked again");
  const down = await client.setBackendState({ ...there, state: "down" });
  assert.deepEqual([down.liveConnections, down.closedConnections], [1, 1]);
  assert.equal((await last)?.status, 503);
  assert.match(
    await ctl(admin, "backends", "add", hostname, late.address, "--weight", "2", ...at),
    new RegExp(`^added backend ${late.address} to .* ${hostname} \\(prefix /api\\)$`),
  );
  await client.removeBackend(there);
  assert.deepEqual(await statesOf("/api"), [
    `prefix /api ${quick.address} up 0`,
    `prefix /api ${late.address} starting 0`,
  ]);
  const { route } = await client.getRoute({ listenerAddr: admin.addr, hostname });
  assert.equal(route?.backend, home.address);
  assert.deepEqual(route?.backends, []);
  assert.deepEqual(route?.paths[0]?.backends.map(({ addr, weight }) => [addr, weight]), [
    [quick.address, 1],
    [late.address, 2],
  ]);
  const { entries } = await client.getAuditLog({ limit: 1 });
  assert.equal(entries[0]?.action, "RemoveBackend");
  assert.match(entries[0]?.before ?? "", new RegExp(slow.address));
});

Deno.test("what a path cannot be asked is said: unknown, without backends, the last one, two of a name", async () => {
  await using home = await naming("home");
  await using api = await naming("api");
  await using admin = await startWithPath(home, [api]);
  const { client } = admin;
  const drain = (path: string, addr = api.address) =>
    client.setBackendState({ hostname, path, addr, state: "drain" });
  await assert.rejects(drain("/none"), { code: "not_found" });
  await assert.rejects(client.listBackends({ hostname, path: "/none" }), { code: "not_found" });
  await assert.rejects(client.listBackends({ path: "/api" }), { field: "hostname" });
  await assert.rejects(drain("/open"), /prefix \/open of a\.test has no backends of its own/);
  await assert.rejects(drain("/api"), /is the last backend of .* a\.test prefix \/api that is up/);
  await assert.rejects(drain("/api", home.address), { code: "not_found" });
  const exact = { exact: "/api", backend: home.address };
  await client.updateRoute({
    listenerAddr: admin.addr,
    route: { hostname, paths: [{ prefix: "/api", backend: api.address }, exact] },
    updateMask: { paths: ["paths"] },
  });
  await assert.rejects(drain("/api"), /means both "prefix \/api" and "exact \/api"/);
  await client.addBackend({ hostname, path: "exact /api", backend: { addr: api.address } });
  const { backends } = await client.listBackends({ hostname, path: "/api" });
  assert.deepEqual(backends.map(({ path, condition }) => `${path} ${condition}`), [
    "prefix /api up",
    "exact /api up",
    "exact /api starting",
  ]);
});

Deno.test("a path's backends are checked, explained and warned of by the path's name", async () => {
  let status = 200;
  await using home = await naming("home");
  await using sick = await startHttpBackend("http1", (request, response) => {
    response.statusCode = request.url === "/up" ? status : 200;
    response.end("sick");
  });
  await using well = await naming("well");
  await using admin = await startWithPath(home, [sick, well], {
    balance: "least",
    health: {
      kind: "http",
      path: "/up",
      interval: { seconds: 0n, nanos: 100_000_000 },
      fall: 1,
      rise: 1,
    },
  });
  const { client, addr: listenerAddr } = admin;
  const explain = async (path: string) =>
    (await client.explain({ clientIp: "192.0.2.1", listenerAddr, sni: hostname, path })).steps;
  assert.deepEqual((await explain("/api/x")).slice(-4), [
    'path: the prefix /api takes "/api/x" to one of 2 backends',
    `backend: ${sick.address} is up, 0 open`,
    `backend: ${well.address} is up, 0 open`,
    `backends: least over ${sick.address}, ${well.address}: the emptier of two taken by chance`,
  ]);
  status = 503;
  const stateOf = async () =>
    (await client.listBackends({ hostname, path: "/api" })).backends
      .find(({ backend }) => backend?.addr === sick.address);
  await eventually(async () => (await stateOf())?.condition === "failing", "it is out");
  assert.equal((await stateOf())?.reason, "it answered 503");
  const [warning] = admin.control.board.warnings();
  assert.ok(
    warning?.startsWith(`the backend ${sick.address} of a.test (prefix /api) is failing since 2`),
  );
  const [line] = admin.logs.filter(({ message }) => message === "backend is failing");
  assert.deepEqual([line?.fields?.route, line?.fields?.path], [hostname, "prefix /api"]);
  assert.equal((await explain("/api/x")).at(-1), `backends: least over ${well.address}`);
  assert.ok(!(await explain("/")).join().includes(sick.address));
  await using client2 = await connectHttp2(admin);
  for (let i = 0; i < 4; i++) assert.equal((await client2.ask({ path: "/api" })).body, "well");
  status = 200;
  await eventually(async () => (await stateOf())?.condition === "starting", "it is back");
});

Deno.test("what is taken down at a path is not cut at the route, nor the other way round", async () => {
  const answers = new Map<string, () => void>();
  await using shared = await startHttpBackend("http1", (request, response) => {
    answers.set(request.url ?? "", () => response.end("shared"));
  });
  await using spare = await naming("spare");
  await using admin = await startWithPath(shared, [shared, spare]);
  const { client } = admin;
  await client.addBackend({ hostname, backend: { addr: spare.address, backup: true } });
  await using one = await connectHttp2(admin);
  const take = async (down: { path: string; kept: string; cut: string }) => {
    answers.clear();
    const kept = one.ask({ path: down.kept });
    const cut = one.ask({ path: down.cut });
    await eventually(() => answers.size === 2, "both are asked");
    const at = { hostname, addr: shared.address, path: down.path };
    const { closedConnections } = await client.setBackendState({ ...at, state: "down" });
    assert.equal(closedConnections, 1);
    assert.equal((await cut).status, 503);
    answers.get(down.kept)?.();
    assert.equal((await kept).body, "shared");
    assert.equal((await one.ask({ path: down.cut })).body, "spare");
  };
  // The path's turn begins with its first backend.
  await take({ path: "/api", kept: "/", cut: "/api" });
  await client.removeBackend({ hostname, path: "/api", addr: shared.address });
  await client.updateRoute({
    listenerAddr: admin.addr,
    route: { hostname, paths: [{ prefix: "/api", backend: shared.address }] },
    updateMask: { paths: ["paths"] },
  });
  await take({ path: "", kept: "/api", cut: "/" });
});

Deno.test("who waits for a place of a path goes to the backend that is added to it", async () => {
  const answers: (() => void)[] = [];
  await using home = await naming("home");
  await using busy = await startHttpBackend("http1", (_, response) => {
    answers.push(() => response.end("busy"));
  });
  await using added = await naming("added");
  await using admin = await startWithPath(home, [busy]);
  const { client } = admin;
  await client.updateRoute({
    listenerAddr: admin.addr,
    route: {
      hostname,
      queueTimeout: { seconds: 600n },
      paths: [{ prefix: "/api", backends: [{ addr: busy.address, maxConnections: 1 }] }],
    },
    updateMask: { paths: ["paths", "queue_timeout"] },
  });
  await using one = await connectHttp2(admin);
  const first = one.ask({ path: "/api" });
  await eventually(() => answers.length === 1, "the place is taken");
  const second = one.ask({ path: "/api" });
  await client.addBackend({ hostname, path: "/api", backend: { addr: added.address } });
  assert.equal((await second).body, "added");
  answers.shift()?.();
  assert.equal((await first).body, "busy");
});
