import assert from "node:assert/strict";
import { type Database, DatabaseError } from "../../../lib/db/mod.ts";
import { RunningTotals } from "../../../lib/control/running_totals.ts";
import type { LogRecord } from "../../../lib/observe/mod.ts";
import type { Plane, RouteTally, TakenTallies } from "../../../lib/plane/mod.ts";

/** Totals over a plane that tells what a test puts there, once, and a database that may fail. */
function setUp() {
  const stored: [number, number][] = [];
  const world = {
    tallies: [] as TakenTallies[],
    live: [] as RouteTally[],
    failure: undefined as Error | undefined,
    stored,
    logs: [] as LogRecord[],
  };
  const plane = {
    takeTallies: () => Promise.resolve(world.tallies.splice(0)),
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

const hits = (...ruleHits: [number, number][]): TakenTallies => ({
  ruleHits,
  routes: [],
  backends: [],
  hitters: [],
});
const tally = (route: string, connections: number): RouteTally => ({
  ...{ listener: ":443", route, connections },
  ...{ bytesIn: 10 * connections, bytesOut: 100 * connections },
});

Deno.test("RunningTotals keeps hits that could not be stored, and stores each once", async () => {
  const { world, totals } = setUp();
  world.tallies = [hits([1, 2], [2, 5]), hits([1, 3])];
  await totals.take();
  assert.equal(totals.unstoredHits, 10);
  world.failure = new Error("disk full");
  totals.store();
  assert.equal(totals.unstoredHits, 10);
  assert.deepEqual(world.logs.map(({ level }) => level), ["warn"]);
  world.failure = new DatabaseError("locked", "for a moment");
  totals.store();
  assert.equal(world.logs.length, 1, "that is no news");
  world.tallies = [hits([1, 1])];
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
  world.tallies = [hits([7, 1])];
  await totals.close();
  assert.deepEqual(world.stored, [[7, 1]]);
});

Deno.test("RunningTotals adds what has ended to what is live, by route", async () => {
  const { world, totals } = setUp();
  world.tallies = [
    { ruleHits: [], routes: [tally("a", 1), tally("b", 2)], backends: [], hitters: [] },
    { ruleHits: [], routes: [tally("a", 4)], backends: [], hitters: [] },
  ];
  world.live = [tally("a", 3), tally("c", 1)];
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
