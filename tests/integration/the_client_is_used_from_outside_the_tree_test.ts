import assert from "node:assert/strict";
import { join } from "node:path";
import manifest from "../../deno.json" with { type: "json" };
import { type AdminFixture, startAdmin } from "../support/admin.ts";
import { ROOT } from "../support/module_graph.ts";
import { temporaryFolder } from "../support/temporary_folder.ts";

const NAME = manifest.name;

/** Runs the example in a folder of its own, as its head comment says. */
async function runExample(folder: string, admin: AdminFixture, ...args: string[]) {
  const { socketPath: socket } = admin;
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--no-prompt", "--quiet", "--ignore-env"],
      ...[`--allow-net=unix:${socket}`, `--allow-read=${socket}`, `--allow-write=${socket}`],
      ...["main.ts", socket, admin.addr, ...args],
    ],
    cwd: folder,
    stdout: "piped",
    stderr: "piped",
    env: { NO_COLOR: "1" },
  }).output();
  const text = (octets: Uint8Array) => new TextDecoder().decode(octets);
  return { code, stdout: text(stdout), stderr: text(stderr) };
}

Deno.test("the example in a folder of its own leads a name elsewhere, and says what is refused", async () => {
  await using folder = await temporaryFolder();
  await Deno.copyFile(join(ROOT, "examples/admin_client/main.ts"), join(folder.path, "main.ts"));
  const imports = { [NAME]: `jsr:${NAME}@${manifest.version}` };
  await Deno.writeTextFile(
    join(folder.path, "deno.json"),
    JSON.stringify({ links: [ROOT], imports }),
  );
  await using admin = await startAdmin();
  const { client, addr: listenerAddr } = admin;
  await client.addRoute({
    listenerAddr,
    hostname: "a.test",
    backend: "10.0.0.1:443",
    description: "x",
  });
  const done = await runExample(folder.path, admin, "a.test", "10.0.0.2:443");
  assert.deepEqual(
    [done.code, done.stdout],
    [0, "a.test: 10.0.0.1:443 → 10.0.0.2:443\n"],
    done.stderr,
  );
  const { route } = await client.getRoute({ listenerAddr, hostname: "a.test" });
  assert.deepEqual([route?.backend, route?.description], ["10.0.0.2:443", "x"]);
  const refused = await runExample(folder.path, admin, "a.test", "http://10.0.0.2");
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /^route\.backend: /m);
});
