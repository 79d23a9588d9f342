import assert from "node:assert/strict";
import { join } from "node:path";
import { INSTALLED } from "../../deploy/runtime.ts";
import { bundle } from "../../tools/bundle.ts";
import { runCommand } from "../support/commands.ts";
import { ROOT } from "../support/module_graph.ts";
import { temporaryFolder } from "../support/temporary_folder.ts";

/** Permissions as a compiled program carries them: null is none, an empty list is all. */
type Permissions = Readonly<Record<string, readonly string[] | boolean | null>>;

/** The task, in another folder; Deno's own binary stands in for its smaller runtime. */
async function compile(folder: string): Promise<{ tree: string; permissions: Permissions }> {
  const { tasks } = JSON.parse(await Deno.readTextFile(join(ROOT, "deno.json"))) as {
    tasks: { compile: { command: string } };
  };
  const [first, second = ""] = tasks.compile.command.split(" && deno ");
  assert.equal(first, "deno task bundle");
  await bundle(join(folder, "mc-proxy.js"));
  const args = second.replaceAll("dist/", `${folder}/`).split(" ");
  const env = { DENORT_BIN: Deno.execPath(), NO_COLOR: "1" };
  const { code, stdout, stderr } = await runCommand(Deno.execPath(), args, { env });
  assert.equal(code, 0, stderr);
  const binary = new TextDecoder("latin1").decode(await Deno.readFile(join(folder, "mc-proxy")));
  const start = binary.lastIndexOf('"permissions":{');
  const text = binary.slice(start + '"permissions":'.length, binary.indexOf("}", start) + 1);
  return { tree: stdout + stderr, permissions: JSON.parse(text) as Permissions };
}

// The result itself is not run: that takes a runtime which is downloaded from outside of npm.
Deno.test("deno task compile embeds program and worker, with an installation's permissions", async () => {
  using folder = temporaryFolder();
  const { tree, permissions } = await compile(folder.path);
  // One script is program and worker, and all that is embedded.
  assert.deepEqual(tree.match(/── \S+/g), ["── mc-proxy.js"]);
  const { allow_net, allow_read, allow_write, allow_env, prompt, ...others } = permissions;
  assert.deepEqual(allow_net, []);
  assert.deepEqual(allow_read, [INSTALLED.data]);
  assert.ok(Array.isArray(allow_write) && allow_write[0] === INSTALLED.data);
  assert.ok(Array.isArray(allow_env) && allow_env.length > 0);
  assert.equal(prompt, false);
  for (const name of ["allow_run", "allow_ffi", "allow_sys"]) assert.equal(others[name], null);
  assert.deepEqual(others.deny_import, []);
});
