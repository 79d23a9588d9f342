/**
 * Turns to order and proofs of names in PostgreSQL: who has which, for how long, and who sees nothing of it.
 */
import assert from "node:assert/strict";
import postgres from "postgres";
import { GroupOrderTurns } from "../../lib/control/group_order_turns.ts";
import type { FleetLink, HeldTurn, TurnLimits } from "../../lib/fleet/mod.ts";
import { eventually } from "../support/deadline.ts";
import { createFleet, openLink, ROLE_PASSWORD } from "../support/fleet.ts";
import { postgresTest, startPostgres, type TestPostgres } from "../support/postgres.ts";

const DIRECTORY = "https://ca.example/dir";
const LONG: TurnLimits = { leaseMs: 60_000, maxAnHour: 0, maxThreeHours: 0 };
const SHORT: TurnLimits = { ...LONG, leaseMs: 50 };

postgresTest("turns to order are one proxy's at a time, and of its group alone", async () => {
  await using server = await startPostgres();
  await createFleet(server, { edge: ["p1", "p2"], other: ["stranger"] });
  await using first = openLink(server, { role: "p1" });
  await using second = openLink(server, { role: "p2" });
  await takeInTurn(first, second);
  await raceForTurns(first, second);
  await loseTurns(first, second);
  await showProofs(first, second);
  await countTurns(first, second);
  await putSecrets(first, second);
  await keepStrangersOut(server, first);
  await noticeSilence(server, first);
});

function of(name: string) {
  return { directory: DIRECTORY, name };
}

async function takeOne({ orders }: FleetLink, name: string, limits = LONG): Promise<HeldTurn> {
  const taken = await orders.take(of(name), limits);
  assert.ok(taken.status === "ours", JSON.stringify(taken));
  return taken.turn;
}

async function takeInTurn(first: FleetLink, second: FleetLink): Promise<void> {
  const turn = await takeOne(first, "a.example");
  const wait = await second.orders.take(of("a.example"), LONG);
  assert.ok(wait.status === "wait");
  assert.equal(wait.holder, "p1");
  assert.ok(wait.waitMs > 0 && wait.waitMs <= LONG.leaseMs, String(wait.waitMs));
  // Another name, and another authority, are others' business.
  await takeOne(second, "b.example");
  const elsewhere = { directory: "https://other.example/dir", name: "a.example" };
  assert.equal((await second.orders.take(elsewhere, LONG)).status, "ours");
  assert.equal(await first.orders.note(turn, "so far"), true);
  // A proxy that was started anew goes on at once, and nothing of before counts any more.
  const again = await first.orders.take(of("a.example"), LONG);
  assert.ok(again.status === "ours");
  assert.deepEqual([again.turn.fence, again.note], [turn.fence + 1, "so far"]);
  assert.equal(await first.orders.note(turn, "late"), false);
  assert.equal(await first.orders.end(turn, { waitMs: 0, note: "" }), false);
  // Whoever is next finds what was left, and not before its time.
  assert.equal(await first.orders.end(again.turn, { waitMs: 60_000, note: "failed once" }), true);
  const later = await second.orders.take(of("a.example"), LONG);
  assert.ok(later.status === "wait");
  assert.equal(later.holder, "");
  assert.ok(later.waitMs > 50_000 && later.waitMs <= 60_000);
  assert.equal((await first.orders.take(of("a.example"), LONG)).status, "wait");
}

async function raceForTurns(...links: FleetLink[]): Promise<void> {
  for (const name of ["r1.example", "r2.example", "r3.example"]) {
    const all = await Promise.all(links.map(({ orders }) => orders.take(of(name), LONG)));
    assert.equal(all.filter(({ status }) => status === "ours").length, 1);
  }
}

