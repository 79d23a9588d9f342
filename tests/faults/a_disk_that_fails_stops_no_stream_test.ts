import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { type AdminClient, createClient } from "../../lib/client/mod.ts";
import { openDatabase } from "../../lib/db/mod.ts";
import { startEchoBackend } from "../support/backends.ts";
import { connectRaw } from "../support/clients.ts";
import { runCommand, testWithCommands } from "../support/commands.ts";
import { eventually, withinDeadline } from "../support/deadline.ts";
import { buildClientHello } from "../support/hello.ts";
import { NotifySocket } from "../support/notify_socket.ts";
import { ROOT } from "../support/module_graph.ts";
import type { Peer } from "../support/peer.ts";
import { type Proxy, startProxy } from "../support/proxy.ts";
import { temporaryFolder } from "../support/temporary_folder.ts";

const LISTENER = "127.0.0.1:0";
const PATIENCE_MS = 60_000;
/** What has to go on, so often, before a fault ends. */
const TURNS = 10;

/** So many routes in one change that its log is emptied behind it. */
const MANY = 7000;
const DESCRIPTION = "x".repeat(256);
const LARGE_LOG = 4 * 1024 * 1024;

/** What a test of a failing disk has. */
interface Setting {
  readonly proxy: Proxy;
  readonly client: AdminClient;
  /** An established stream. */
  readonly stream: Peer;
  /** Of the backend. */
  readonly address: string;
  readonly add: (hostname: string) => ReturnType<AdminClient["addRoute"]>;
  readonly reaches: (serverName: string) => Promise<boolean>;
  readonly systemd: NotifySocket;
  /** The files that make the disk fail while they are there. */
  readonly hanging: string;
  readonly readOnly: string;
}

function diskTest(claim: string, fn: (setting: Setting) => Promise<void>): void {
  testWithCommands(["gcc"], claim, async () => {
    using folder = temporaryFolder();
    const library = `${folder.path}/bad_disk.so`;
    const source = join(ROOT, "tests/support/bad_disk.c");
    const built = await runCommand("gcc", ["-shared", "-fPIC", "-o", library, source, "-ldl"]);
    assert.equal(built.code, 0, built.stderr);
    const [hanging, readOnly] = [`${folder.path}/hanging`, `${folder.path}/read-only`];
    await using backend = await startEchoBackend();
    const notify = `${folder.path}/notify`;
    using systemd = new NotifySocket(notify);
    await using proxy = await startProxy({
      folder: folder.path,
      env: {
        ...{ LD_PRELOAD: library, HANG_WHILE: hanging, READ_ONLY_WHILE: readOnly },
        ...{ NOTIFY_SOCKET: notify, WATCHDOG_USEC: "200000" },
      },
      config: (data) => ({
        grpc: { addr: join(data, "admin.sock") },
        listeners: [{ addr: LISTENER, routes: [{ hostname: "a.test", backend: backend.address }] }],
      }),
    });
    const port = proxy.port();
    const socketPath = join(proxy.folder, "admin.sock");
    using client = createClient({ socketPath, timeoutMs: PATIENCE_MS });
    await using stream = await connectRaw({ port });
    const hello = buildClientHello({ serverName: "a.test" });
    await stream.write(hello);
    await stream.read(hello.length);
    const { address } = backend;
    // The end of the program waits for the disk.
    using _mended = {
      [Symbol.dispose]: () => {
        for (const fault of [hanging, readOnly]) rmSync(fault, { force: true });
      },
    };
    await fn({
      ...{ proxy, client, stream, systemd, hanging, readOnly, address },
      add: (hostname) => client.addRoute({ listenerAddr: LISTENER, hostname, backend: address }),
      async reaches(serverName) {
        const hello = buildClientHello({ serverName });
        await using fresh = await connectRaw({ port });
        fresh.end(hello);
        return (await fresh.readToEnd()).bytes.length === hello.length;
      },
    });
  });
}

/**
 * While the fault lasts the stream carries, new ones begin, questions are answered and the watchdog is
 * fed: each several times, before anybody ends the fault.
 */
