import assert from "node:assert/strict";
import { join } from "node:path";
import { INSTALLED, SYSTEM_FILES } from "../../deploy/runtime.ts";
import { runCommand } from "../support/commands.ts";
import { ROOT } from "../support/module_graph.ts";
import { placeBundle } from "../support/program.ts";
import { temporaryFolder } from "../support/temporary_folder.ts";

/** Permissions as a compiled program carries them: null is none, an empty list is all. */
type Permissions = Readonly<Record<string, readonly string[] | boolean | null>>;

/** A compiled program: what was embedded, and what it may do. */
interface Compiled {
  readonly tree: string;
  readonly permissions: Permissions;
}

/** The task, in another folder; Deno's own binary stands in for its smaller runtime. */
async function compile(folder: string): Promise<{ proxy: Compiled; client: Compiled }> {
  const { tasks } = JSON.parse(await Deno.readTextFile(join(ROOT, "deno.json"))) as {
    tasks: { compile: { command: string } };
  };
  const [first, proxy = "", client = ""] = tasks.compile.command.split(" && deno ");
  assert.equal(first, "deno task bundle");
  await placeBundle("mc-proxy", join(folder, "mc-proxy.js"));
  await placeBundle("mcproxyctl", join(folder, "mcproxyctl.js"));
  return { proxy: await compileOne(proxy, folder), client: await compileOne(client, folder) };
}

async function compileOne(command: string, folder: string): Promise<Compiled> {
  const args = command.replaceAll("dist/", `${folder}/`).split(" ");
  const env = { DENORT_BIN: Deno.execPath(), NO_COLOR: "1" };
  const { code, stdout, stderr } = await runCommand(Deno.execPath(), args, { env });
  assert.equal(code, 0, stderr);
  const output = args[args.indexOf("--output") + 1] ?? "";
  const binary = new TextDecoder("latin1").decode(await Deno.readFile(output));
  const start = binary.lastIndexOf('"permissions":{');
  const text = binary.slice(start + '"permissions":'.length, binary.indexOf("}", start) + 1);
  return { tree: stdout + stderr, permissions: JSON.parse(text) as Permissions };
}

// The results themselves are not run: that takes a runtime which is downloaded from outside of npm.
Deno.test("deno task compile embeds one script each, with an installation's permissions", async () => {
  using folder = temporaryFolder();
  const { proxy, client } = await compile(folder.path);
  // The proxy's script is program and worker.
  assert.deepEqual(proxy.tree.match(/── \S+/g), ["── mc-proxy.js"]);
  assert.deepEqual(client.tree.match(/── \S+/g), ["── mcproxyctl.js"]);
  const { allow_net, allow_read, allow_write, allow_env } = proxy.permissions;
  assert.deepEqual(allow_net, []);
  assert.deepEqual(allow_read, [INSTALLED.data, ...SYSTEM_FILES]);
  assert.deepEqual(allow_write, [INSTALLED.data]);
  assert.ok(Array.isArray(allow_env) && allow_env.length > 0);
  const socket = `${INSTALLED.data}/mc-proxy.sock`;
  assert.deepEqual(client.permissions.allow_net, [`unix:${socket}`]);
  assert.deepEqual(client.permissions.allow_read, [socket]);
  assert.deepEqual(client.permissions.allow_write, [socket]);
  assert.deepEqual(client.permissions.allow_env, ["SSH_CONNECTION"]);
  for (const { permissions } of [proxy, client]) {
    assert.equal(permissions.prompt, false);
    assert.deepEqual(permissions.deny_import, []);
    for (const name of ["allow_run", "allow_ffi", "allow_sys"]) {
      assert.equal(permissions[name], null);
    }
  }
});
