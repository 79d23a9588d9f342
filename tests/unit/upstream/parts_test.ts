import assert from "node:assert/strict";
import { Alarm } from "../../../lib/upstream/alarm.ts";
import { Backoff } from "../../../lib/upstream/backoff.ts";
import { costOf, expectedCost } from "../../../lib/upstream/costs.ts";
import { Knowledge } from "../../../lib/upstream/knowledge.ts";
import { POOL_LIMITS } from "../../../lib/upstream/mod.ts";
import { Lane, type Waiting } from "../../../lib/upstream/lane.ts";
import { Lobby } from "../../../lib/upstream/lobby.ts";
import { Roster } from "../../../lib/upstream/roster.ts";
import { type Share, Shares } from "../../../lib/upstream/share.ts";
import { FakeClock } from "../../support/clock.ts";
import { type FakeLink, FakeWaiter } from "../../support/fake_links.ts";

Deno.test("POOL_LIMITS are what the documents say", () => {
  assert.deepEqual({ ...POOL_LIMITS }, {
    maxConnections: 512,
    maxH2Connections: 32,
    clientShare: 0.5,
    maxWaiting: 4096,
    maxIdle: 256,
    idleMs: 4000,
    h2IdleMs: 90_000,
    assumedStreams: 100,
    maxAttempts: 3,
    detectMs: 2000,
  });
});

Deno.test("Backoff pauses from the second failure on: 50, 100, … 1000 ms", () => {
  const backoff = new Backoff();
  assert.deepEqual([backoff.readyAt, backoff.probing], [-Infinity, false]);
  const pauses: number[] = [];
  for (let now = 0; now < 8; now++) {
    backoff.failed(now, now);
    pauses.push(backoff.readyAt - now);
    assert.equal(backoff.probing, now > 0);
  }
  assert.deepEqual(pauses, [-Infinity, 50, 100, 200, 400, 800, 1000, 1000]);
  backoff.failed(6.5, 8); // Started before the last failure.
  assert.equal(backoff.failures, 8);
  backoff.succeeded();
  assert.deepEqual([backoff.failures, backoff.readyAt, backoff.probing], [0, -Infinity, false]);
});

Deno.test("costOf() is a connection for HTTP/1.1, and a stream's part of one for HTTP/2", () => {
  const of = (protocol: string, capacity: number) =>
    costOf({ link: { protocol, capacity } } as never, POOL_LIMITS);
  assert.equal(of("http/1.1", 1), 1 / 512);
  assert.equal(of("h2", 100), 1 / 3200);
  assert.equal(of("h2", 0), 1 / 32);
  assert.equal(of("h2", 1024), 1 / (32 * 1024));
  assert.equal(of("h2", Infinity), 1 / (32 * 1024));
  assert.equal(expectedCost(true, POOL_LIMITS), 1 / 512);
  assert.equal(expectedCost(false, POOL_LIMITS), 1 / 3200);
});

Deno.test("Alarm rings once, at the earliest time it was told of, and again when it is told anew", () => {
  const clock = new FakeClock(1000);
  const rings: number[] = [];
  const timers = {
    now: clock.now,
    after: (ms: number, fn: () => void) => {
      const id = clock.setTimeout(fn, ms);
      return () => clock.clearTimeout(id);
    },
  };
  const alarm = new Alarm(timers, () => rings.push(clock.now()));
  alarm.by(3000);
  alarm.by(2000);
  alarm.by(2500);
  alarm.by(2000);
  assert.equal(clock.pending, 1, "one timer");
  clock.advance(5000);
  assert.deepEqual(rings, [2000]);
  alarm.by(5000); // Long past.
  clock.advance(0);
  assert.deepEqual(rings, [2000, 6000]);
  alarm.by(7000);
  alarm.cancel();
  assert.equal(clock.pending, 0);
  alarm.by(8000);
  clock.advance(5000);
  assert.deepEqual(rings, [2000, 6000, 8000]);
});

