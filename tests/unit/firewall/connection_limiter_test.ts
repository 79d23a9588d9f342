import assert from "node:assert/strict";
import { type IpAddress, parseIp } from "../../../lib/addr/mod.ts";
import {
  type ConnectionLimiterOptions,
  createConnectionLimiter,
  type SourcePermit,
} from "../../../lib/firewall/mod.ts";
import { createRandom } from "../../support/fuzz.ts";

const KEY = Uint32Array.of(1, 2, 3, 4);

function ip(text: string): IpAddress {
  const parsed = parseIp(text);
  assert(parsed.ok, text);
  return parsed.value;
}

function limiterOf(options: Partial<ConnectionLimiterOptions> & { limit: number }) {
  return createConnectionLimiter(
    { key: KEY, workers: 4, ...options } as ConnectionLimiterOptions,
  );
}

Deno.test("acquire() gives a source its limit, and one more for each that comes back", () => {
  const limiter = limiterOf({ limit: 2 });
  const a = ip("192.0.2.1");
  const first = limiter.acquire(a, 0);
  const second = limiter.acquire(a, 1);
  assert.ok(first && second);
  assert.equal(limiter.acquire(a, 0), undefined, "the limit is over all workers");
  assert.ok(limiter.acquire(ip("192.0.2.2"), 0), "another source is not concerned");
  limiter.release(first, 0);
  assert.equal(limiter.count(a), 1);
  assert.ok(limiter.acquire(a, 3));
  assert.equal(limiter.acquire(a, 3), undefined);
  limiter.release(second, 1);
  assert.equal(limiter.count(a), 1);
});

Deno.test("a source whose last connection ends leaves its place to another", () => {
  const limiter = limiterOf({ limit: 5, maxSources: 8 });
  // Eight places: the ninth source finds none and is admitted uncounted.
  const sources = Array.from({ length: 9 }, (_, i) => ip(`198.51.100.${i}`));
  const permits = sources.map((source) => limiter.acquire(source, 0) as SourcePermit);
  assert.deepEqual(permits.map(({ slot }) => slot < 0), sources.map((_, i) => i === 8));
  const late = sources[8] as IpAddress;
  for (let i = 0; i < 10; i++) assert.ok(limiter.acquire(late, 0), "it escapes the limit");
  limiter.release(permits[8] as SourcePermit, 0);
  limiter.release(permits[3] as SourcePermit, 0);
  assert.equal(limiter.acquire(late, 0)?.slot, permits[3]?.slot, "the place that became free");
  assert.equal(limiter.count(late), 1);
});

Deno.test("acquire() counts an IPv6 prefix as one source, as long as it is told to be", () => {
  const addresses = ["2001:db8:0:0::1", "2001:db8:0:0:ffff::2", "2001:db8:0:1::1", "2001:db8:1::1"];
  const counts = (ipv6Prefix: number) => {
    const limiter = limiterOf({ limit: 100, ipv6Prefix });
    for (const address of addresses) limiter.acquire(ip(address), 0);
    return addresses.map((address) => limiter.count(ip(address)));
  };
  assert.deepEqual(counts(64), [2, 2, 1, 1]);
  assert.deepEqual(counts(56), [3, 3, 3, 1]);
  assert.deepEqual(counts(48), [3, 3, 3, 1]);
  assert.deepEqual(counts(32), [4, 4, 4, 4]);
  // An IPv4 address is none of them.
  const limiter = limiterOf({ limit: 1 });
  assert.ok(limiter.acquire(ip("32.1.13.184"), 0));
  assert.equal(limiter.count(ip("2001:db8::")), 0);
});

Deno.test("releaseAll() gives back what a dead worker held, and nothing of the others", () => {
  const limiter = limiterOf({ limit: 10 });
  const [a, b] = [ip("192.0.2.1"), ip("2001:db8::1")];
  for (let i = 0; i < 3; i++) limiter.acquire(a, 1);
  const kept = limiter.acquire(a, 2);
  limiter.acquire(b, 1);
  limiter.releaseAll(1);
  assert.deepEqual([limiter.count(a), limiter.count(b)], [1, 0]);
  limiter.releaseAll(1);
  assert.equal(limiter.count(a), 1, "a second time changes nothing");
  limiter.release(kept as SourcePermit, 2);
  assert.equal(limiter.count(a), 0);
});

