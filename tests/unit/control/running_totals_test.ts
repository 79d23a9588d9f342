import assert from "node:assert/strict";
import { type Database, DatabaseError } from "../../../lib/db/mod.ts";
import { RunningTotals } from "../../../lib/control/running_totals.ts";
import type { LogRecord } from "../../../lib/observe/mod.ts";
import type { Plane, RouteCount, TakenCounts } from "../../../lib/plane/mod.ts";

/** Totals over a plane that tells what a test puts there, once, and a database that may fail. */
function setUp() {
  const stored: [number, number][] = [];
  const world = {
    counts: [] as TakenCounts[],
    live: [] as RouteCount[],
    failure: undefined as Error | undefined,
    stored,
    logs: [] as LogRecord[],
  };
  const plane = {
    takeCounts: () => Promise.resolve(world.counts.splice(0)),
    liveTraffic: () => Promise.resolve(world.live),
  } as unknown as Plane;
  const database = {
    rules: { addHits: (hits: ReadonlyMap<number, number>) => void stored.push(...hits) },
    transaction: (body: () => void) => {
      if (world.failure !== undefined) throw world.failure;
      body();
    },
  } as unknown as Database;
  const log = (record: LogRecord) => void world.logs.push(record);
  return { world, totals: new RunningTotals({ plane, database, log }) };
}

const hits = (...ruleHits: [number, number][]): TakenCounts => ({
  ruleHits,
  routes: [],
  backends: [],
  hitters: [],
});
const counted = (route: string, connections: number): RouteCount => ({
  ...{ listener: ":443", route, connections },
  ...{ bytesIn: 10 * connections, bytesOut: 100 * connections },
});

Deno.test("RunningTotals keeps hits that could not be stored, and stores each once", async () => {
  const { world, totals } = setUp();
  world.counts = [hits([1, 2], [2, 5]), hits([1, 3])];
  await totals.take();
  assert.equal(totals.unstoredHits, 10);
  world.failure = new Error("disk full");
  totals.store();
  assert.equal(totals.unstoredHits, 10);
  assert.deepEqual(world.logs.map(({ level }) => level), ["warn"]);
  world.failure = new DatabaseError("locked", "for a moment");
  totals.store();
  assert.equal(world.logs.length, 1, "that is no news");
  world.counts = [hits([1, 1])];
  await totals.take();
  world.failure = undefined;
  totals.store();
  totals.store();
  assert.deepEqual(world.stored, [[1, 6], [2, 5]]);
  assert.equal(totals.unstoredHits, 0);
  await totals.close();
});

Deno.test("RunningTotals.close() takes and stores what was counted last", async () => {
  const { world, totals } = setUp();
  world.counts = [hits([7, 1])];
  await totals.close();
  assert.deepEqual(world.stored, [[7, 1]]);
});

Deno.test("RunningTotals adds what has ended to what is live, by route", async () => {
  const { world, totals } = setUp();
  world.counts = [
    { ruleHits: [], routes: [counted("a", 1), counted("b", 2)], backends: [], hitters: [] },
    { ruleHits: [], routes: [counted("a", 4)], backends: [], hitters: [] },
  ];
  world.live = [counted("a", 3), counted("c", 1)];
  const found = (await totals.routes()).map(({ route, connections, active, bytesIn, bytesOut }) => [
    ...[route, connections, active, bytesIn, bytesOut],
  ]);
  assert.deepEqual(found.sort(), [
    ["a", 8, 3, 80, 800],
    ["b", 2, 0, 20, 200],
    ["c", 1, 1, 10, 100],
  ]);
  await totals.close();
});
