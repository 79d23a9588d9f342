import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { createClient } from "../../lib/client/mod.ts";
import { openDatabase, restoreDatabase } from "../../lib/db/mod.ts";
import { startEchoBackend } from "../support/backends.ts";
import { connectRaw } from "../support/clients.ts";
import { runCommand } from "../support/commands.ts";
import { eventually } from "../support/deadline.ts";
import { buildClientHello } from "../support/hello.ts";
import { proxyLine } from "../support/program.ts";
import { startProxy, writeConfig } from "../support/proxy.ts";
import { stateOf } from "./durable_state.ts";

const LISTENER = "127.0.0.1:0";

/** What an operator may take for a snapshot, from a good one. */
function wrongSnapshots(good: string, folder: string): string[] {
  const octets = Deno.readFileSync(good);
  const write = (name: string, content: Uint8Array) => {
    const path = join(folder, name);
    Deno.writeFileSync(path, content);
    return path;
  };
  const flipped = Uint8Array.from(octets);
  // In the name of a route: SQLite notices nothing, the digest does.
  const at = new TextDecoder("latin1").decode(octets).indexOf("h0.test");
  assert.ok(at > 0);
  flipped[at] = "H".charCodeAt(0);
  const foreign = join(folder, "foreign.db");
  const db = new DatabaseSync(foreign);
  db.exec("CREATE TABLE listeners (id INTEGER PRIMARY KEY); PRAGMA user_version = 7");
  db.close();
  return [
    join(folder, "absent.db"),
    write("cut.db", octets.subarray(0, octets.length / 2)),
    write("empty.db", new Uint8Array()),
    write("flipped.db", flipped),
    write("text.db", new TextEncoder().encode("[[listeners]]\n".repeat(1000))),
    foreign,
  ];
}

Deno.test("a restore beside a proxy under load is refused, and one of a wrong snapshot leaves what was acknowledged", async () => {
  const folder = await Deno.realPath(await Deno.makeTempDir({ prefix: "mc-proxy-test-" }));
  try {
    const path = join(folder, "mc-proxy.db");
    const good = join(folder, "good.db");
    const acknowledged: string[] = [];
    {
      await using backend = await startEchoBackend();
      const routes = [{ hostname: "kept.test", backend: backend.address }];
      const listeners = [{ addr: LISTENER, routes }];
      const socketPath = join(folder, "admin.sock");
      await using proxy = await startProxy({
        folder,
        config: { grpc: { addr: socketPath }, listeners },
      });
      using client = createClient({ socketPath });
      await using stream = await connectRaw({ port: proxy.port() });
      const hello = buildClientHello({ serverName: "kept.test" });
      await stream.write(hello);
      await stream.read(hello.length);
      let isOver = false;
      const adding = (async () => {
        for (let i = 0; !isOver; i++) {
          const hostname = `h${i}.test`;
          await client.addRoute({ listenerAddr: LISTENER, hostname, backend: "192.0.2.1:1" });
          acknowledged.push(hostname);
        }
      })();
      await eventually(() => acknowledged.length > 0, "changes are made");
      await client.snapshot({ path: good });
      // Of a configuration that does not know of the admin socket.
      const config = await writeConfig(folder, { config: { listeners } });
      for (const how of [["--from", good], ["--as-it-is"]]) {
        const args = proxyLine(folder, "restore", "-c", config, ...how);
        const { code, stderr } = await runCommand(Deno.execPath(), args);
        assert.equal(code, 1);
        assert.match(stderr, /^mc-proxy: a process serves the database .*: stop it first\n$/);
      }
      const before = acknowledged.length;
      await eventually(() => acknowledged.length > before, "changes go on");
      isOver = true;
      await adding;
      await stream.write("still here");
      assert.equal(await stream.readText(10), "still here");
      assert.equal((await client.getStatus({})).status?.healthy, true);
    }
    const state = (() => {
      using db = openDatabase(path);
      return stateOf(db);
    })();
    for (const from of wrongSnapshots(good, folder)) {
      await assert.rejects(restoreDatabase(path, { from }), { name: "DatabaseError" }, from);
      using db = openDatabase(path);
      assert.equal(stateOf(db), state, from);
    }
    for (const hostname of acknowledged) assert.ok(state.includes(`"${hostname}"`), hostname);
    await restoreDatabase(path, { from: good });
    using db = openDatabase(path);
    assert.ok(db.routes(1).length < acknowledged.length + 1, "the state of the snapshot");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
