import assert from "node:assert/strict";
import {
  type Authorizer,
  DatabaseAdmission,
  type Decision,
  type SessionEnd,
} from "../../../lib/connector/mod.ts";
import type { LogRecord } from "../../../lib/observe/mod.ts";
import { FakeTimers } from "../../support/fake_timers.ts";

const SETTINGS = { authorizationCacheMs: 60_000, revalidateMs: 3_600_000, outageGraceMs: 1000 };
const YES: Decision = { allowed: true, address: "10.0.0.5" };
const NO: Decision = { allowed: false, cause: "not_listed" };

/** Answers what it is told to, when it is told to. */
class ScriptedAuthorizer implements Authorizer {
  asked = 0;
  decision: Decision = YES;
  hold: Promise<void> | undefined;

  async authorize(): Promise<Decision> {
    this.asked++;
    await this.hold;
    return this.decision;
  }

  authorizeAll(requests: readonly unknown[]): Promise<Decision[]> {
    return Promise.resolve(requests.map(() => this.decision));
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

const request = (id: string) => ({
  id,
  orgId: "acme",
  userId: "alice",
  connectId: "web",
  notAfter: Date.now() + 3_600_000,
});

function open(): { access: DatabaseAdmission; authorizer: ScriptedAuthorizer; logs: LogRecord[] } {
  const authorizer = new ScriptedAuthorizer();
  const logs: LogRecord[] = [];
  const log = (record: LogRecord) => void logs.push(record);
  return {
    access: new DatabaseAdmission({ authorizer, settings: SETTINGS, log }),
    authorizer,
    logs,
  };
}

const unexpected = () => assert.fail("nobody ends this session");

Deno.test("DatabaseAdmission.admit() registers an allowed session until it leaves", async () => {
  const { access } = open();
  await using _access = access;
  assert.deepEqual(await access.admit(request("1"), unexpected), YES);
  assert.equal(access.size, 1);
  access.leave("1");
  access.leave("1");
  assert.equal(access.size, 0);
});

Deno.test("DatabaseAdmission.admit() registers nobody who was refused", async () => {
  const { access, authorizer } = open();
  await using _access = access;
  authorizer.decision = NO;
  assert.deepEqual(await access.admit(request("1"), unexpected), NO);
  assert.equal(access.size, 0);
});

Deno.test("DatabaseAdmission.admit() registers nobody who left before the answer", async () => {
  const { access, authorizer } = open();
  await using _access = access;
  const held = Promise.withResolvers<void>();
  authorizer.hold = held.promise;
  const asking = access.admit(request("1"), unexpected);
  access.leave("1");
  held.resolve();
  await asking;
  assert.equal(access.size, 0);
});

Deno.test("DatabaseAdmission.changed() forgets remembered answers and ends who is not allowed any more", async () => {
  const { access, authorizer } = open();
  await using _access = access;
  const ended = Promise.withResolvers<SessionEnd>();
  await access.admit(request("1"), ended.resolve);
  authorizer.decision = NO;
  assert.deepEqual(await access.admit(request("2"), unexpected), YES, "still remembered");
  access.leave("2");
  access.changed();
  assert.deepEqual(await access.admit(request("3"), unexpected), NO);
  assert.deepEqual(await ended.promise, { reason: "access_revoked", cause: "not_listed" });
  assert.equal(access.size, 0);
});

Deno.test("DatabaseAdmission misses no change that comes while a session is being admitted", async () => {
  const { access, authorizer } = open();
  await using _access = access;
  const held = Promise.withResolvers<void>();
  authorizer.hold = held.promise;
  const ended = Promise.withResolvers<SessionEnd>();
  const asking = access.admit(request("1"), ended.resolve);
  access.changed();
  held.resolve();
  assert.deepEqual(await asking, YES);
  authorizer.decision = NO;
  assert.equal((await ended.promise).reason, "access_revoked");
});

Deno.test("DatabaseAdmission asks again about a session whose admission a whole round of questions went past", async () => {
  using timers = new FakeTimers();
  const { access, authorizer } = open();
  await using _access = access;
  const held = Promise.withResolvers<void>();
  authorizer.hold = held.promise;
  const ended = Promise.withResolvers<SessionEnd>();
  const asking = access.admit(request("1"), ended.resolve);
  access.changed();
  await drainTimers(timers);
  held.resolve();
  await asking;
  authorizer.decision = NO;
  await drainTimers(timers);
  assert.equal(access.size, 0);
  assert.equal((await ended.promise).reason, "access_revoked");
});

/** Ten seconds: what was asked for is asked; the round that comes every hour is not due. */
async function drainTimers(timers: FakeTimers): Promise<void> {
  for (let i = 0; i < 10; i++) {
    timers.advance(1000);
    await timers.settle();
  }
}
