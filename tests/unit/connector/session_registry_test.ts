import assert from "node:assert/strict";
import {
  type AccessRequest,
  type Authorizer,
  createSessionRegistry,
  type Decision,
  type LiveSession,
  type SessionEnd,
} from "../../../lib/connector/mod.ts";
import { FakeClock } from "../../support/clock.ts";

const REVALIDATE_MS = 10_000;
const GRACE_MS = 60_000;
const ALLOWED: Decision = { allowed: true, address: "10.0.0.1" };

/** A registry over an authorizer whose answers the test chooses. */
function setUp() {
  const clock = new FakeClock(1_000_000);
  const asked: AccessRequest[][] = [];
  let decide: (request: AccessRequest) => Decision = () => ALLOWED;
  let hold: Promise<void> | undefined;
  const authorizer: Authorizer = {
    authorize: (request) => Promise.resolve(decide(request)),
    async authorizeAll(requests) {
      asked.push([...requests]);
      await hold;
      return requests.map(decide);
    },
    close: () => Promise.resolve(),
  };
  const registry = createSessionRegistry({
    authorizer,
    revalidateMs: REVALIDATE_MS,
    outageGraceMs: GRACE_MS,
    clock,
  });
  const ends: [string, SessionEnd][] = [];
  const session = (userId: string, changes: Partial<LiveSession> = {}): LiveSession => ({
    orgId: "acme",
    userId,
    connectId: "host-1",
    address: "10.0.0.1",
    notAfter: Infinity,
    close: (end) => ends.push([userId, end]),
    ...changes,
  });
  return {
    clock,
    asked,
    registry,
    ends,
    session,
    decide: (next: typeof decide) => decide = next,
    hold: (until: Promise<void> | undefined) => hold = until,
    /** Moves the clock and lets the answers arrive. */
    async pass(ms: number) {
      clock.advance(ms);
      await settle();
    },
    async [Symbol.asyncDispose]() {
      await registry[Symbol.asyncDispose]();
      assert.equal(clock.pending, 0);
    },
  };
}

const settle = () => new Promise((resolve) => setTimeout(resolve, 0));

Deno.test("SessionRegistry asks about every session each interval, equal ones once", async () => {
  await using t = setUp();
  for (let i = 0; i < 3; i++) t.registry.add(t.session("alice"));
  t.registry.add(t.session("bob"));
  await t.pass(REVALIDATE_MS - 1);
  assert.equal(t.asked.length, 0);
  await t.pass(1);
  assert.deepEqual(t.asked.map((batch) => batch.map(({ userId }) => userId)), [["alice", "bob"]]);
  await t.pass(REVALIDATE_MS);
  assert.equal(t.asked.length, 2);
  assert.deepEqual(t.ends, []);
  assert.equal(t.registry.size, 4);
});

Deno.test("SessionRegistry ends all sessions of a right that is gone, and no others", async () => {
  await using t = setUp();
  for (const user of ["alice", "bob", "alice"]) t.registry.add(t.session(user));
  t.decide(({ userId }) => userId === "alice" ? { allowed: false, cause: "not_listed" } : ALLOWED);
  await t.pass(REVALIDATE_MS);
  const end = { reason: "access_revoked", cause: "not_listed" };
  assert.deepEqual(t.ends, [["alice", end], ["alice", end]]);
  assert.deepEqual([...t.registry.sessions()].map(({ userId }) => userId), ["bob"]);
  await t.pass(REVALIDATE_MS);
  assert.equal(t.ends.length, 2);
});

Deno.test("SessionRegistry ends a session whose host has moved", async () => {
  await using t = setUp();
  t.registry.add(t.session("alice"));
  t.decide(() => ({ allowed: true, address: "10.0.0.2" }));
  await t.pass(REVALIDATE_MS);
  assert.deepEqual(t.ends, [["alice", { reason: "host_moved" }]]);
});

Deno.test("SessionRegistry ends a session after its certificate, also while the database is down", async () => {
  await using t = setUp();
  t.decide(() => ({ allowed: false, cause: "unavailable" }));
  const notAfter = t.clock.now() + REVALIDATE_MS;
  t.registry.add(t.session("alice", { notAfter }));
  t.registry.add(t.session("bob", { notAfter: notAfter + 1 }));
  await t.pass(REVALIDATE_MS);
  assert.deepEqual(t.ends, []);
  await t.pass(REVALIDATE_MS);
  const end = { reason: "certificate_expired" };
  assert.deepEqual(t.ends, [["alice", end], ["bob", end]]);
});

