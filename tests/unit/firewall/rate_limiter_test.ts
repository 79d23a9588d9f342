import assert from "node:assert/strict";
import { type IpAddress } from "../../../lib/addr/mod.ts";
import { createRateLimiter, MAX_RATE_LIMIT } from "../../../lib/firewall/mod.ts";
import { createRandom } from "../../support/fuzz.ts";
import { ip } from "../../support/firewall_rules.ts";
import { admitted, IP, KEY } from "../../support/rate_limiters.ts";

Deno.test("admit() admits the limit in a window and again in the next", () => {
  const limiter = createRateLimiter({ limit: 3, windowMs: 1000, key: KEY });
  const start = 1_700_000_000_123;
  const verdicts = [0, 1, 999, 999, 999.9, 1000, 1001, 1002, 1003, 1999, 2000]
    .map((after) => limiter.admit(IP, start + after));
  assert.deepEqual(
    verdicts,
    [true, true, true, false, false, true, true, true, false, false, true],
  );
});

Deno.test("admit() opens a window with the first connection, not at fixed times", () => {
  const limiter = createRateLimiter({ limit: 2, windowMs: 10_000, key: KEY });
  assert.equal(admitted(limiter, IP, [9_990, 9_995, 10_005, 15_000, 19_989]), 2);
  assert.equal(limiter.admit(IP, 19_990), true);
});

Deno.test("admit() counts an IPv6 /64 as one source and IPv4 addresses apart", () => {
  const limiter = createRateLimiter({ limit: 1, windowMs: 1000, key: KEY });
  const verdicts = [
    "2001:db8:0:1::1",
    "2001:db8:0:1:ffff::2",
    "2001:db8:0:2::1",
    "192.0.2.1",
    "192.0.2.2",
    "::ffff:192.0.2.1",
    // The words of 192.0.2.1 as an IPv6 prefix.
    "c000:201::",
  ].map((text) => limiter.admit(ip(text), 0));
  assert.deepEqual(verdicts, [true, false, true, true, true, false, true]);
});

Deno.test("a limit of 0 admits everything", () => {
  const limiter = createRateLimiter({ limit: 0, windowMs: 1000, key: KEY });
  assert.equal(admitted(limiter, IP, new Array<number>(1000).fill(0)), 1000);
});

Deno.test("the largest limit is exact", () => {
  const limiter = createRateLimiter({ limit: MAX_RATE_LIMIT, windowMs: 1000, key: KEY });
  assert.equal(admitted(limiter, IP, new Array<number>(MAX_RATE_LIMIT + 10).fill(5)), 65_535);
  assert.equal(limiter.admit(IP, 1005), true);
});

Deno.test("limiters on one buffer count together, whatever the limit of each", () => {
  const first = createRateLimiter({ limit: 2, windowMs: 1000, key: KEY });
  const second = createRateLimiter({ limit: 3, windowMs: 1000, buffer: first.buffer });
  assert.equal(first.admit(IP, 0), true);
  assert.equal(second.admit(IP, 0), true);
  assert.equal(first.admit(IP, 0), false);
  assert.equal(second.admit(IP, 0), true);
  assert.equal(second.admit(IP, 0), false);
});

Deno.test("a clock behind by less than a window neither opens a window nor blocks for long", () => {
  const limiter = createRateLimiter({ limit: 2, windowMs: 1000, key: KEY });
  assert.equal(admitted(limiter, IP, [10_000, 9_999, 9_998, 9_000]), 2);
  assert.equal(limiter.admit(IP, 10_999), false);
  assert.equal(limiter.admit(IP, 11_000), true);
});

Deno.test.each([[1001], [60_000], [1e9], [1.6e12]])(
  "a clock that jumps back by %i ms does not lock an address out",
  (jump) => {
    const limiter = createRateLimiter({ limit: 1, windowMs: 1000, key: KEY });
    const start = 1_700_000_000_000;
    assert.equal(limiter.admit(IP, start), true);
    assert.equal(limiter.admit(IP, start - jump), true);
    assert.equal(limiter.admit(IP, start - jump), false);
    assert.equal(limiter.admit(IP, start - jump + 1000), true);
  },
);

