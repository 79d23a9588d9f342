import assert from "node:assert/strict";
import { stateHandlers } from "../../lib/admin/state_handlers.ts";
import { firewallHandlers } from "../../lib/admin/firewall_handlers.ts";
import type { AdminContext } from "../../lib/admin/context.ts";
import { type Database, openDatabase } from "../../lib/db/mod.ts";
import { eventually } from "../support/deadline.ts";
import { ControlUnderTest, type World } from "./control_fixture.ts";
import { copyFiles } from "./durable_state.ts";

const OPERATION = { actor: "test", action: "Apply" };
const ROUTES = 3000;
/** So many that a fast machine takes more than a few turns to list them, too. */
const LISTED_RULES = 20_000;

const world: World = {
  now: Date.parse("2026-01-01"),
  readFile: () => Promise.reject(new Deno.errors.NotFound()),
  addr: `127.77.${Deno.pid % 250}.9:4430`,
};

function wanted(count: number) {
  const routes = Array.from({ length: count }, (_, i) => ({
    hostname: `h${i}.example`,
    backend: "192.0.2.1:443",
    mode: "l4" as const,
    tlsCert: "",
    tlsKey: "",
    backendTls: false,
    sendProxyProtocol: false,
  }));
  const { addr } = world;
  return {
    listeners: [{ addr, proxyProtocol: false, maxConnections: 0, trustedProxies: [], routes }],
  };
}

const apply = ({ control }: ControlUnderTest, count: number) =>
  control.wholeState.apply(wanted(count), { dryRun: false, close: false }, OPERATION);

/** Resolves when a change is being written, so that no other can be. */
async function isUnderWay({ database }: ControlUnderTest): Promise<void> {
  await eventually(() => isLocked(database), "it is under way");
}

function isLocked(database: Database): boolean {
  try {
    database.transaction(() => database.rules.addHits(new Map()), { byAnyone: true });
    return false;
  } catch (error) {
    assert.equal((error as { code?: string }).code, "locked");
    return true;
  }
}

