import assert from "node:assert/strict";
import { join } from "node:path";
import { type AdminClient, createClient } from "../../lib/client/mod.ts";
import { startEchoBackend } from "../support/backends.ts";
import { connectRaw } from "../support/clients.ts";
import { runCommand, testWithCommands } from "../support/commands.ts";
import { eventually } from "../support/deadline.ts";
import { buildClientHello } from "../support/hello.ts";
import { ROOT } from "../support/module_graph.ts";
import type { Peer } from "../support/peer.ts";
import { type Proxy, startProxy } from "../support/proxy.ts";
import { temporaryFolder } from "../support/temporary_folder.ts";

const LISTENER = "127.0.0.1:0";
const FAULT_MS = 3000;
const PATIENCE_MS = 60_000;

/** What a test of a failing disk has. */
interface Setting {
  readonly proxy: Proxy;
  readonly client: AdminClient;
  /** An established stream. */
  readonly stream: Peer;
  readonly add: (hostname: string) => ReturnType<AdminClient["addRoute"]>;
  readonly reaches: (serverName: string) => Promise<boolean>;
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
    await using proxy = await startProxy({
      env: { LD_PRELOAD: library, HANG_WHILE: hanging, READ_ONLY_WHILE: readOnly },
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
    await fn({
      ...{ proxy, client, stream, hanging, readOnly },
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

/** The stream carries, and new ones begin, for as long as the fault lasts. */
async function goesOn({ stream, reaches }: Setting): Promise<void> {
  const until = performance.now() + FAULT_MS;
  let turns = 0;
  for (; performance.now() < until; turns++) {
    await stream.write("still here");
    assert.equal(await stream.readText(10), "still here");
    assert(await reaches("a.test"));
  }
  assert(turns > 3, `${turns} turns`);
}

diskTest(
  "a disk that hangs in fsync(2) delays changes and questions, and neither streams nor new connections",
  async (it) => {
    Deno.writeTextFileSync(it.hanging, "");
    let isMade = false;
    const added = it.add("b.test").then(() => isMade = true);
    await goesOn(it);
    assert.equal(isMade, false, "what is not on the disk is not acknowledged");
    Deno.removeSync(it.hanging);
    await added;
    const { status } = await it.client.getStatus({});
    assert.equal(status?.healthy, true);
    assert(await it.reaches("b.test"));
    assert.deepEqual(status?.workers.map(({ restarts }) => restarts), [0]);
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