Deno.test("admit() decides about times that are no clock's", () => {
  const limiter = createRateLimiter({ limit: 1, windowMs: 1000, key: KEY });
  for (const now of [0, -1, -1e15, 1e15, Number.MAX_SAFE_INTEGER, NaN, Infinity, 0.5]) {
    assert.equal(typeof limiter.admit(IP, now), "boolean");
  }
});

Deno.test.each([[1, 1], [2, 7], [3, 1000], [4, 65_537], [5, 200_001], [6, 86_400_000]])(
  "admit() agrees with a list of windows (seed %i, window of %i ms)",
  (seed, windowMs) => {
    const random = createRandom(seed);
    const limit = 1 + random.below(5);
    const limiter = createRateLimiter({ limit, windowMs, key: KEY });
    const tick = Math.ceil(windowMs / 65_536);
    const windows = new Map<number, { start: number; count: number }>();
    let now = 1_700_000_000_000;
    now -= now % tick;
    for (let i = 0; i < 20_000; i++) {
      // Whole ticks: within one the limiter may end a window late.
      now += random.below(2) === 0 ? 0 : tick * random.below(Math.ceil(windowMs / tick / 3) + 2);
      const n = random.below(20);
      const window = windows.get(n);
      const open = window !== undefined && now - window.start < windowMs;
      const want = !open || window.count < limit;
      if (!open) windows.set(n, { start: now, count: 1 });
      else if (want) window.count++;
      const source: IpAddress = { family: 4, w0: 0, w1: 0, w2: 0, w3: n };
      assert.equal(limiter.admit(source, now), want, `step ${i}`);
    }
  },
);

Deno.test("createRateLimiter() refuses options out of range", () => {
  const good = { limit: 1, windowMs: 1000, key: KEY };
  for (const bad of [{ limit: -1 }, { limit: 1.5 }, { limit: 65_536 }, { limit: NaN }]) {
    assert.throws(() => createRateLimiter({ ...good, ...bad }), RangeError);
  }
  for (const windowMs of [0, -1, 0.5, 1.5, 2 ** 32, NaN]) {
    const message = new RegExp(`^cannot limit per ${windowMs} ms`);
    assert.throws(() => createRateLimiter({ ...good, windowMs }), { name: "RangeError", message });
  }
  for (const maxSources of [0, 4, 9, 2 ** 27, NaN]) {
    assert.throws(() => createRateLimiter({ ...good, maxSources }), RangeError);
  }
  assert.throws(() => createRateLimiter({ ...good, key: KEY.subarray(1) }), RangeError);
});

Deno.test("createRateLimiter() refuses a buffer of another window or another kind", () => {
  const { buffer } = createRateLimiter({ limit: 1, windowMs: 1000, key: KEY });
  assert.throws(() => createRateLimiter({ limit: 1, windowMs: 2000, buffer }), RangeError);
  for (const bytes of [0, 8, 64, 128]) {
    const foreign = new SharedArrayBuffer(bytes);
    assert.throws(
      () => createRateLimiter({ limit: 1, windowMs: 1000, buffer: foreign }),
      RangeError,
    );
  }
});

Deno.test("admit() counts the prefix of IPv6 that it is told to", () => {
  const admitted = (ipv6Prefix: number, ...texts: string[]) => {
    const limiter = createRateLimiter({ limit: 1, windowMs: 1000, key: KEY, ipv6Prefix });
    return texts.map((text) => limiter.admit(ip(text), 1));
  };
  const near = ["2001:db8:0:0::1", "2001:db8:0:1::1", "2001:db8:0:100::1", "2001:db8:1::1"];
  assert.deepEqual(admitted(64, ...near), [true, true, true, true]);
  assert.deepEqual(admitted(56, ...near), [true, false, true, true]);
  assert.deepEqual(admitted(48, ...near), [true, false, false, true]);
  assert.deepEqual(admitted(32, ...near), [true, false, false, false]);
  assert.throws(() => admitted(65), RangeError);
  assert.throws(() => admitted(31), RangeError);
});

Deno.test("admit() gives a /48 a wider allowance of its own", () => {
  const options = { limit: 2, windowMs: 1000, key: KEY, siteFactor: 3 };
  const limiter = createRateLimiter(options);
  const of = (subnet: number, at = 1) =>
    limiter.admit(ip(`2001:db8:7:${subnet.toString(16)}::1`), at);
  // Six in all, two of each.
  assert.deepEqual([0, 0, 1, 1, 2, 2].map((subnet) => of(subnet)), Array(6).fill(true));
  assert.equal(of(3), false, "the site has had its share");
  assert.ok(limiter.admit(ip("2001:db8:8::1"), 1), "another site is not concerned");
  assert.ok(limiter.admit(ip("192.0.2.1"), 1), "nor is IPv4");
  assert.ok(of(4, 1001), "and again in the next window");
});

