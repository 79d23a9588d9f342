import assert from "node:assert/strict";
import { parseIp } from "../../../lib/addr/mod.ts";
import { createRateLimiter, RateLedger, type RateLimiter } from "../../../lib/firewall/mod.ts";

const WINDOW_MS = 10_000;
const BEAT_MS = 1_000;

function ip(text: string) {
  const parsed = parseIp(text);
  assert.ok(parsed.ok);
  return parsed.value;
}

const CLIENT = ip("192.0.2.7");

/** Proxies that share a limit, on one clock. */
class Group {
  readonly limiters: readonly RateLimiter[];
  readonly ledgers: readonly RateLedger[];
  /** What each has told last, by source. */
  readonly #told: Map<string, number>[];
  readonly #phases: readonly number[];
  nowMs = 1_000_000;
  /** When each connection was admitted. */
  readonly admitted: number[] = [];

  constructor(proxies: number, { limit = 20 }: { readonly limit?: number } = {}) {
    this.limiters = Array.from({ length: proxies }, (_, i) => {
      const key = Uint32Array.of(1, 2, 3, i);
      const size = { maxSources: 1024, notes: 64 };
      return createRateLimiter({ limit, windowMs: WINDOW_MS, key, ...size });
    });
    this.ledgers = this.limiters.map(({ buffer }) => {
      return new RateLedger({ buffer, limit, windowMs: WINDOW_MS });
    });
    for (const ledger of this.ledgers) ledger.share({ proxies, isAlone: false });
    this.#told = this.ledgers.map(() => new Map());
    this.#phases = this.ledgers.map((_, i) => Math.floor(i * BEAT_MS / proxies));
  }

  /** One more connection at one of them; whether it is admitted. */
  connect(proxy: number, client = CLIENT): boolean {
    const isAdmitted = this.limiters[proxy]?.admit(client, this.nowMs) === true;
    if (isAdmitted) this.admitted.push(this.nowMs);
    return isAdmitted;
  }

  /** Time passes, in steps of 100 ms; in each of its seconds every proxy talks once. */
  pass(ms: number): void {
    for (let left = ms; left > 0; left -= 100) {
      this.nowMs += 100;
      for (const [i, phase] of this.#phases.entries()) {
        if (
          Math.floor((this.nowMs - phase) / BEAT_MS) >
            Math.floor((this.nowMs - 100 - phase) / BEAT_MS)
        ) {
          this.talk(i);
        }
      }
    }
  }

  /** One tells what it has, and the others hear of it. */
  talk(from: number): void {
    const before = this.#told[from] ?? new Map();
    const told = new Map(this.ledgers[from]?.tell(this.nowMs));
    for (const [source, count] of told) {
      const more = count - (before.get(source) ?? 0);
      for (const [i, ledger] of this.ledgers.entries()) {
        if (i !== from) ledger.charge(source, more, this.nowMs);
      }
    }
    this.#told[from] = told;
  }

  /** The most that were admitted in any span of time from then on. */
  most(spanMs: number, fromMs = 0): number {
    const times = this.admitted.filter((at) => at >= fromMs);
    return Math.max(
      0,
      ...times.map((at) => times.filter((it) => it >= at && it < at + spanMs).length),
    );
  }
}

Deno.test("a client that stays at one proxy has the whole limit there, and no more at another", () => {
  const group = new Group(5);
  for (let i = 0; i < 20; i++) assert.equal(group.connect(0), true, `connection ${i}`);
  assert.equal(group.connect(0), false);
  group.pass(1_100);
  for (let proxy = 0; proxy < 5; proxy++) {
    assert.equal(group.connect(proxy), false, `proxy ${proxy}`);
  }
  // Nothing was admitted too much, so its time is over when it would be with one proxy.
  group.pass(WINDOW_MS);
  assert.equal(group.connect(0), true);
});

Deno.test("a client that comes to all proxies evenly has the limit over all of them", () => {
  const group = new Group(5);
  for (let second = 0; second < 60; second++) {
    for (let i = 0; i < 5; i++) group.connect(i);
    group.pass(BEAT_MS);
  }
  // Five a second are told a second later: 20 are over after four seconds, and one second is too late.
  assert.ok(group.most(WINDOW_MS) <= 20 + 5 * 2, `${group.most(WINDOW_MS)} in a window`);
  const perWindow = group.admitted.length / (60_000 / WINDOW_MS);
  assert.ok(perWindow <= 20 * 1.2 + 5 && perWindow >= 10, `${perWindow} a window`);
});

for (const proxies of [2, 5, 12]) {
  Deno.test(`a client that floods ${proxies} proxies has the limit in the long run, and one burst`, () => {
    const limit = 20;
    const group = new Group(proxies, { limit });
    const windows = 3 * proxies;
    const stepMs = 500;
    const start = group.nowMs;
    for (let ms = 0; ms < windows * WINDOW_MS; ms += stepMs) {
      for (let proxy = 0; proxy < proxies; proxy++) {
        for (let i = 0; i < limit && group.connect(proxy); i++);
      }
      group.pass(stepMs);
    }
    const burst = group.admitted.filter((at) => at < start + 1_500).length;
    assert.ok(burst <= proxies * limit, `a burst of ${burst}`);
    assert.ok(burst > (proxies - 1) * limit * 0.4, "what nobody can know is admitted");
    const most = limit * (windows + 1) + (proxies - 1) * limit;
    assert.ok(group.admitted.length <= most, `${group.admitted.length} of at most ${most}`);
    // Once the burst is waited off, it begins anew: never more than that in any such time.
    const span = proxies * WINDOW_MS;
    const bound = limit * (proxies + 1) + (proxies - 1) * limit;
    assert.ok(group.most(span) <= bound, `${group.most(span)} in ${proxies} windows`);
    assert.ok(group.admitted.length >= limit * windows * 0.5, "and it is not kept out for good");
  });
}

