import assert from "node:assert/strict";
import { join } from "node:path";
import { createClient } from "../../lib/client/mod.ts";
import { startEchoBackend } from "../support/backends.ts";
import { connectRaw } from "../support/clients.ts";
import { runCommand, testWithCommands } from "../support/commands.ts";
import { buildClientHello } from "../support/hello.ts";
import { ROOT } from "../support/module_graph.ts";
import { startProxy } from "../support/proxy.ts";
import { temporaryFolder } from "../support/temporary_folder.ts";

const hello = buildClientHello({ serverName: "a.test" });
const LISTENER = "127.0.0.1:0";
const HANG_MS = 3000;
const PATIENCE_MS = 60_000;

testWithCommands(
  ["gcc"],
  "a disk that hangs in fsync(2) delays changes and questions, and neither streams nor new connections",
  async () => {
    using folder = temporaryFolder();
    const library = `${folder.path}/hanging_disk.so`;
    const source = join(ROOT, "tests/support/hanging_disk.c");
    const built = await runCommand("gcc", ["-shared", "-fPIC", "-o", library, source, "-ldl"]);
    assert.equal(built.code, 0, built.stderr);
    const hanging = `${folder.path}/hanging`;
    await using backend = await startEchoBackend();
    await using proxy = await startProxy({
      env: { LD_PRELOAD: library, HANG_WHILE: hanging },
      config: (data) => ({
        grpc: { addr: join(data, "admin.sock") },
        listeners: [{ addr: LISTENER, routes: [{ hostname: "a.test", backend: backend.address }] }],
      }),
    });
    const port = proxy.port();
    const socketPath = join(proxy.folder, "admin.sock");
    using client = createClient({ socketPath, timeoutMs: PATIENCE_MS });
    await using stream = await connectRaw({ port });
    await stream.write(hello);
    await stream.read(hello.length);
    Deno.writeTextFileSync(hanging, "");
    let isMade = false;
    const added = client.addRoute({
      listenerAddr: LISTENER,
      hostname: "b.test",
      backend: backend.address,
    }).then((answer) => {
      isMade = true;
      return answer;
    });
    const until = performance.now() + HANG_MS;
    let turns = 0;
    for (; performance.now() < until; turns++) {
      await stream.write("still here");
      assert.equal(await stream.readText(10), "still here");
      await using fresh = await connectRaw({ port });
      fresh.end(hello);
      assert.equal((await fresh.readToEnd()).bytes.length, hello.length);
    }
    assert(turns > 3, `${turns} turns`);
    assert.equal(isMade, false, "what is not on the disk is not acknowledged");
    Deno.removeSync(hanging);
    await added;
    const { status } = await client.getStatus({});
    assert.equal(status?.healthy, true);
    await using routed = await connectRaw({ port });
    const helloToB = buildClientHello({ serverName: "b.test" });
    routed.end(helloToB);
    assert.equal((await routed.readToEnd()).bytes.length, helloToB.length);
    assert.deepEqual(status?.workers.map(({ restarts }) => restarts), [0]);
  },
);