Deno.test("Lobby knows the queues that somebody stands in", () => {
  const lobby = new Lobby<FakeLink>({ maxWaiting: 4, cost: () => 0.1 });
  const share = new Shares<Waiting<FakeLink>>(0.5).of("a");
  const { any: queue } = new Lane<FakeLink>(undefined);
  const waiting = { waiter: new FakeWaiter(), queue, share, dueAt: 7, attempts: 0 };
  assert.equal(lobby.dueAt, Infinity);
  assert.equal(lobby.enter(waiting), true);
  assert.deepEqual([[...lobby.queues], lobby.dueAt], [[queue], 7]);
  lobby.leave(waiting);
  assert.deepEqual([lobby.queues.size, lobby.size], [0, 0]);
});

Deno.test("Roster knows a lane until it is forgotten", () => {
  const roster = new Roster<FakeLink>(POOL_LIMITS);
  const affinity = {};
  const lane = roster.laneOf(affinity);
  assert.equal(roster.laneOf(affinity), lane);
  roster.forget(lane);
  assert.equal(roster.lanes.size, 0);
  assert.notEqual(roster.laneOf(affinity), lane);
});

Deno.test("Knowledge: what is offered first, and what answers teach", () => {
  const plain = new Knowledge("auto", false);
  assert.deepEqual([plain.speaks, plain.detects, plain.offer(false)], [undefined, true, "h2"]);
  assert.equal(plain.offer(true), "http/1.1");
  plain.learned("h2");
  assert.equal(plain.offer(false), "h2");
  plain.notAnswered();
  assert.equal(plain.speaks, "h2", "only HTTP/1.1 can be unanswered");
  plain.notGreeted("nothing");
  assert.equal(plain.speaks, undefined);
  plain.notGreeted("nothing");
  assert.equal(plain.speaks, "http/1.1");
  plain.learned("h2");
  plain.notGreeted("http/1.1");
  assert.equal(plain.speaks, "http/1.1", "it said so");
  assert.equal(plain.offer(false), "http/1.1");
  plain.notAnswered();
  assert.equal(plain.speaks, undefined);

  const tls = new Knowledge("auto", true);
  assert.deepEqual([tls.detects, tls.offer(false), tls.offer(true)], [false, "auto", "http/1.1"]);
  tls.learned("http/1.1");
  tls.notGreeted("nothing");
  assert.equal(tls.speaks, "http/1.1", "over TLS the handshake has told");
  for (const fixed of ["h2", "http/1.1"] as const) {
    const known = new Knowledge(fixed, false);
    known.learned("h2");
    known.notGreeted("http/1.1");
    known.notAnswered();
    assert.deepEqual([known.speaks, known.detects, known.offer(false)], [fixed, false, fixed]);
    assert.equal(known.needsHttp1(true), false);
  }
  assert.deepEqual([plain.needsHttp1(true), plain.needsHttp1(false)], [true, false]);
});

Deno.test("Share admits up to its limit, the first request always, and is forgotten when it is empty", () => {
  const shares = new Shares<string>(0.5);
  const share: Share<string> = shares.of("a");
  assert.equal(shares.of("a"), share);
  assert.equal(share.admits(0.9), true, "somebody has to be served");
  assert.equal(share.admits(0.25, 1), true);
  assert.equal(share.admits(0.25, 2), false);
  assert.equal(share.admits(0.9, 1), false);
  share.take(0.25);
  assert.equal(share.admits(0.25), true, "at the limit");
  assert.equal(share.admits(0.26), false);
  share.take(0.25);
  assert.equal(share.admits(0.001), false);
  share.enter();
  share.give(0.25);
  assert.equal(share.admits(0.25), true);
  share.give(0.25);
  assert.equal(shares.size, 1, "one waits");
  assert.equal(share.admits(0.5), true, "nothing is left of sums of fractions");
  share.leave();
  assert.equal(shares.size, 0);
  for (const cost of [0.25, 0.125, 0.125]) share.take(cost);
  share.give(0.125);
  share.give(0.125);
  assert.deepEqual([share.admits(0.25), share.admits(0.26)], [true, false], "the last one counts");
  share.give(0.25);
  share.take(0.25);
  assert.equal(share.admits(0.25), true, "and leaves nothing when it goes");
  const other = shares.of("b");
  other.take(0.1);
  other.settle();
  assert.equal(shares.size, 1);
});