Deno.test("SessionRegistry keeps sessions through an outage up to the grace", async () => {
  await using t = setUp();
  t.registry.add(t.session("alice"));
  await t.pass(REVALIDATE_MS);
  t.decide(() => ({ allowed: false, cause: "unavailable" }));
  await t.pass(GRACE_MS);
  assert.deepEqual(t.ends, []);
  t.decide(() => ALLOWED);
  await t.pass(REVALIDATE_MS);
  t.decide(() => ({ allowed: false, cause: "unavailable" }));
  // Confirmed once more, so the grace has begun anew.
  await t.pass(GRACE_MS);
  assert.deepEqual(t.ends, []);
  await t.pass(REVALIDATE_MS);
  assert.deepEqual(t.ends, [["alice", { reason: "authorizer_unavailable" }]]);
});

Deno.test("SessionRegistry asks a database that does not answer once in a pass", async () => {
  await using t = setUp();
  for (let i = 0; i < 2_000; i++) t.registry.add(t.session(`user-${i}`));
  t.decide(() => ({ allowed: false, cause: "unavailable" }));
  await t.pass(REVALIDATE_MS);
  // One question in each of the two lanes.
  assert.equal(t.asked.length, 2);
  t.asked.length = 0;
  t.decide(() => ALLOWED);
  await t.pass(REVALIDATE_MS);
  assert.equal(t.asked.flat().length, 2_000);
  assert.ok(t.asked.every((batch) => batch.length <= 256));
  assert.equal(t.registry.size, 2_000);
});

Deno.test("SessionRegistry asks at once after a change, and bundles changes", async () => {
  await using t = setUp();
  t.registry.add(t.session("alice"));
  t.decide(() => ({ allowed: false, cause: "unknown_user" }));
  for (let i = 0; i < 100; i++) t.registry.changed();
  await t.pass(0);
  assert.equal(t.asked.length, 1);
  assert.deepEqual(t.ends, [["alice", { reason: "access_revoked", cause: "unknown_user" }]]);
  t.registry.add(t.session("bob"));
  for (let i = 0; i < 100; i++) t.registry.changed();
  await t.pass(100);
  assert.equal(t.asked.length, 2);
});

Deno.test("SessionRegistry asks again about a change that came during a pass", async () => {
  await using t = setUp();
  t.registry.add(t.session("alice"));
  const answer = Promise.withResolvers<void>();
  t.hold(answer.promise);
  await t.pass(REVALIDATE_MS);
  t.registry.changed();
  t.hold(undefined);
  answer.resolve();
  await settle();
  await t.pass(100);
  assert.equal(t.asked.length, 2);
});

Deno.test("SessionRegistry does not miss a change between authorisation and add()", async () => {
  await using t = setUp();
  const { epoch } = t.registry;
  t.registry.changed();
  await t.pass(0);
  t.decide(() => ({ allowed: false, cause: "not_listed" }));
  t.registry.add(t.session("alice"), epoch);
  await t.pass(100);
  assert.equal(t.ends.length, 1);
});

Deno.test("SessionRegistry leaves removed sessions alone and survives a close that throws", async () => {
  await using t = setUp();
  const handle = t.registry.add(t.session("alice"));
  const bad = t.session("bad", {
    close: () => {
      throw new Error("close failed");
    },
  });
  t.registry.add(bad);
  t.registry.add(t.session("bob"));
  const answer = Promise.withResolvers<void>();
  t.hold(answer.promise);
  t.decide(() => ({ allowed: false, cause: "not_listed" }));
  await t.pass(REVALIDATE_MS);
  handle[Symbol.dispose]();
  answer.resolve();
  await settle();
  assert.deepEqual(t.ends.map(([user]) => user), ["bob"]);
  assert.equal(t.registry.size, 0);
});

Deno.test("SessionRegistry ends matching sessions on demand", async () => {
  await using t = setUp();
  for (const user of ["alice", "bob", "alice"]) t.registry.add(t.session(user));
  const end: SessionEnd = { reason: "certificate_revoked" };
  assert.equal(t.registry.end(({ userId }) => userId === "alice", end), 2);
  assert.deepEqual(t.ends, [["alice", end], ["alice", end]]);
  assert.equal(t.registry.size, 1);
});

Deno.test("SessionRegistry survives a clock that is set back", async () => {
  await using t = setUp();
  t.registry.add(t.session("alice"));
  t.clock.jump(-500_000);
  t.registry.changed();
  await t.pass(100);
  assert.equal(t.asked.length, 1);
});
