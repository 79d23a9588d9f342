import assert from "node:assert/strict";
import { join } from "node:path";
import { OUTCOMES } from "../../lib/observe/mod.ts";
import { logMessages } from "../support/log_messages.ts";
import { ROOT } from "../support/module_graph.ts";
import { repositoryFiles } from "../support/repository.ts";

const runbook = Deno.readTextFileSync(join(ROOT, "RUNBOOK.md"));

Deno.test("RUNBOOK.md explains every outcome of a connection", () => {
  assert.deepEqual(OUTCOMES.filter((name) => !runbook.includes(`| \`${name}\``)), []);
});

/** Records whose texts are found elsewhere: another's record passed on, a warning made of values. */
const PASSED_ON: Readonly<Record<string, readonly string[]>> = {
  "lib/cli/logging.ts": ["message", "[message]"],
  "lib/cli/mcns_reloader.ts": ["warning"],
  "lib/cli/mcns_server.ts": ["warning"],
  "lib/cli/server.ts": ["warning"],
  // What a proxy of a group cannot do with older tables: "the fleet's tables in PostgreSQL are of version …".
  "lib/control/group_follower.ts": ["lack"],
};

Deno.test("RUNBOOK.md explains every message of the log", async () => {
  const messages = new Set<string>();
  const passedOn: Record<string, string[]> = {};
  for (const file of await repositoryFiles("lib")) {
    if (!file.endsWith(".ts") || file.includes("/gen/")) continue;
    const { found, opaque } = logMessages(await Deno.readTextFile(join(ROOT, file)));
    for (const message of found) messages.add(message);
    if (opaque.length > 0) passedOn[file] = opaque;
  }
  assert.ok(messages.size > 40, `${messages.size}`);
  assert.deepEqual(passedOn, PASSED_ON);
  assert.deepEqual([...messages].filter((message) => !runbook.includes(`\`${message}\``)), []);
});

Deno.test("logMessages() finds texts in each way that they are written", () => {
  const source = `
class A {
  run(log) {
    log({ level: "info", message: "plain" });
    log({
      message: before === undefined ? "one" : "other",
      level: "error",
      fields: { error: "not this" },
    });
    const message = \`with \${value} in it\`;
    log({ level: "warn", message, fields });
    this.#fail("given", error);
    log({ level, message: passed.on });
  }
  #fail(problem: string, error: unknown): void {
    this.#log({ level: "error", message: problem, fields });
  }
}
`;
  assert.deepEqual(logMessages(source), {
    found: ["plain", "one", "other", "with … in it", "given"],
    opaque: ["passed.on"],
  });
});