Deno.test("admit() takes nothing from a site for what one of its customers may not do", () => {
  const limiter = createRateLimiter({ limit: 2, windowMs: 1000, key: KEY, siteFactor: 2 });
  const of = (subnet: number) => limiter.admit(ip(`2001:db8:7:${subnet}::1`), 1);
  assert.deepEqual(Array.from({ length: 50 }, () => of(0)).filter(Boolean).length, 2);
  assert.deepEqual([of(1), of(1), of(1), of(2)], [true, true, false, false]);
});

Deno.test("admit() has no second allowance for a prefix that is no longer, or without a factor", () => {
  for (const options of [{ ipv6Prefix: 48, siteFactor: 1 }, { siteFactor: 0 }]) {
    const limiter = createRateLimiter({ limit: 3, windowMs: 1000, key: KEY, ...options });
    const admitted = Array.from({ length: 3 }, () => limiter.admit(ip("2001:db8:7:1::1"), 1));
    assert.deepEqual(admitted, [true, true, true]);
  }
});

Deno.test("no window ends early where its clock ticks in steps of more than a millisecond", () => {
  const windowMs = 2 ** 17; // In ticks of 2 ms.
  const limiter = createRateLimiter({ limit: 1, windowMs, key: KEY });
  assert.equal(limiter.admit(IP, 1), true);
  assert.equal(limiter.admit(IP, windowMs), false);
  assert.equal(limiter.admit(IP, windowMs + 2), true);
});

Deno.test("createRateLimiter() refuses a buffer of another kind although its second word is the window", () => {
  const foreign = new SharedArrayBuffer(128);
  new Uint32Array(foreign)[1] = 1000;
  assert.throws(() => createRateLimiter({ limit: 1, windowMs: 1000, buffer: foreign }), RangeError);
});

Deno.test("a limiter agrees with a list of windows over a few hundred steps", () => {
  const random = createRandom(9);
  const windowMs = 100;
  const limiter = createRateLimiter({ limit: 2, windowMs, key: KEY, maxSources: 64 });
  const windows = new Map<number, { start: number; count: number }>();
  let now = 2 ** 28 - 500; // The clock comes round on the way.
  for (let i = 0; i < 400; i++) {
    now += random.below(20);
    const n = random.below(6);
    const window = windows.get(n);
    const open = window !== undefined && now - window.start < windowMs;
    const want = !open || window.count < 2;
    if (!open) windows.set(n, { start: now, count: 1 });
    else if (want) window.count++;
    const source: IpAddress = { family: 4, w0: 0, w1: 0, w2: 0, w3: n };
    assert.equal(limiter.admit(source, now), want, `step ${i}`);
  }
});

Deno.test.each([
  // In ticks of 2 ms, the last one begun; in ticks of 4 ms; in ticks of 1 ms.
  [100_001, 100_000, 100_002],
  [200_001, 200_000, 200_004],
  [65_536, 65_535, 65_536],
  [65_537, 65_536, 65_538],
])(
  "a window of %i ms has not ended after %i ms, and has after %i",
  (windowMs, before, after) => {
    const limiter = createRateLimiter({ limit: 1, windowMs, key: KEY });
    assert.equal(limiter.admit(IP, 0), true);
    assert.equal(limiter.admit(IP, before), false);
    assert(limiter.look(IP, before).endsInMs >= windowMs - before);
    assert.equal(limiter.admit(IP, after), true);
  },
);

Deno.test("look() tells how far a source is in its window, and counts nothing", () => {
  const limiter = createRateLimiter({ limit: 3, windowMs: 1000, key: KEY });
  assert.deepEqual(limiter.look(IP, 5000), { count: 0, limit: 3, endsInMs: 0 });
  limiter.admit(IP, 5000);
  limiter.admit(IP, 5300);
  for (let i = 0; i < 3; i++) {
    assert.deepEqual(limiter.look(IP, 5300), { count: 2, limit: 3, endsInMs: 700 });
  }
  assert.deepEqual(limiter.look(IP, 5999), { count: 2, limit: 3, endsInMs: 1 });
  assert.deepEqual(limiter.look(IP, 6000), { count: 0, limit: 3, endsInMs: 0 });
  assert.deepEqual(limiter.look(ip("192.0.2.2"), 5300), { count: 0, limit: 3, endsInMs: 0 });
});

