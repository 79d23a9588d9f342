import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { openDatabase } from "../../lib/db/mod.ts";
import { temporaryFolder } from "../support/temporary_folder.ts";

const WRITER = fileURLToPath(new URL("../support/database_writer.ts", import.meta.url));

/** Starts the writer, kills it when it has acknowledged `count` routes, returns their ids. */
async function writeAndKill(file: string, count: number): Promise<number[]> {
  const writer = new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", "-A", WRITER, file],
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  let text = "";
  let killed = false;
  for await (const chunk of writer.stdout.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    if (!killed && text.split("\n").length > count) {
      writer.kill("SIGKILL");
      killed = true;
    }
  }
  assert.equal((await writer.status).signal, "SIGKILL");
  return text.split("\n").slice(0, -1).map(Number);
}

Deno.test("every acknowledged row is there after kill -9 in the middle of writing", async () => {
  for (const count of [1, 20, 150]) {
    using folder = temporaryFolder();
    const file = `${folder.path}/a.db`;
    const acknowledged = await writeAndKill(file, count);
    using db = openDatabase(file);
    const routes = db.routes(1);
    const ids = new Set(routes.map(({ id }) => id));
    assert.deepEqual(acknowledged.filter((id) => !ids.has(id)), []);
    // At most the one that was being written; and no transaction in halves.
    assert(routes.length <= acknowledged.length + 1, `${routes.length}`);
    assert.equal(db.firewallRules().length, Math.ceil(routes.length / 10));
    db.addRoute(1, { hostname: "after.example", backend: "10.0.0.1:443" });
  }
});
