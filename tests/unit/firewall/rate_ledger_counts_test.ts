import assert from "node:assert/strict";
import { parseIp } from "../../../lib/addr/mod.ts";
import { createRateLimiter, RateLedger } from "../../../lib/firewall/mod.ts";

const LIMIT = 10;
const WINDOW_MS = 10_000;
const START_MS = 1_000_000;
/** No part of a window, so that some talk shortly before it ends. */
const TALK_MS = 700;
const NAME = "c0000207.0.4";
const SITE = "20010db8.10000.30";

function ip(text: string) {
  const parsed = parseIp(text);
  assert.ok(parsed.ok);
  return parsed.value;
}

const CLIENT = ip("192.0.2.7");

/** A limiter and its ledger, at one of two proxies. */
function create({ windowMs = WINDOW_MS, maxSources = 1024 } = {}) {
  const limits = { limit: LIMIT, windowMs };
  const key = Uint32Array.of(1, 2, 3, 4);
  const limiter = createRateLimiter({ ...limits, siteFactor: 2, key, notes: 64, maxSources });
  const ledger = new RateLedger({ buffer: limiter.buffer, ...limits, siteLimit: 2 * LIMIT });
  ledger.share({ proxies: 2, isAlone: false });
  /** Asks that many times; how many were admitted. */
  const ask = (times: number, nowMs: number) =>
    Array.from({ length: times }, () => limiter.admit(CLIENT, nowMs)).filter(Boolean).length;
  /** Until when, talking now and then, nobody is admitted. */
  const closedUntil = (fromMs: number, client = CLIENT) => {
    for (let nowMs = fromMs;; nowMs += 100) {
      if ((nowMs - fromMs) % TALK_MS === 0) ledger.tell(nowMs);
      if (limiter.look(client, nowMs).endsInMs === 0) return nowMs - START_MS;
    }
  };
  return { limiter, ledger, ask, closedUntil };
}

Deno.test("what others admit fills the window, and is not told as one's own", () => {
  const { limiter, ledger, ask } = create();
  assert.equal(ask(3, START_MS), 3);
  assert.deepEqual(ledger.tell(START_MS), [[NAME, 3]]);
  ledger.charge(NAME, 4, START_MS + 1_000);
  assert.equal(limiter.look(CLIENT, START_MS + 1_000).count, 7);
  assert.deepEqual(ledger.tell(START_MS + 1_000), [[NAME, 3]]);
  assert.equal(ask(5, START_MS + 2_000), 3);
  assert.deepEqual(ledger.tell(START_MS + 2_000), [[NAME, 6]]);
  assert.deepEqual(ledger.tell(START_MS + 3_000), [[NAME, 6]], "once");
  for (const count of [0, -4]) ledger.charge(NAME, count, START_MS + 3_000);
  assert.deepEqual(limiter.look(CLIENT, START_MS + 3_000), {
    ...{ count: 10, limit: LIMIT, endsInMs: 7_000 },
  });
});

Deno.test("what one admits is told over all of its windows, those of others in none", () => {
  const { ledger, ask } = create();
  for (let window = 0; window < 3; window++) {
    const nowMs = START_MS + window * (WINDOW_MS + 100);
    assert.equal(ask(4, nowMs), 4);
    assert.deepEqual(ledger.tell(nowMs), [[NAME, 5 * window + 4]]);
    ledger.charge(NAME, 5, nowMs + 1_000);
    assert.equal(ask(4, nowMs + 1_000), 1);
    assert.deepEqual(ledger.tell(nowMs + 1_000), [[NAME, 5 * window + 5]]);
  }
});

Deno.test("a window with three times the limit is closed for three, one within it for one", () => {
  const over = create();
  over.ask(10, START_MS);
  over.ledger.tell(START_MS);
  over.ledger.charge(NAME, 20, START_MS + 1_000);
  assert.equal(over.closedUntil(START_MS + 1_000), 3 * WINDOW_MS);
  const within = create();
  within.ask(4, START_MS);
  within.ledger.tell(START_MS);
  within.ledger.charge(NAME, 6, START_MS + 1_000);
  assert.equal(within.closedUntil(START_MS + 1_000), WINDOW_MS);
});

Deno.test("nobody is kept out for more than a hundred windows, whatever others say", () => {
  const { ledger, closedUntil } = create();
  ledger.charge(NAME, 60_000, START_MS);
  assert.equal(closedUntil(START_MS), 100 * WINDOW_MS);
});

Deno.test("a site waits off what is over its own limit, and an address what is over an address's", () => {
  const site = create();
  site.ledger.charge(SITE, 15, START_MS);
  const inside = ip("2001:db8:1:2::1");
  assert.equal(site.limiter.admit(inside, START_MS + WINDOW_MS + 100), true);
  const full = create();
  full.ledger.charge(SITE, 30, START_MS);
  for (let ms = 0; ms < 1.5 * WINDOW_MS; ms += TALK_MS) {
    full.ledger.tell(START_MS + ms);
    assert.equal(full.limiter.admit(inside, START_MS + ms), false, `${ms} ms`);
  }
  assert.equal(full.limiter.admit(inside, START_MS + 1.5 * WINDOW_MS + 100), true);
  const address = create();
  address.ledger.charge(NAME, 15, START_MS);
  assert.equal(address.closedUntil(START_MS), 1.5 * WINDOW_MS);
});

Deno.test("who has not come for ten seconds, or a longer window, is told no more", () => {
  for (const [windowMs, keptMs] of [[1_000, 10_000], [20_000, 20_000]] as const) {
    const { ledger, ask } = create({ windowMs });
    ask(5, START_MS);
    assert.equal(ledger.tell(START_MS).length, 1);
    assert.equal(ledger.tell(START_MS + keptMs).length, 1, `${windowMs}`);
    assert.equal(ledger.tell(START_MS + keptMs + 1).length, 0, `${windowMs}`);
  }
});

Deno.test("a ledger follows 1,024 sources, and takes no word of others until some are gone", () => {
  const { limiter, ledger } = create({ maxSources: 2 ** 16 });
  const nameAt = (i: number) => `c6${(0x120000 + i).toString(16).padStart(6, "0")}.0.4`;
  for (let i = 0; i < 1_025; i++) ledger.charge(nameAt(i), 3, START_MS);
  const countOf = (i: number, nowMs: number) => {
    return limiter.look(ip(`198.18.${i >> 8}.${i & 255}`), nowMs).count;
  };
  assert.deepEqual([countOf(1_023, START_MS), countOf(1_024, START_MS)], [3, 0]);
  ledger.tell(START_MS + 10_001);
  ledger.charge(nameAt(1_024), 3, START_MS + 10_001);
  assert.equal(countOf(1_024, START_MS + 10_001), 3);
});