/** A holder that is cut off: what it still writes when another has taken over is told by its fence. */
async function loseTurns(first: FleetLink, second: FleetLink): Promise<void> {
  const { orders } = first;
  const turn = await takeOne(first, "lost.example", SHORT);
  let taken = await second.orders.take(of("lost.example"), LONG);
  await eventually(async () => {
    taken = await second.orders.take(of("lost.example"), LONG);
    return taken.status === "ours";
  }, "the lease ends");
  assert.ok(taken.status === "ours" && taken.turn.fence === turn.fence + 1);
  assert.equal(await orders.keep(turn, LONG.leaseMs), false);
  assert.equal(await orders.note(turn, "late"), false);
  assert.equal(await orders.show(turn, "late"), undefined);
  assert.equal(await orders.end(turn, { waitMs: 0, note: "" }), false);
  assert.equal(await second.orders.keep(taken.turn, LONG.leaseMs), true);
  // What has run out stays so, though nobody else has taken it.
  const expired = await takeOne(first, "expired.example", { ...LONG, leaseMs: 1 });
  await eventually(async () => !await orders.keep(expired, 1), "it ends");
  assert.equal(await orders.keep(expired, LONG.leaseMs), false);
}

async function showProofs(first: FleetLink, second: FleetLink): Promise<void> {
  const { orders } = first;
  const turn = await takeOne(first, "proof.example");
  const id = await orders.show(turn, "what proves it") ?? "";
  const [found, ...others] = await second.orders.proofs();
  assert.deepEqual(others, []);
  const { leftMs = 0, ...rest } = found ?? {};
  const { fence } = turn;
  assert.deepEqual(rest, {
    ...of("proof.example"),
    ...{ id, fence, proxy: "p1", proof: "what proves it" },
  });
  assert.ok(leftMs > 0 && leftMs <= LONG.leaseMs);
  await second.orders.sayShown([id]);
  await second.orders.sayShown([id]);
  assert.deepEqual(await orders.reach(id), { isThere: true, shown: ["p2"], alive: [] });
  const report = { version: "1", epoch: 1, revision: 0, health: "", uptimeMs: 1 };
  await second.report(report);
  assert.deepEqual((await orders.reach(id)).alive, ["p2"]);
  // Another one takes its place; it ends with the turn, and can be taken back before.
  const next = await orders.show(turn, "another") ?? "";
  assert.equal((await orders.reach(id)).isThere, false);
  await orders.hide(next);
  assert.deepEqual(await second.orders.proofs(), []);
  await orders.show(turn, "a third");
  assert.equal((await second.orders.proofs()).length, 1);
  await orders.end(turn, { waitMs: 0, note: "" });
  assert.deepEqual(await second.orders.proofs(), []);
  // Of one that dies it is over with its lease.
  const dying = await takeOne(first, "dying.example");
  assert.notEqual(await orders.show(dying, "x"), undefined);
  assert.equal(await orders.keep(dying, 50), true);
  await eventually(async () => (await second.orders.proofs()).length === 0, "it is over");
}

/** Whoever has seen what lies there may put another one in its place. */
async function putSecrets({ secrets: one }: FleetLink, { secrets: two }: FleetLink): Promise<void> {
  const secret = { name: "thing a", version: 1, sealed: "x" };
  assert.deepEqual(await one.read(0), { place: 0, read: 0, secrets: [] });
  const both = await Promise.all([one.put(secret, undefined), two.put(secret, undefined)]);
  assert.deepEqual(both.toSorted(), [false, true]);
  const { secrets: [found], place } = await two.read(0);
  assert.ok(found !== undefined && place >= 1);
  assert.deepEqual([found.name, found.version, found.sealed], ["thing a", 1, "x"]);
  assert.equal(await two.put({ ...secret, version: 2 }, crypto.randomUUID()), false);
  assert.equal(await two.put({ ...secret, version: 2, sealed: "y" }, found.id), true);
  assert.equal(await one.put({ ...secret, version: 2 }, found.id), false);
  const page = await one.read(place);
  assert.deepEqual(page.secrets.map(({ version, sealed }) => [version, sealed]), [[2, "y"]]);
  assert.deepEqual((await one.read(page.place)).secrets, []);
  // More than one page.
  await Promise.all(
    Array.from({ length: 120 }, (_, i) => one.put({ ...secret, name: `many ${i}` }, undefined)),
  );
  const names = new Set<string>();
  let after = 0;
  for (let isMore = true; isMore;) {
    const { read, place, secrets } = await two.read(after);
    for (const { name } of secrets) names.add(name);
    isMore = read < place;
    after = read;
  }
  assert.equal(names.size, 121);
}