Deno.test("other clients feel nothing of it", () => {
  const group = new Group(5);
  for (let proxy = 0; proxy < 5; proxy++) for (let i = 0; i < 20; i++) group.connect(proxy);
  group.pass(2_000);
  const other = ip("198.51.100.1");
  for (let i = 0; i < 20; i++) assert.equal(group.connect(i % 5, other), true);
});

Deno.test("proxies that do not hear of each other have equal shares, and at least one each", () => {
  for (const [proxies, limit, share] of [[5, 20, 4], [3, 20, 7], [100, 20, 1]] as const) {
    const group = new Group(proxies, { limit });
    for (const ledger of group.ledgers) ledger.share({ proxies, isAlone: true });
    let admitted = 0;
    for (let i = 0; i < limit; i++) if (group.connect(0)) admitted++;
    assert.equal(admitted, share);
    assert.deepEqual(group.limiters[0]?.look(CLIENT, group.nowMs).limit, share);
    // They hear of each other again.
    group.ledgers[0]?.share({ proxies, isAlone: false });
    assert.equal(group.connect(0), true);
  }
});

Deno.test("a limiter whose ledger shares with nobody notes and divides nothing", () => {
  const key = Uint32Array.of(1, 2, 3, 4);
  const limiter = createRateLimiter({
    limit: 4,
    windowMs: WINDOW_MS,
    key,
    notes: 8,
    maxSources: 8,
  });
  const ledger = new RateLedger({ buffer: limiter.buffer, limit: 4, windowMs: WINDOW_MS });
  ledger.share({ proxies: 1, isAlone: true });
  for (let i = 0; i < 4; i++) assert.equal(limiter.admit(CLIENT, 5), true);
  assert.equal(limiter.admit(CLIENT, 5), false);
  assert.deepEqual(ledger.tell(5), []);
});

Deno.test("tell() names IPv4, IPv6 and sites, whoever came last first, and forgets who does not come", () => {
  const key = Uint32Array.of(1, 2, 3, 4);
  const limits = { limit: 4, windowMs: WINDOW_MS };
  const limiter = createRateLimiter({ ...limits, siteFactor: 2, key, notes: 8, maxSources: 1024 });
  const ledger = new RateLedger({ buffer: limiter.buffer, ...limits, siteLimit: 8 });
  ledger.share({ proxies: 4, isAlone: false });
  limiter.admit(CLIENT, 1_000);
  assert.deepEqual(ledger.tell(1_000), [["c0000207.0.4", 1]]);
  limiter.admit(ip("2001:db8:1:2::1"), 2_000);
  limiter.admit(ip("2001:db8:1:3::1"), 2_000);
  assert.deepEqual(ledger.tell(2_000), [
    ["20010db8.10000.30", 2],
    ["20010db8.10002.40", 1],
    ["20010db8.10003.40", 1],
    ["c0000207.0.4", 1],
  ]);
  // A site is over its own limit alone.
  ledger.charge("20010db8.10000.30", 6, 2_100);
  assert.equal(limiter.admit(ip("2001:db8:1:4::1"), 2_200), false);
  assert.equal(limiter.admit(CLIENT, 2_200), true);
  assert.deepEqual(ledger.tell(2_000 + WINDOW_MS * 10), []);
  for (
    const strange of ["", "c0000207", "c0000207.0", "x.0.4", "c0000207.0.4.5", "1ffffffff.0.4"]
  ) {
    ledger.charge(strange, 5, 3_000);
  }
});

Deno.test("tell() loses notes that are overwritten, and not its place among them", () => {
  const key = Uint32Array.of(1, 2, 3, 4);
  const limits = { limit: 4, windowMs: WINDOW_MS };
  const limiter = createRateLimiter({ ...limits, key, notes: 8, maxSources: 1024 });
  const ledger = new RateLedger({ buffer: limiter.buffer, ...limits });
  ledger.share({ proxies: 4, isAlone: false });
  for (let i = 0; i < 20; i++) limiter.admit(ip(`198.51.100.${i}`), 1_000);
  assert.deepEqual(
    ledger.tell(1_000).map(([name]) => name).sort(),
    Array.from({ length: 8 }, (_, i) => `c63364${(12 + i).toString(16).padStart(2, "0")}.0.4`)
      .sort(),
  );
  limiter.admit(ip("198.51.100.99"), 1_100);
  assert.equal(ledger.tell(1_100)[0]?.[0], "c6336463.0.4");
});

Deno.test("a buffer that says to be of another size is refused, and no thread reads beyond it", () => {
  const key = Uint32Array.of(1, 2, 3, 4);
  const { buffer } = createRateLimiter({ limit: 4, windowMs: 1_000, key, notes: 8, maxSources: 8 });
  for (const notes of [9, 5_000, 0xffffffff]) {
    new Uint32Array(buffer)[6] = notes;
    assert.throws(() => new RateLedger({ buffer, limit: 4, windowMs: 1_000 }), RangeError);
  }
});
