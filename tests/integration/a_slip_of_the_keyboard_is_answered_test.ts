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

Deno.test("a word behind a command that has commands is taken for one of them", async () => {
  const { code, stderr } = await runCtl({ socketPath: "/nowhere/a.sock" }, ["connections", "lst"]);
  assert.equal(code, 2);
  assert.match(stderr, /^error: too many arguments for 'list'.*\n.*\n\(Did you mean list\?\)\n$/);
});

Deno.test.each([
  [["check", "-c", "a.toml", "--jsn"], "unknown option '--jsn'", "--json"],
  [["check", "--confg", "a.toml"], "unknown option '--confg'", "--config"],
  [["chek", "-c", "a.toml"], "unknown command 'chek'", "check"],
])("mc-proxy %j says which word is near", async (line, what, near) => {
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--no-prompt", "--ignore-env", `--allow-read=${ROOT}`],
      ...[join(ROOT, "main.ts"), ...line],
    ],
    stdout: "piped",
    stderr: "piped",
    env: { NO_COLOR: "1" },
  }).output();
  assert.equal(code, 2);
  const text = new TextDecoder().decode(stderr);
  assert.ok(text.startsWith(`error: ${what}\n(Did you mean ${near}?)\n`), text);
});