Deno.test("a permit that comes back late takes nothing from who has its place now", () => {
  const limiter = limiterOf({ limit: 3, maxSources: 8 });
  const [a, b] = [ip("192.0.2.1"), ip("192.0.2.2")];
  const late = limiter.acquire(a, 0) as SourcePermit;
  limiter.releaseAll(0);
  const taken = limiter.acquire(b, 1) as SourcePermit;
  assert.equal(taken.slot, late.slot);
  limiter.release(late, 0);
  assert.equal(limiter.count(b), 1);
});

Deno.test.each([
  [400, 6, { maxSources: 8 }],
  [20_000, 40, {}],
])(
  "a limiter agrees with a plain count, whatever comes and goes (%i steps)",
  (steps, sources, options) => {
    const random = createRandom(14);
    const limit = 4;
    const limiter = limiterOf({ limit, ...options });
    const held: { source: number; worker: number; permit: SourcePermit }[] = [];
    const count = (source: number) => held.filter((each) => each.source === source).length;
    const addressOf = (source: number): IpAddress => ({
      family: 4,
      w0: 0,
      w1: 0,
      w2: 0,
      w3: source,
    });
    for (let step = 0; step < steps; step++) {
      const source = random.below(sources);
      const worker = random.below(4);
      switch (random.below(8)) {
        case 0: {
          const dead = random.below(4);
          limiter.releaseAll(dead);
          for (let i = held.length - 1; i >= 0; i--) {
            if (held[i]?.worker === dead) {
              held.splice(i, 1);
            }
          }
          break;
        }
        case 1:
        case 2:
        case 3: {
          const [gone] = held.splice(random.below(held.length + 1), 1);
          if (gone !== undefined) limiter.release(gone.permit, gone.worker);
          break;
        }
        default: {
          const permit = limiter.acquire(addressOf(source), worker);
          assert.equal(permit !== undefined, count(source) < limit, `step ${step}`);
          if (permit !== undefined) held.push({ source, worker, permit });
        }
      }
      assert.equal(limiter.count(addressOf(source)), count(source), `step ${step}`);
    }
  },
);

Deno.test("createConnectionLimiter() refuses options out of range and other buffers", () => {
  for (const limit of [0, -1, 1.5, 65_536, NaN]) {
    assert.throws(() => limiterOf({ limit }), RangeError);
  }
  for (const ipv6Prefix of [31, 65, 48.5]) {
    assert.throws(() => limiterOf({ limit: 1, ipv6Prefix }), RangeError);
  }
  for (const maxSources of [4, 12, 2 ** 25]) {
    assert.throws(() => limiterOf({ limit: 1, maxSources }), RangeError);
  }
  const buffer = new SharedArrayBuffer(4096);
  assert.throws(() => createConnectionLimiter({ limit: 1, buffer }), RangeError);
  assert.throws(() => limiterOf({ limit: 1 }).acquire(ip("192.0.2.1"), 4), RangeError);
  limiterOf({ limit: 65_535 });
});

Deno.test("createConnectionLimiter() takes 64 octets, 8 a source and 2 a source and worker", () => {
  const sizeOf = (options: object) => limiterOf({ limit: 1, ...options }).buffer.byteLength;
  assert.equal(sizeOf({ maxSources: 8, workers: 1 }), 64 + 8 * 10);
  assert.equal(sizeOf({ maxSources: 64, workers: 3 }), 64 + 64 * 14);
  assert.equal(sizeOf({ workers: 1 }), 64 + 2 ** 16 * 10);
});

Deno.test("createConnectionLimiter() refuses a key of any other length", () => {
  for (const length of [0, 3, 5]) {
    assert.throws(() => limiterOf({ limit: 1, key: new Uint32Array(length) }), RangeError);
  }
});

Deno.test("a worker that is overtaken notes the one connection that it has", () => {
  const limiter = limiterOf({ limit: 5 });
  const a = ip("192.0.2.1");
  const { compareExchange } = Atomics;
  Object.assign(Atomics, {
    compareExchange: (...args: Parameters<typeof compareExchange>) => {
      Object.assign(Atomics, { compareExchange });
      for (let i = 0; i < 3; i++) assert.ok(limiter.acquire(a, 1));
      return compareExchange(...args);
    },
  });
  try {
    assert.ok(limiter.acquire(a, 0));
  } finally {
    Object.assign(Atomics, { compareExchange });
  }
  assert.equal(limiter.count(a), 4);
  limiter.releaseAll(0);
  assert.equal(limiter.count(a), 3);
  limiter.releaseAll(1);
  assert.equal(limiter.count(a), 0);
});