/** What is seen between the turns of a change, until it has ended. */
async function watch(tested: ControlUnderTest, change: Promise<unknown>): Promise<number[]> {
  const seen: number[] = [];
  let ended = false;
  const done = change.finally(() => ended = true);
  while (!ended) {
    seen.push(tested.database.routes(1).length);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await done.catch(() => {});
  return seen;
}

Deno.test("200,000 rules are compared in one apply", async () => {
  await using tested = await ControlUnderTest.start(ControlUnderTest.newFolder(), world);
  const rules = Array.from({ length: 200_000 }, (_, i) => ({
    type: "cidr" as const,
    value: `${10 + (i >>> 16)}.${(i >>> 8) & 255}.${i & 255}.0/24`,
    reason: "",
  }));
  const options = { dryRun: true, close: false };
  const { differences } = await tested.control.wholeState.apply({ rules }, options, OPERATION);
  assert.equal(differences.length, rules.length);
});

Deno.test("while a large change is written, questions are answered from the state before", async () => {
  await using tested = await ControlUnderTest.start(ControlUnderTest.newFolder(), world);
  const change = apply(tested, ROUTES);
  const seen = await watch(tested, change);
  const { differences } = await change;
  assert.equal(differences.length, ROUTES);
  const before = seen.lastIndexOf(0) + 1;
  assert.ok(before > 3, `${before} questions were answered from the state before`);
  // Once it is committed, from the state after: never from a half, and never back.
  const whole = seen.map((_, i) => i < before ? 0 : ROUTES);
  assert.deepEqual(seen, whole);
  assert.equal(tested.database.routes(1).length, ROUTES);
  // What came meanwhile has its turn afterwards.
  const [, next] = await Promise.all([apply(tested, 10), apply(tested, 20)]);
  assert.equal(next.differences.length, 10);
});

Deno.test("a large change that a worker refuses is taken back whole", async () => {
  await using tested = await ControlUnderTest.start(ControlUnderTest.newFolder(), world);
  const before = tested.describe();
  tested.plane.failure = "after";
  await assert.rejects(apply(tested, ROUTES), { code: "data_plane" });
  assert.deepEqual(tested.describe(), before);
  tested.compileFails = true;
  await assert.rejects(apply(tested, ROUTES), { code: "compile" });
  tested.compileFails = false;
  assert.deepEqual(tested.describe(), before);
  await apply(tested, ROUTES);
  assert.equal(tested.database.routes(1).length, ROUTES);
});

Deno.test("a process that is killed in the middle of a large change has made none of it", async () => {
  await using tested = await ControlUnderTest.start(ControlUnderTest.newFolder(), world);
  await apply(tested, 5);
  const change = apply(tested, ROUTES);
  const folder = ControlUnderTest.newFolder();
  try {
    await isUnderWay(tested);
    copyFiles(tested.folder, folder);
    await change;
    using db = openDatabase(`${folder}/a.db`);
    assert.equal(db.routes(1).length, 5);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

Deno.test("nothing else is written while a large change is, and a copy has the state before", async () => {
  await using tested = await ControlUnderTest.start(ControlUnderTest.newFolder(), world);
  const { database } = tested;
  let ended = false;
  const change = apply(tested, ROUTES).finally(() => ended = true);
  await isUnderWay(tested);
  const copy = `${tested.folder}/copy.db`;
  const copied = database.snapshot(copy);
  while (!ended) {
    database.checkWritable();
    database.safekeeping?.checkpoint();
    isLocked(database);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await change;
  await copied;
  {
    using db = openDatabase(copy);
    assert.ok([0, ROUTES].includes(db.routes(1).length), "whole, before or after");
  }
  assert.equal(isLocked(database), false);
  assert.equal(database.routes(1).length, ROUTES);
});

/** Asks a handler of the admin API as a call does, and counts the turns that others have meanwhile. */
async function countTurns<T>(answer: Promise<T> | T): Promise<{ value: T; turns: number }> {
  let turns = 0;
  let ended = false;
  const done = Promise.resolve(answer).finally(() => ended = true);
  while (!ended) {
    await new Promise((resolve) => setTimeout(resolve, 0));
    turns++;
  }
  return { value: await done, turns };
}

const call = { signal: new AbortController().signal, metadata: () => undefined };

Deno.test("a large state is exported in turns, and as it was when that began", async () => {
  await using tested = await ControlUnderTest.start(ControlUnderTest.newFolder(), world);
  const { control, database } = tested;
  const rules = Array.from({ length: LISTED_RULES }, (_, i) => ({
    type: "cidr" as const,
    value: `10.${i >>> 8}.${i & 255}.0/24`,
    reason: "",
  }));
  const options = { dryRun: false, close: false };
  await control.wholeState.apply({ ...wanted(ROUTES), rules }, options, OPERATION);
  const { revision } = database.audit;
  const context = { control } as unknown as AdminContext;
  const asked = stateHandlers(context).exportState({} as never, call);
  const change = apply(tested, 1);
  const { value, turns } = await countTurns(asked);
  await change;
  assert.ok(turns > 3, `others had ${turns} turns`);
  assert.ok(database.audit.revision > revision, "it was changed meanwhile");
  assert.equal(Number(value.revision), revision);
  assert.equal(value.state?.listeners?.listeners?.[0]?.routes?.length, ROUTES);
  assert.equal(value.state?.firewall?.rules?.length, LISTED_RULES);
  const listed = await countTurns(
    firewallHandlers(context).getFirewallRules({ pageSize: 0, pageToken: "" } as never, call),
  );
  assert.ok(listed.turns > 3, `others had ${listed.turns} turns`);
  assert.equal(listed.value.rules?.length, LISTED_RULES);
});
