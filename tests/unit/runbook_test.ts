import assert from "node:assert/strict";
import { join } from "node:path";
import { OUTCOMES } from "../../lib/observe/mod.ts";
import { ROOT } from "../support/module_graph.ts";
import { repositoryFiles } from "../support/repository.ts";

const runbook = Deno.readTextFileSync(join(ROOT, "RUNBOOK.md"));

Deno.test("RUNBOOK.md explains every outcome of a connection", () => {
  assert.deepEqual(OUTCOMES.filter((name) => !runbook.includes(`| \`${name}\``)), []);
});

Deno.test("RUNBOOK.md explains every message of the log", async () => {
  const messages = new Set<string>();
  for (const file of await repositoryFiles("lib")) {
    if (!file.endsWith(".ts") || file.includes("/gen/")) continue;
    const source = await Deno.readTextFile(join(ROOT, file));
    for (const [, message] of source.matchAll(/level: "\w+",\s*message: "([^"]+)"/g)) {
      messages.add(message ?? "");
    }
  }
  assert(messages.size > 10);
  assert.deepEqual([...messages].filter((message) => !runbook.includes(`\`${message}\``)), []);
});
