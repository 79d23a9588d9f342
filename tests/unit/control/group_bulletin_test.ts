import assert from "node:assert/strict";
import type { FleetStatus } from "../../../lib/control/fleet_status.ts";
import { GroupBulletin } from "../../../lib/control/group_bulletin.ts";
import type { Exchanged } from "../../../lib/fleet/mod.ts";
import { eventually } from "../../support/deadline.ts";

const REPORT = { version: "0", epoch: 1, revision: 7, health: "", uptimeMs: 0 };
/** Beats come as if there were none, but for a test that wants them. */
const NEVER_MS = 1_000_000;

/** A group that answers as the test wants it. */
class Group {
  exchanges = 0;
  calls = 0;
  reports = 0;
  answer: () => Promise<Exchanged | undefined> = () =>
    Promise.resolve({ drain: undefined, others: [] });
  readonly heard: (Exchanged | undefined)[] = [];

  open(beatMs = NEVER_MS): GroupBulletin {
    return new GroupBulletin({
      link: {
        exchange: () => {
          this.exchanges++;
          return this.answer();
        },
        callAttention: () => Promise.resolve(void this.calls++),
        report: () => Promise.resolve(void this.reports++),
      },
      report: () => REPORT,
      bulletin: () => ({}),
      status: () => ({}) as FleetStatus,
      onHeard: (exchanged) => this.heard.push(exchanged),
      beatMs,
    });
  }
}

function other(proxy: string, silentMs: number) {
  return { proxy, silentMs, stamp: 1, bulletin: {} };
}

Deno.test("GroupBulletin exchanges at once, and knows those who were heard within three beats", async () => {
  const group = new Group();
  const others = [other("p2", 0), other("p3", 3 * NEVER_MS), other("p4", 3 * NEVER_MS + 1)];
  group.answer = () => Promise.resolve({ drain: undefined, others });
  await using bulletin = group.open();
  await eventually(() => group.heard.length === 1, "an answer");
  assert.deepEqual(bulletin.others.map(({ proxy }) => proxy), ["p2", "p3"]);
  assert.deepEqual(group.heard[0]?.others.map(({ proxy }) => proxy), ["p2", "p3"]);
});

Deno.test("GroupBulletin is alone after two errors in a row, and says so once until it hears again", async () => {
  const group = new Group();
  let fails = false;
  group.answer = () =>
    fails
      ? Promise.reject(new Error("no"))
      : Promise.resolve({ drain: undefined, others: [other("p2", 0)] });
  await using bulletin = group.open();
  await eventually(() => group.heard.length === 1, "an answer");
  fails = true;
  for (const [errors, there] of [[1, 1], [2, 0], [3, 0]] as const) {
    bulletin.exchange();
    await eventually(() => group.exchanges === errors + 1, "an error");
    await new Promise((resolve) => setTimeout(resolve, 0));
    assert.equal(bulletin.others.length, there);
  }
  assert.deepEqual(group.heard.slice(1), [undefined]);
  fails = false;
  bulletin.exchange();
  await eventually(() => bulletin.others.length === 1, "it is heard again");
});

Deno.test("GroupBulletin is alone when no answer comes", async () => {
  const group = new Group();
  await using bulletin = group.open(20);
  await eventually(() => group.heard.length > 0, "an answer");
  const silent = Promise.withResolvers<undefined>();
  group.answer = () => silent.promise;
  await eventually(() => group.heard.at(-1) === undefined, "silence is noticed");
  assert.equal(bulletin.isAlone, true);
  silent.resolve(undefined);
});

Deno.test("GroupBulletin that is called again and again exchanges a few times a second", async () => {
  const group = new Group();
  await using bulletin = group.open();
  await eventually(() => group.heard.length === 1, "an answer");
  const begin = performance.now();
  while (group.exchanges < 4) {
    for (let i = 0; i < 100; i++) bulletin.hearCall();
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  assert.ok(performance.now() - begin >= 2 * 200, "a fifth of a second lies between two");
});

Deno.test("GroupBulletin calls the others after it has told what they are to hear", async () => {
  const group = new Group();
  await using bulletin = group.open();
  await eventually(() => group.heard.length === 1, "an answer");
  assert.equal(group.calls, 0);
  for (let i = 0; i < 10; i++) bulletin.callAttention();
  await eventually(() => group.calls === 1, "they are called");
  assert.equal(group.exchanges, 2);
});

Deno.test("GroupBulletin reports where the tables know nothing of bulletins", async () => {
  const group = new Group();
  group.answer = () => Promise.resolve(undefined);
  await using bulletin = group.open();
  await eventually(() => group.reports === 1, "a report");
  assert.deepEqual([bulletin.isAlone, bulletin.others], [true, []]);
});