async function goesOn({ stream, reaches, client, systemd }: Setting): Promise<void> {
  const streams = async () => {
    for (let i = 0; i < TURNS; i++) {
      await stream.write("still here");
      assert.equal(await stream.readText(10), "still here");
      assert(await reaches("a.test"));
    }
  };
  const questions = async () => {
    for (let i = 0; i < TURNS; i++) await client.getStatus({});
  };
  const beats = () => systemd.lines.filter((line) => line === "WATCHDOG=1").length;
  const before = beats();
  const feeding = eventually(() => beats() >= before + 3, "the watchdog is fed");
  await withinDeadline(Promise.all([streams(), questions(), feeding]), "all of it goes on");
}

diskTest(
  "a disk that hangs in fsync(2) delays a change, and no question, stream or new connection",
  async (it) => {
    Deno.writeTextFileSync(it.hanging, "");
    let isMade = false;
    const added = it.add("b.test").then(() => isMade = true);
    added.catch(() => {}); // Awaited below, and not by whoever fails before.
    await goesOn(it);
    assert.equal(isMade, false, "what is not on the disk is not acknowledged");
    assert.equal(await it.reaches("b.test"), false, "and not in effect");
    Deno.removeSync(it.hanging);
    await added;
    const { status } = await it.client.getStatus({});
    assert.equal(status?.healthy, true);
    assert(await it.reaches("b.test"));
    assert.deepEqual(status?.workers.map(({ restarts }) => restarts), [0]);
  },
);

diskTest(
  "a disk that hangs while a large change and its log are brought there delays nothing else",
  async (it) => {
    const { address: backend } = it;
    const routes = Array.from({ length: MANY }, (_, i) => {
      return { route: { hostname: `h${i}.test`, backend, description: DESCRIPTION } };
    });
    const kept = { route: { hostname: "a.test", backend } };
    const listeners = [{ listener: { addr: LISTENER }, routes: [kept, ...routes] }];
    const log = join(it.proxy.folder, "mc-proxy.db-wal");
    Deno.writeTextFileSync(it.hanging, "");
    let isMade = false;
    const applied = it.client.apply({ state: { listeners: { listeners } } })
      .then(() => isMade = true);
    applied.catch(() => {}); // Awaited below, and not by whoever fails before.
    // It is written, and so large that it is to be emptied.
    await eventually(() => Deno.statSync(log).size > LARGE_LOG, "the change is in the log");
    await goesOn(it);
    assert.equal(isMade, false);
    assert.ok(Deno.statSync(log).size > LARGE_LOG);
    Deno.removeSync(it.hanging);
    await applied;
    await eventually(() => Deno.statSync(log).size < LARGE_LOG, "the log is emptied");
    assert(await it.reaches(`h${MANY - 1}.test`));
    assert.deepEqual(it.proxy.errors(), []);
  },
);

diskTest(
  "a process that is killed while the disk hangs has lost nothing that it acknowledged",
  async (it) => {
    await it.add("b.test");
    Deno.writeTextFileSync(it.hanging, "");
    const gone = assert.rejects(it.add("c.test"));
    gone.catch(() => {}); // Awaited below, and not by whoever fails before.
    await goesOn(it);
    // Its threads hang in the disk; the kernel ends them all the same.
    await it.proxy.stop("SIGKILL");
    await gone;
    using database = openDatabase(join(it.proxy.folder, "mc-proxy.db"));
    const hostnames = database.routes(1).map(({ hostname }) => hostname);
    assert.deepEqual(hostnames.filter((it) => it !== "c.test"), ["a.test", "b.test"]);
  },
);

diskTest(
  "a disk that turns read-only under the program refuses changes, is said, and loses nothing",
  async (it) => {
    await it.add("b.test");
    Deno.writeTextFileSync(it.readOnly, "");
    await assert.rejects(it.add("c.test"), (error: Error & { code?: string }) => {
      assert.equal(error.code, "failed_precondition", error.message);
      assert.match(error.message, /read-only, nothing has changed/);
      return true;
    });
    await goesOn(it);
    assert(await it.reaches("b.test"));
    assert.equal(await it.reaches("c.test"), false);
    const isHealthy = async () => (await it.client.getStatus({})).status?.healthy;
    await eventually(async () => await isHealthy() === false, "health says so", 30_000);
    Deno.removeSync(it.readOnly);
    await it.add("c.test");
    assert(await it.reaches("c.test"));
    await eventually(async () => await isHealthy() === true, "it is well again", 30_000);
    const { routes } = await it.client.listRoutes({ listenerAddr: LISTENER });
    assert.deepEqual(routes.map(({ hostname }) => hostname), ["a.test", "b.test", "c.test"]);
  },
);
