/** Backends that are added, drained, taken down, removed and checked while connections are open. */
import assert from "node:assert/strict";
import { join } from "node:path";
import type { AdminFixture } from "../support/admin.ts";
import { startAdmin } from "../support/admin.ts";
import { startEchoBackend } from "../support/backends.ts";
import { connectRaw } from "../support/clients.ts";
import { eventually } from "../support/deadline.ts";
import { buildClientHello } from "../support/hello.ts";
import { connectHttp1, connectHttp2, identity, startHttpBackend } from "../support/l7.ts";
import { runCtl } from "../support/mcproxyctl.ts";
import { unusedPort } from "../support/ports.ts";
import { parseProxyHeader } from "../../lib/proxyproto/mod.ts";

const hostname = "a.test";
const hello = buildClientHello({ serverName: hostname });

async function open({ port }: { readonly port: number }) {
  const client = await connectRaw({ port });
  await client.write(hello);
  await client.read(hello.length);
  return client;
}

/** What `mcproxyctl` says. */
async function ctl(admin: AdminFixture, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await runCtl(admin, args);
  assert.equal(code, 0, stderr);
  return stdout.trim();
}

const conditionsOf = async ({ client }: AdminFixture) => {
  const { backends } = await client.listBackends({ hostname });
  return backends.map(({ condition, open }) => `${condition} ${open}`);
};

Deno.test("a backend that drains keeps what it has, gets nothing new, and is back when it is told", async () => {
  await using one = await startEchoBackend();
  await using other = await startEchoBackend();
  await using admin = await startAdmin();
  const { client, addr: listenerAddr } = admin;
  const backends = [{ addr: one.address }, { addr: other.address }];
  await client.addRoute({ listenerAddr, hostname, backends });
  await using first = await open(admin);
  await using second = await open(admin);
  assert.deepEqual(await conditionsOf(admin), ["up 1", "up 1"]);
  assert.equal(
    await ctl(admin, "backends", "drain", hostname, one.address),
    `backend ${one.address} of ${hostname} drains: it gets nothing new; 1 live connection go on`,
  );
  for (let i = 0; i < 4; i++) {
    await using _ = await open(admin);
  }
  assert.equal(one.connections.length, 1);
  assert.equal(other.connections.length, 5);
  for (const live of [first, second]) {
    await live.write("still here");
    assert.equal(new TextDecoder().decode(await live.read(10)), "still here");
  }
  assert.match(await ctl(admin, "backends", "list", hostname), /drain .* drained by an operator/);
  await eventually(
    () => admin.logs.some(({ message }) => message === "backend is draining"),
    "the log says so",
  );
  await ctl(admin, "backends", "up", hostname, one.address);
  await eventually(async () => {
    await using _ = await open(admin);
    return one.connections.length > 1;
  }, "it is used again");
});

Deno.test("a deadline cuts what is left, with a RST on both sides, and nothing of the others", async () => {
  await using one = await startEchoBackend();
  await using other = await startEchoBackend();
  await using admin = await startAdmin();
  const { client, addr: listenerAddr } = admin;
  await client.addRoute({
    listenerAddr,
    hostname,
    backends: [{ addr: one.address }, { addr: other.address }],
  });
  await using first = await open(admin);
  await using second = await open(admin);
  const out = await ctl(
    admin,
    ...["backends", "drain", hostname, one.address, "--deadline", "100ms"],
  );
  assert.match(out, /1 live connection cut, now or at the deadline$/);
  assert.equal(await first.ending, "reset");
  assert.equal(await (await one.connection()).ending, "reset");
  await second.write("x");
  await second.read(1);
});

Deno.test("a backend that is removed keeps what it has until that ends, and is shown so long", async () => {
  await using one = await startEchoBackend();
  await using other = await startEchoBackend();
  await using admin = await startAdmin();
  const { client, addr: listenerAddr } = admin;
  await client.addRoute({
    listenerAddr,
    hostname,
    backends: [{ addr: one.address, maxConnections: 5 }, { addr: other.address, weight: 2 }],
  });
  const first = await open(admin);
  const onOther = (await client.listBackends({ hostname })).backends
    .find(({ open }) => open === 1)?.backend?.addr === other.address;
  const addr = onOther ? other.address : one.address;
  const removed = await client.removeBackend({ hostname, addr });
  assert.deepEqual([removed.liveConnections, removed.closedConnections], [1, 0]);
  // Another change forgets what nobody uses any more, and nothing else.
  await client.addRoute({ listenerAddr, hostname: "b.test", backend: "10.0.0.1:443" });
  const found = (await client.listBackends({ hostname })).backends;
  assert.deepEqual(
    found.filter(({ condition }) => condition === "removed").map(({ backend, open }) => [
      backend?.addr,
      open,
    ]),
    [[addr, 1]],
  );
  await first.write("x");
  await first.read(1);
  first.end();
  await first.ending;
  await first[Symbol.asyncDispose]();
  await eventually(async () => !(await conditionsOf(admin)).includes("removed 1"), "it is gone");
  await assert.rejects(client.setBackendState({ hostname, addr, state: "up" }), {
    code: "not_found",
  });
});

