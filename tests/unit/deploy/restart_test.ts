import assert from "node:assert/strict";
import { join } from "node:path";
import { runCommand } from "../../support/commands.ts";
import { ROOT } from "../../support/module_graph.ts";
import { temporaryFolder } from "../../support/temporary_folder.ts";

const SCRIPT = join(ROOT, "deploy/bin/mc-proxy-restart");

/** A systemctl that knows which units are active or draining, and writes down what it is told. */
const SYSTEMCTL = `#!/bin/sh
case $1 in
  -q) case " $ACTIVE " in *" $3 "*) exit 0 ;; *) exit 3 ;; esac ;;
  show) case " $DRAINING " in *" $4 "*) echo deactivating ;; *) echo inactive ;; esac ;;
  *) echo "$@" >> "$CALLS"; case "$*" in "$FAILS") exit 1 ;; esac ;;
esac
`;

/** Runs the script; its exit code and the calls that changed something. */
async function restart(
  units: { active?: string; draining?: string; fails?: string },
  ...args: string[]
): Promise<{ code: number; calls: string[] }> {
  using folder = temporaryFolder();
  const calls = join(folder.path, "calls");
  await Deno.writeTextFile(calls, "");
  await Deno.writeTextFile(join(folder.path, "systemctl"), SYSTEMCTL, { mode: 0o755 });
  const { code } = await runCommand(SCRIPT, args, {
    env: {
      PATH: `${folder.path}:${Deno.env.get("PATH")}`,
      ACTIVE: units.active ?? "",
      DRAINING: units.draining ?? "",
      FAILS: units.fails ?? "nothing",
      CALLS: calls,
    },
  });
  return { code, calls: (await Deno.readTextFile(calls)).split("\n").filter((it) => it !== "") };
}

Deno.test("mc-proxy-restart starts the other unit before it stops the active one", async () => {
  assert.deepEqual(await restart({ active: "mc-proxy.service" }), {
    code: 0,
    calls: ["start mc-proxy@next.service", "stop --no-block mc-proxy.service"],
  });
  assert.deepEqual(await restart({ active: "mc-proxy@next.service" }), {
    code: 0,
    calls: ["start mc-proxy.service", "stop --no-block mc-proxy@next.service"],
  });
});

Deno.test("mc-proxy-restart leaves the active unit alone when the other does not start", async () => {
  const { code, calls } = await restart({
    active: "mc-proxy.service",
    fails: "start mc-proxy@next.service",
  });
  assert.notEqual(code, 0);
  assert.deepEqual(calls, ["start mc-proxy@next.service"]);
});

Deno.test("mc-proxy-restart refuses while the other unit still drains", async () => {
  const units = { active: "mc-proxy.service", draining: "mc-proxy@next.service" };
  const { code, calls } = await restart(units);
  assert.equal(code, 1);
  assert.deepEqual(calls, []);
});

Deno.test("mc-proxy-restart starts a proxy that does not run, unless told not to", async () => {
  assert.deepEqual(await restart({}), { code: 0, calls: ["start mc-proxy.service"] });
  assert.deepEqual(await restart({}, "--if-running"), { code: 0, calls: [] });
});