async function countTurns(first: FleetLink, second: FleetLink): Promise<void> {
  const limits = { ...LONG, maxAnHour: 2 };
  for (const link of [first, second]) {
    const turn = await takeOne(link, "often.example", limits);
    await link.orders.end(turn, { waitMs: 0, note: "" });
  }
  const third = await first.orders.take(of("often.example"), limits);
  assert.ok(third.status === "wait" && third.waitMs > 3_500_000 && third.waitMs <= 3_600_000);
  const all = await second.orders.take(of("new.example"), { ...LONG, maxThreeHours: 2 });
  assert.ok(all.status === "wait" && all.waitMs <= 60_000);
  assert.equal((await second.orders.take(of("new.example"), LONG)).status, "ours");
}

async function keepStrangersOut(server: TestPostgres, first: FleetLink): Promise<void> {
  const turn = await takeOne(first, "ours.example");
  const id = await first.orders.show(turn, "ours") ?? "";
  await using stranger = openLink(server, { role: "stranger" });
  assert.deepEqual(await stranger.orders.proofs(), []);
  // Its own group is one of its own.
  const own = { group: "other", role: "stranger" };
  await using allowed = openLink(server, own);
  const theirs = await takeOne(allowed, "ours.example");
  assert.equal((await first.orders.take(of("ours.example"), LONG)).status, "ours");
  await allowed.orders.show(theirs, "theirs");
  assert.deepEqual((await allowed.secrets.read(0)).secrets, []);
  const another = { name: "thing a", version: 1, sealed: "theirs" };
  assert.equal(await allowed.secrets.put(another, undefined), true);
  await using posing = openLink(server, { group: "edge", role: "stranger" });
  const refused = /PostgreSQL refuses: the role stranger does not belong to the group 'edge'/;
  const { orders } = posing;
  for (
    const ask of [
      () => orders.take(of("x.example"), LONG),
      () => orders.keep(turn, 1),
      () => orders.note(turn, ""),
      () => orders.end(turn, { waitMs: 0, note: "" }),
      () => orders.show(turn, ""),
      () => orders.hide(id),
      () => orders.sayShown([id]),
      () => posing.secrets.put({ name: "thing a", version: 3, sealed: "z" }, undefined),
    ]
  ) await assert.rejects(ask(), refused);
  await keepRowsFrom(server);
}

/** What a role reads past all functions. */
async function keepRowsFrom({ address: { host, port, database } }: TestPostgres): Promise<void> {
  const sql = postgres({
    ...{ host, port, database, user: "stranger", password: ROLE_PASSWORD, max: 1 },
    onnotice: () => {},
  });
  try {
    for (const table of ["orders", "challenges", "secrets", "secret_places"]) {
      const rows = await sql.unsafe(`SELECT DISTINCT group_name FROM mc_proxy_fleet.${table}`);
      assert.deepEqual(rows.map(({ group_name }) => group_name), ["other"], table);
      for (const verb of ["DELETE FROM", "UPDATE"]) {
        const statement = `${verb} mc_proxy_fleet.${table}${
          verb === "UPDATE" ? " SET group_name = 'x'" : ""
        }`;
        await assert.rejects(sql.unsafe(statement), { code: "42501" }, statement);
      }
    }
    const announce = "SELECT mc_proxy_fleet.announce_orders('edge')";
    await assert.rejects(sql.unsafe(announce), { code: "42501" });
  } finally {
    await sql.end();
  }
}

/** A holder stops before PostgreSQL gives its turn to another, whatever it hears. */
async function noticeSilence(server: TestPostgres, { orders }: FleetLink): Promise<void> {
  const turns = new GroupOrderTurns({ orders, directory: DIRECTORY, log: () => {}, leaseMs: 1000 });
  const answer = await turns.take("silent.example", () => Promise.resolve());
  assert.ok(answer.status === "ours");
  const { turn } = answer;
  await server.pause();
  if (!turn.signal.aborted) {
    await new Promise((resolve) => turn.signal.addEventListener("abort", resolve));
  }
  await server.resume();
  assert.throws(() => turn.check(), { code: "cancelled" });
  assert.equal(turns.held("silent.example"), undefined);
}