Deno.test("states of backends survive a restart; a hostname on two listeners needs one named", async () => {
  const folder = await Deno.makeTempDir({ prefix: "mc-proxy-test-" });
  const more = `127.0.0.1:${await unusedPort()}`;
  const backends = [{ addr: "10.0.0.1:443" }, { addr: "10.0.0.2:443" }];
  let listener = "";
  {
    await using admin = await startAdmin({ folder });
    const { client, addr: listenerAddr } = admin;
    listener = listenerAddr;
    await client.addRoute({ listenerAddr, hostname, backends });
    await client.addListener({ addr: more });
    await client.addRoute({ listenerAddr: more, hostname, backends });
    const change = { hostname, addr: "10.0.0.1:443", state: "down" };
    await assert.rejects(client.setBackendState(change), { field: "listener_addr" });
    await client.setBackendState({ ...change, listenerAddr });
  }
  {
    await using admin = await startAdmin({ folder });
    const { backends: found } = await admin.client.listBackends({});
    assert.deepEqual(
      found.map(({ listenerAddr, backend, condition }) => [
        listenerAddr === listener,
        backend?.addr,
        condition,
      ]),
      [
        [true, "10.0.0.1:443", "down"],
        [true, "10.0.0.2:443", "up"],
        [false, "10.0.0.1:443", "up"],
        [false, "10.0.0.2:443", "up"],
      ],
    );
  }
  await Deno.remove(folder, { recursive: true });
});

/** An admin fixture with an l7 route to these backends. */
async function startL7(
  backends: readonly { addr: string }[],
  more: Record<string, unknown> = {},
): Promise<AdminFixture> {
  const { certPem, keyPem } = await identity();
  const admin = await startAdmin();
  const [tlsCert, tlsKey] = [join(admin.folder, "cert.pem"), join(admin.folder, "key.pem")];
  await Deno.writeTextFile(tlsCert, certPem);
  await Deno.writeTextFile(tlsKey, keyPem);
  await admin.client.addRoute({
    ...{ listenerAddr: admin.addr, hostname, mode: "l7", tlsCert, tlsKey },
    backends: [...backends],
    ...more,
  });
  return admin;
}

const VERSIONS = [
  ["HTTP/2", connectHttp2, "h2c"],
  ["HTTP/1.1", connectHttp1, "http1"],
] as const;
for (const [version, connect, kind] of VERSIONS) {
  Deno.test(`a request at a backend that drains is answered, over ${version}; one past the deadline is not`, async () => {
    const answers: (() => void)[] = [];
    await using slow = await startHttpBackend(kind, (_, response) => {
      answers.push(() => response.end("slow"));
    });
    await using quick = await startHttpBackend(kind, (_, response) => response.end("quick"));
    await using admin = await startL7([{ addr: slow.address }, { addr: quick.address }]);
    const { client } = admin;
    await using one = await connect(admin);
    await using other = await connect(admin);
    const first = one.ask();
    await eventually(() => answers.length === 1, "one is asked");
    await client.setBackendState({ hostname, addr: slow.address, state: "drain" });
    assert.equal((await other.ask()).body, "quick");
    answers.shift()?.();
    assert.equal((await first).body, "slow");
    // Its connection ends with its last request.
    await eventually(() => slow.open === 0, "the backend has no connection");
    await client.setBackendState({ hostname, addr: slow.address, state: "up" });
    let last: Promise<{ status: number }> | undefined;
    await eventually(() => {
      last ??= one.ask().then((answer) => {
        if (answer.status === 200) last = undefined;
        return answer;
      });
      return answers.length === 1;
    }, "the other is asked again");
    const down = await client.setBackendState({ hostname, addr: slow.address, state: "down" });
    assert.deepEqual([down.liveConnections, down.closedConnections], [1, 1]);
    assert.equal((await last)?.status, 503);
    assert.equal((await other.ask()).body, "quick");
  });
}

