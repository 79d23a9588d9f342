import assert from "node:assert/strict";
import { join } from "node:path";
import { runCtl } from "../support/mcproxyctl.ts";
import { ROOT } from "../support/module_graph.ts";

Deno.test.each([
  [["firewall", "add", "ip", "192.0.2.1", "--reson", "x"], "unknown option '--reson'", "--reason"],
  [["firewal", "list"], "unknown command 'firewal'", "firewall"],
  [["routes", "lst"], "unknown command 'lst'", "list"],
])("mcproxyctl %j says which word is near", async (args, what, near) => {
  const { code, stderr } = await runCtl({ socketPath: "/nowhere/a.sock" }, args);
  assert.equal(code, 2);
  assert.ok(stderr.startsWith(`error: ${what}\n(Did you mean ${near}?)\n`), stderr);
});

Deno.test("mc-proxy says which option is near", async () => {
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--no-prompt", "--ignore-env", `--allow-read=${ROOT}`],
      ...[join(ROOT, "main.ts"), "check", "-c", "a.toml", "--jsn"],
    ],
    stdout: "piped",
    stderr: "piped",
    env: { NO_COLOR: "1" },
  }).output();
  assert.equal(code, 2);
  const text = new TextDecoder().decode(stderr);
  assert.ok(text.includes("error: unknown option '--jsn'\n(Did you mean --json?)\n"), text);
});
