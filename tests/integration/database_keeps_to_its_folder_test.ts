import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { temporaryFolder } from "../support/temporary_folder.ts";

/** Runs a script with access to `folder` alone, as the deployed program has, and returns its words. */
async function runIn(folder: string, script: string): Promise<string> {
  const library = new URL("../../lib/db/mod.ts", import.meta.url);
  const code = `import { openDatabase } from ${JSON.stringify(library.href)};
    const folder = ${JSON.stringify(folder)};
    const say = (words) => Deno.stdout.writeSync(new TextEncoder().encode(words + "\\n"));
    const codeOf = async (body) => { try { await body(); return "done" } catch (e) { return e.code } };
    ${script}`;
  const output = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--no-prompt",
      "--quiet",
      `--config=${fileURLToPath(new URL("../../deno.json", import.meta.url))}`,
      `--allow-read=${folder}`,
      `--allow-write=${folder}`,
      `data:application/typescript,${encodeURIComponent(code)}`,
    ],
    stdin: "null",
  }).output();
  const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  assert.equal(decode(output.stderr), "");
  return decode(output.stdout);
}

Deno.test("the database and its snapshots work under permissions for one folder", async () => {
  using folder = temporaryFolder();
  const said = await runIn(
    folder.path,
    `using db = openDatabase(folder + "/a.db");
    db.addListener({ addr: ":443" });
    say(await codeOf(() => db.snapshot(folder + "/copy.db")));
    say(await codeOf(() => db.snapshot(folder + "/copy.db")));
    say(await codeOf(() => db.snapshot(folder + "/copy.db", { overwrite: true })));
    using copy = openDatabase(folder + "/copy.db");
    say(String(copy.listeners().length));`,
  );
  assert.equal(said, "done\nalready_exists\ndone\n1\n");
  assert.deepEqual(folder.names(), ["a.db", "copy.db", "marker.copy.db"]);
});

Deno.test("a database or snapshot outside the permitted folder is refused", async () => {
  using folder = temporaryFolder();
  using other = temporaryFolder();
  const outside = JSON.stringify(`${other.path}/a.db`);
  const said = await runIn(
    folder.path,
    `say(await codeOf(() => openDatabase(${outside})));
    using db = openDatabase(folder + "/a.db");
    say(await codeOf(() => db.snapshot(${outside})));`,
  );
  assert.equal(said, "not_permitted\nnot_permitted\n");
  assert.deepEqual(other.names(), []);
});