Deno.test("look() tells of the site when that is what is full", () => {
  const limiter = createRateLimiter({ limit: 2, windowMs: 1000, key: KEY, siteFactor: 2 });
  const of = (subnet: number) => ip(`2001:db8:7:${subnet}::1`);
  for (const subnet of [0, 1, 2]) limiter.admit(of(subnet), 100);
  assert.deepEqual(limiter.look(of(0), 200), { count: 1, limit: 2, endsInMs: 900 });
  limiter.admit(of(3), 200);
  assert.deepEqual(limiter.look(of(0), 200), { count: 4, limit: 4, endsInMs: 900 });
  assert.deepEqual(limiter.look(of(9), 200), { count: 4, limit: 4, endsInMs: 900 });
  // A source that is full itself is told so.
  limiter.admit(ip("2001:db8:8::1"), 200);
  limiter.admit(ip("2001:db8:8::1"), 200);
  assert.deepEqual(limiter.look(ip("2001:db8:8::1"), 200), { count: 2, limit: 2, endsInMs: 1000 });
  // Of IPv4 there are no sites.
  assert.deepEqual(limiter.look(IP, 200), { count: 0, limit: 2, endsInMs: 0 });
});

Deno.test.each([
  [{ limit: 0 }, true],
  [{ limit: 65_535 }, true],
  [{ windowMs: 1 }, true],
  [{ windowMs: 2 ** 32 - 1 }, true],
  [{ windowMs: 2 ** 32 }, false],
  [{ windowMs: 1.5 }, false],
  [{ maxSources: 8 }, true],
  [{ maxSources: 16 }, true],
  [{ maxSources: 24 }, false],
  [{ ipv6Prefix: 32 }, true],
  [{ ipv6Prefix: 64 }, true],
  [{ ipv6Prefix: 48.5 }, false],
])("createRateLimiter() with %j: %j", (option, taken) => {
  const make = () => createRateLimiter({ limit: 1, windowMs: 1000, key: KEY, ...option });
  if (taken) assert(make().buffer.byteLength > 0);
  else assert.throws(make, RangeError);
});

Deno.test("admit() counts an IPv4 address once, whatever sites of IPv6 may do", () => {
  const limiter = createRateLimiter({ limit: 2, windowMs: 1000, key: KEY, siteFactor: 3 });
  assert.deepEqual([1, 2, 3].map((now) => limiter.admit(IP, now)), [true, true, false]);
  assert.equal(limiter.look(IP, 5).count, 2);
});

Deno.test("a clock that jumps back early in its time ends a window too", () => {
  const limiter = createRateLimiter({ limit: 1, windowMs: 1000, key: KEY });
  assert.equal(limiter.admit(IP, 100_000), true);
  assert.deepEqual(limiter.look(IP, 99_500), { count: 1, limit: 1, endsInMs: 1000 });
  assert.equal(limiter.admit(IP, 99_000), false);
  assert.equal(limiter.admit(IP, 50_000), true);
});

Deno.test("createRateLimiter() says what a window may be", () => {
  const make = () => createRateLimiter({ limit: 1, windowMs: 2 ** 32, key: KEY });
  const message = "cannot limit per 4294967296 ms: not an integer in 1–4294967295";
  assert.throws(make, new RangeError(message));
});

Deno.test("look() of a source tells of its own limit when no site has one, or both are full", () => {
  const [a, b] = [ip("2001:db8:7:1::1"), ip("2001:db8:7:2::1")];
  const plain = createRateLimiter({ limit: 3, windowMs: 1000, key: KEY });
  plain.admit(a, 0);
  assert.deepEqual(plain.look(a, 0), { count: 1, limit: 3, endsInMs: 1000 });
  const both = createRateLimiter({ limit: 2, windowMs: 1000, key: KEY, siteFactor: 2 });
  for (const source of [a, a, b, b]) both.admit(source, 0);
  assert.deepEqual(both.look(a, 0), { count: 2, limit: 2, endsInMs: 1000 });
});
