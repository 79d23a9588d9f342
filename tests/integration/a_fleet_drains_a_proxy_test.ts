/**
 * One proxy of a group is drained from another: no new connections, the open ones to their end, whether
 * it is there, cut off or restarted.
 */
import assert from "node:assert/strict";
import { connect as dial } from "node:net";
import { once } from "node:events";
import { HealthMonitor } from "../../lib/control/mod.ts";
import { drainWords } from "../../lib/control/mod.ts";
import { startEchoBackend } from "../support/backends.ts";
import { eventually } from "../support/deadline.ts";
import {
  createFleet,
  type FleetMember,
  inStep,
  plainRoute,
  startAdminOf,
  startMember,
} from "../support/fleet.ts";
import { buildClientHello } from "../support/hello.ts";
import { runCtl } from "../support/mcproxyctl.ts";
import { Peer } from "../support/peer.ts";
import { unusedPorts } from "../support/ports.ts";
import { postgresTest, startPostgres } from "../support/postgres.ts";
import { TcpRelay } from "../support/tcp_relay.ts";
import { temporaryFolder } from "../support/temporary_folder.ts";

const BEAT_MS = 200;
const BY = { actor: "uid 0", action: "Test" };
const HELLO = buildClientHello({ serverName: "echo.example" });

postgresTest(
  "a proxy of a fleet is drained from another, and stays so until it is wanted",
  async () => {
    await using server = await startPostgres();
    await createFleet(server, { edge: ["p1", "p2"] });
    await using backend = await startEchoBackend();
    await using way = new TcpRelay(server.address);
    using one = temporaryFolder();
    using two = temporaryFolder();
    const [first, second] = await unusedPorts(2) as [number, number];
    await using p1 = await startMember(server, {
      role: "p1",
      folder: one.path,
      port: first,
      beatMs: BEAT_MS,
    });
    const through = { host: "127.0.0.1", port: way.port };
    const start = () =>
      startMember(server, { role: "p2", folder: two.path, port: second, through, beatMs: BEAT_MS });
    let p2 = await start();
    await using stack = new AsyncDisposableStack();
    stack.defer(() => p2[Symbol.asyncDispose]());
    await using admin = await startAdminOf(p1, one.path);
    const ctl = (...args: string[]) => runCtl({ socketPath: admin.socketPath }, args);
    const route = { ...plainRoute("echo.example"), backend: backend.address };
    await p1.control.routing.addRoute(p1.addr, route, BY);
    await inStep([p1, p2], 2);
    const open = stack.use(await connected(second));

    // What it has goes on, and nobody else gets in; what the group changes is followed all the same.
    const drained = await ctl("fleet", "drain", "p2");
    assert.equal(drained.stdout, "p2 is to be drained\n", drained.stderr);
    await eventually(() => p2.control.drained !== undefined, "p2 drains");
    assert.equal(await refusalOf(second), "ECONNREFUSED");
    assert.equal(await refusalOf(first), "none", "the other one serves");
    await echoed(open);
    const health = healthOf(p2);
    assert.equal(health.state, "draining");
    assert.match(
      health.problems.join(),
      /^draining, 1 connections are open: uid \d+.* at p1 wants/,
    );
    await eventually(
      async () => /p2 .*draining, 1 open/.test((await ctl("fleet")).stdout),
      "listed",
    );
    await p1.control.routing.addRoute(p1.addr, plainRoute("later.example"), BY);
    await inStep([p1, p2], 4);
    assert.ok(p2.served().includes("later.example"));
    const why = p2.control.explain({
      clientIp: "192.0.2.1",
      listenerAddr: p2.addr,
      sni: "a.example",
    });
    assert.equal(why.outcome, "shutdown");
    assert.match(
      why.steps.join("\n"),
      /^proxy: p2 says so, at revision 4\n[^]*drain: the group wants/,
    );

    // Its last connection ends.
    const late = await ctl("fleet", "drain", "p2", "--within", "1ms");
    assert.equal(late.code, 1);
    assert.equal(late.stdout, "p2 was to be drained already\n");
    assert.match(late.stderr, /p2: draining, 1 open/);
    open.socket.end();
    await open.closed;
    const done = await ctl("fleet", "drain", "p2", "--within", "30s");
    assert.equal(done.code, 0, done.stderr);
    assert.match(done.stderr, /p2: drained/);
    assert.match((await ctl("fleet", "status")).stdout, /p2 +drained +0 /);
    const { members } = await admin.client.listFleet({});
    assert.deepEqual(members.map(({ status }) => status?.drained), [false, true]);
    assert.deepEqual((await ctl("status", "--fleet")).code, 0);

    // Restarted without PostgreSQL it is still what was wanted of it.
    way.mode = "refusing";
    await p2[Symbol.asyncDispose]();
    p2 = await start();
    assert.equal(await refusalOf(second), "ECONNREFUSED");
    assert.match(
      drainWords(p2.control.drained) ?? "",
      /^drained: uid \d+.* at p1 wants no new ones/,
    );

    // Not there it is wanted again, and serves when it hears of it.
    assert.match((await ctl("fleet", "undrain", "p2")).stdout, /p2 is to serve again/);
    assert.match((await ctl("fleet", "undrain", "p2")).stdout, /p2 was not to be drained/);
    assert.equal(await refusalOf(second), "ECONNREFUSED");
    way.mode = "fast";
    await eventually(() => p2.control.drained === undefined, "p2 serves again");
    await inStep([p1, p2], 5);
    const again = await connected(second);
    again.socket.end();
    await again.closed;

    // Who has done it, and where, all of them know.
    for (const { control } of [p1, p2]) {
      const entries = control.state.database.audit.list({ limit: 10 })
        .filter(({ subject }) => subject === "proxy p2");
      assert.deepEqual(
        entries.map(({ action, before, after }) => [action, before, after]),
        [
          ["UndrainFleetMember", '"drain"', '"serve"'],
          ["DrainFleetMember", '"serve"', '"drain"'],
        ],
      );
      assert.match(entries[0]?.actor ?? "", /^uid \d+.* at p1$/);
    }
    const unknown = await ctl("fleet", "drain", "p9");
    assert.notEqual(unknown.code, 0);
    assert.match(unknown.stderr, /the proxy p9/);
    await p2[Symbol.asyncDispose]();
  },
);

/** A connection whose backend has answered. */
async function connected(port: number): Promise<Peer> {
  const peer = new Peer(dial({ host: "127.0.0.1", port, allowHalfOpen: true }));
  peer.socket.write(HELLO);
  assert.deepEqual(new Uint8Array(await peer.read(HELLO.length)), HELLO);
  return peer;
}

async function echoed(peer: Peer): Promise<void> {
  peer.socket.write("still here");
  assert.equal(new TextDecoder().decode(await peer.read(10)), "still here");
}

/** Why nobody can connect. */
async function refusalOf(port: number): Promise<string> {
  const socket = dial({ host: "127.0.0.1", port });
  const refused = once(socket, "error").then(([error]) => error.code as string);
  const found = await Promise.race([refused, once(socket, "connect").then(() => "none")]);
  refused.catch(() => {});
  socket.destroy();
  return found;
}

function healthOf({ control }: FleetMember) {
  using monitor = new HealthMonitor({
    status: () => control.plane.status(),
    certificates: () => [],
    geoipBuiltMs: () => undefined,
    refusals: () => [],
    fileWarnings: () => control.groupWarnings,
    checkDatabase: () => {},
    groupDrain: () => drainWords(control.drained),
    log: () => {},
    now: Date.now,
  });
  return monitor.get();
}