// --- checks ----------------------------------------------------------------------------------------

Deno.test("an http check takes a backend out whose answers are bad, and back, for all to see", async () => {
  let status = 200;
  const checks: string[] = [];
  await using sick = await startHttpBackend("http1", (request, response) => {
    if (request.url === "/healthz?deep=1") {
      checks.push(`${request.method} ${request.headers.host}`);
      response.statusCode = status;
      return void response.end();
    }
    response.end("sick");
  });
  await using well = await startHttpBackend("http1", (_, response) => response.end("well"));
  await using admin = await startL7([{ addr: sick.address }, { addr: well.address }], {
    health: {
      kind: "http",
      path: "/healthz?deep=1",
      status: "200",
      interval: { seconds: 0n, nanos: 100_000_000 },
      fall: 2,
      rise: 2,
    },
  });
  await eventually(() => checks.length > 0, "it is checked");
  assert.equal(checks[0], `GET ${hostname}`);
  status = 503;
  const stateOf = async () =>
    (await admin.client.listBackends({ hostname })).backends
      .find(({ backend }) => backend?.addr === sick.address);
  await eventually(async () => (await stateOf())?.condition === "failing", "it is out");
  assert.equal((await stateOf())?.reason, "it answered 503");
  const [warning, ...others] = admin.control.board.warnings();
  assert.deepEqual(others, []);
  assert.ok(warning?.startsWith(`the backend ${sick.address} of ${hostname} is failing since 2`));
  assert.ok(warning?.endsWith("Z: it answered 503"));
  const explained = await admin.client.explain({
    clientIp: "192.0.2.1",
    listenerAddr: admin.addr,
    sni: hostname,
  });
  assert.deepEqual(explained.steps.slice(-3), [
    `backend: ${sick.address} is failing (its checks fail), 0 open`,
    `backend: ${well.address} is up, 0 open`,
    `backends: round_robin over ${well.address}`,
  ]);
  await using client = await connectHttp2(admin);
  for (let i = 0; i < 4; i++) assert.equal((await client.ask()).body, "well");
  status = 200;
  await eventually(async () => (await stateOf())?.condition === "starting", "it is back");
  await eventually(
    () => admin.logs.some(({ message }) => message === "backend is back"),
    "the log says so",
  );
  const [failing] = admin.logs.filter(({ message }) => message === "backend is failing");
  assert.equal(failing?.level, "warn");
  assert.equal(failing?.fields?.backend, sick.address);
  assert.equal(failing?.fields?.reason, "it answered 503");
});

Deno.test("tcp and tls checks say LOCAL in their PROXY header, and tell a server from a port", async () => {
  const { certPem, keyPem } = await identity();
  await using recording = await startEchoBackend();
  await using secure = await startHttpBackend("http1-tls", (_, response) => response.end());
  assert.ok(certPem && keyPem);
  await using admin = await startAdmin();
  const { client, addr: listenerAddr } = admin;
  const interval = { seconds: 0n, nanos: 100_000_000 };
  await client.addRoute({
    listenerAddr,
    hostname,
    backends: [{ addr: recording.address }, { addr: `127.0.0.1:${await unusedPort()}` }],
    sendProxyProtocol: true,
    health: { kind: "tcp", interval, fall: 1, rise: 1 },
  });
  const check = await recording.connection();
  await eventually(() => check.received.length >= 16, "the header is there");
  const header = parseProxyHeader(check.received);
  assert.ok(header.kind === "ok");
  assert.equal(header.value.source, undefined);
  assert.equal(check.received[12], 0x20);
  await check.ending;
  check.end();
  await eventually(
    async () => (await conditionsOf(admin)).map((it) => it.split(" ")[0]).join() === "up,failing",
    "one is up and one is not",
  );
  await client.addRoute({
    listenerAddr,
    hostname: "tls.test",
    backends: [{ addr: secure.address }, { addr: recording.address }],
    health: { kind: "tls", interval, fall: 1, rise: 1 },
  });
  await eventually(async () => {
    const { backends } = await client.listBackends({ hostname: "tls.test" });
    return backends.map(({ condition }) => condition).join() === "up,failing";
  }, "an echo is no TLS server");
  for (const peer of recording.connections) peer.end();
});
