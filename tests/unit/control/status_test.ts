import assert from "node:assert/strict";
import { readStatus } from "../../../lib/control/status.ts";
import { DatabaseError } from "../../../lib/db/mod.ts";
import { compileFirewall } from "../../../lib/firewall/mod.ts";

type Context = Parameters<typeof readStatus>[0];

/** A proxy without listeners, whose rules were hit 7 times and have 2 hits more; `hits` reads the first. */
function contextOf(hits: () => number): Context {
  const rules = {
    get hits() {
      return hits();
    },
    top: () => [],
  };
  return {
    state: {
      problem: "",
      revision: 3,
      snapshot: { listeners: [], firewall: { rules: compileFirewall([]) } },
      plane: {
        status: () => ({ workers: [], counters: {} }),
        metrics: () => ({ requests: new Map() }),
      },
      database: { version: 23, rules, settings: { source: "database" } },
    },
    totals: {
      routes: () => Promise.resolve([]),
      unstoredHits: 2,
      withHits: (rule: unknown) => rule,
    },
    board: { status: () => [] },
    startedAt: 1000,
    now: 3500,
    source: "database",
    dnsChanges: [],
  } as unknown as Context;
}

Deno.test("readStatus() tells what is stored and what is not yet", async () => {
  const status = await readStatus(contextOf(() => 7));
  assert.deepEqual(
    [status.databaseVersion, status.firewall.hits, status.uptimeMs, status.problem],
    [23, 9, 2500, ""],
  );
});

Deno.test("readStatus() tells of a database that cannot be read, and everything that is not in it", async () => {
  const status = await readStatus(contextOf(() => {
    throw new DatabaseError("corrupt", "the file is damaged");
  }));
  assert.match(status.problem, /the file is damaged/);
  assert.deepEqual([status.firewall.hits, status.revision, status.uptimeMs], [2, 3, 2500]);
});

Deno.test("readStatus() hides no other mistake", async () => {
  await assert.rejects(
    readStatus(contextOf(() => {
      throw new TypeError("a mistake");
    })),
    TypeError,
  );
});
