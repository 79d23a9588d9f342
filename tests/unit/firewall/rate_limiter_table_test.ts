/** The table of sources: what it forgets, how it is shared by threads, and where sources lie in it. */
import assert from "node:assert/strict";
import { type IpAddress } from "../../../lib/addr/mod.ts";
import { createRateLimiter } from "../../../lib/firewall/mod.ts";
import { ip } from "../../support/firewall_rules.ts";
import { admitted, IP, KEY } from "../../support/rate_limiters.ts";

Deno.test("a full table forgets the oldest window and admits every stranger", () => {
  const limiter = createRateLimiter({ limit: 1, windowMs: 1_000_000, key: KEY, maxSources: 8 });
  const bytes = limiter.buffer.byteLength;
  const source = (n: number): IpAddress => ({ family: 4, w0: 0, w1: 0, w2: 0, w3: n });
  for (let n = 0; n < 8; n++) assert.equal(limiter.admit(source(n), n * 1000), true);
  for (let n = 0; n < 8; n++) assert.equal(limiter.admit(source(n), 9000), false);
  assert.equal(limiter.admit(source(100), 9000), true);
  // 0 was the oldest; it starts anew, and so forgets 1.
  assert.equal(limiter.admit(source(2), 9000), false);
  assert.equal(limiter.admit(source(0), 9001), true);
  assert.equal(limiter.admit(source(7), 9002), false);
  for (let n = 1000; n < 2000; n++) assert.equal(limiter.admit(source(n), 10_000), true);
  assert.equal(limiter.buffer.byteLength, bytes);
});

Deno.test("a closed window is forgotten before an open one", () => {
  const limiter = createRateLimiter({ limit: 1, windowMs: 1000, key: KEY, maxSources: 8 });
  const source = (n: number): IpAddress => ({ family: 4, w0: 0, w1: 0, w2: 0, w3: n });
  for (let n = 1; n < 8; n++) limiter.admit(source(n), 100);
  limiter.admit(source(0), 5000);
  for (let n = 100; n < 107; n++) assert.equal(limiter.admit(source(n), 5001), true);
  assert.equal(limiter.admit(source(0), 5002), false);
});

Deno.test("sources spread over the sets: a table filled to a fifth forgets hardly any", () => {
  const limiter = createRateLimiter({ limit: 1, windowMs: 1e6, key: KEY, maxSources: 8192 });
  // An IPv4 /21 and as many neighbouring IPv6 /64, as one network would send.
  const sources: IpAddress[] = [];
  for (let n = 0; n < 820; n++) {
    sources.push({ family: 4, w0: 0, w1: 0, w2: 0, w3: 0xc0000200 + n });
    sources.push({ family: 6, w0: 0x20010db8, w1: n, w2: 0, w3: 1 });
  }
  for (const source of sources) assert.equal(limiter.admit(source, 0), true);
  const forgotten = sources.filter((source) => limiter.admit(source, 1)).length;
  assert(forgotten < 10, `${forgotten} of ${sources.length}`);
});

Deno.test("createRateLimiter() takes 8 octets a source and 64 more, 2 MiB unless told otherwise", () => {
  const sizeOf = (maxSources?: number) =>
    createRateLimiter({ limit: 1, windowMs: 1000, key: KEY, ...maxSources && { maxSources } })
      .buffer.byteLength;
  assert.deepEqual([sizeOf(8), sizeOf(1024), sizeOf()], [128, 8256, 2 ** 21 + 64]);
});

Deno.test("the places of sources depend on every word of the key", () => {
  // With places for eight sources, which one of nine is forgotten depends on ages alone; with more,
  // which sources share a set depends on the key.
  const kept = (key: Uint32Array) => {
    const limiter = createRateLimiter({ limit: 1, windowMs: 1e6, key, maxSources: 64 });
    const sources = Array.from({ length: 64 }, (_, i) => ip(`198.51.100.${i}`));
    sources.forEach((source, i) => limiter.admit(source, i));
    return sources.map((source) => limiter.look(source, 100).count).join("");
  };
  const before = kept(KEY);
  assert.equal(kept(KEY), before);
  for (const word of [2, 3]) {
    assert.notEqual(kept(KEY.map((it, i) => i === word ? ~it : it)), before);
  }
});

Deno.test("a full table forgets the oldest window wherever it is, also when the clock carries", () => {
  const limiter = createRateLimiter({ limit: 1, windowMs: 60_000, key: KEY, maxSources: 8 });
  const source = (n: number): IpAddress => ({ family: 4, w0: 0, w1: 0, w2: 0, w3: n });
  // Source 3 is the oldest; between 2 and 4 the low half of the clock begins again.
  const start = 2 ** 16 * 1000;
  const after = [300, -100, -200, -300, 0, 100, 200, 400];
  after.forEach((ms, n) => assert.equal(limiter.admit(source(n), start + ms), true));
  assert.equal(limiter.admit(source(100), start + 500), true);
  const known = after.map((_, n) => limiter.look(source(n), start + 500).count);
  assert.deepEqual(known, [1, 1, 1, 0, 1, 1, 1, 1]);
  // Then the next oldest.
  assert.equal(limiter.admit(source(101), start + 500), true);
  assert.equal(limiter.look(source(2), start + 500).count, 0);
});

Deno.test("look() of a source that shares a set with another knows them apart", () => {
  const limiter = createRateLimiter({ limit: 5, windowMs: 1000, key: KEY, maxSources: 8 });
  const source = (n: number): IpAddress => ({ family: 4, w0: 0, w1: 0, w2: 0, w3: n });
  for (let n = 1; n <= 8; n++) for (let i = 0; i < n % 5; i++) limiter.admit(source(n), 7);
  const counts = Array.from({ length: 9 }, (_, i) => limiter.look(source(i + 1), 7).count);
  assert.deepEqual(counts, [1, 2, 3, 4, 0, 1, 2, 3, 0]);
});

/** Runs `body`; another thread does `before` just before the first slot is read whole in it. */
function overtaken(before: () => void, body: () => void): void {
  const { load } = Atomics;
  const restore = () => Object.assign(Atomics, { load });
  Object.assign(Atomics, {
    load: (array: Uint32Array, index: number) => {
      if ((array as unknown) instanceof BigUint64Array) {
        restore();
        before();
      }
      return load(array, index);
    },
  });
  try {
    body();
  } finally {
    restore();
  }
}

/** With this key the tag of {@link TAGLESS} is 0, as that of a free slot is. */
const TAGLESS_KEY = Uint32Array.of(1, 2, 3, 4);

const TAGLESS = ip("10.6.98.37");

Deno.test("a source whose tag is 0 is no free slot, and counts as any other", () => {
  const limiter = createRateLimiter({ limit: 2, windowMs: 1000, key: TAGLESS_KEY });
  assert.deepEqual(limiter.look(TAGLESS, 1), { count: 0, limit: 2, endsInMs: 0 });
  assert.equal(admitted(limiter, TAGLESS, [1, 2, 3, 4]), 2);
  assert.equal(limiter.look(TAGLESS, 4).count, 2);
  assert.equal(limiter.admit(TAGLESS, 1001), true);
});

Deno.test("two workers that meet a source at once count it in one slot", () => {
  const limiter = createRateLimiter({ limit: 2, windowMs: 1000, key: KEY });
  overtaken(
    () => assert.equal(limiter.admit(IP, 5), true),
    () => assert.equal(limiter.admit(IP, 5), true),
  );
  assert.equal(limiter.look(IP, 5).count, 2);
  assert.equal(limiter.admit(IP, 5), false);
});

Deno.test("a slot that another source takes meanwhile is left to it", () => {
  // One set, so that the ninth source takes the slot of the one whose window is the oldest.
  const limiter = createRateLimiter({ limit: 9, windowMs: 1000, key: KEY, maxSources: 8 });
  for (let i = 1; i <= 8; i++) limiter.admit(ip(`192.0.2.${i}`), i);
  const late = ip("192.0.2.9");
  overtaken(() => limiter.admit(late, 9), () => limiter.admit(IP, 9));
  assert.equal(limiter.look(late, 10).count, 1);
  assert.equal(limiter.look(IP, 10).count, 1, "it begins anew elsewhere");
  // Whoever only looks sees nothing of another source.
  let seen = limiter.look(ip("192.0.2.3"), 10);
  assert.equal(seen.count, 1);
  overtaken(
    () => {
      for (let i = 20; i < 28; i++) limiter.admit(ip(`192.0.2.${i}`), 2000);
    },
    () => seen = limiter.look(ip("192.0.2.3"), 2000),
  );
  assert.equal(seen.count, 0);
});

Deno.test("a slot that is emptied meanwhile is no window", () => {
  const limiter = createRateLimiter({ limit: 2, windowMs: 1000, key: TAGLESS_KEY });
  limiter.admit(TAGLESS, 1);
  const words = new BigUint64Array(limiter.buffer, 64);
  overtaken(() => words.fill(0n), () => assert.equal(limiter.admit(TAGLESS, 500), true));
  assert.deepEqual(limiter.look(TAGLESS, 500), { count: 1, limit: 2, endsInMs: 1000 });
});

Deno.test("whoever is overtaken again and again is refused", () => {
  const limiter = createRateLimiter({ limit: 2, windowMs: 1000, key: KEY });
  const { compareExchange } = Atomics;
  try {
    Object.assign(Atomics, { compareExchange: () => 7n });
    assert.equal(limiter.admit(IP, 0), false);
  } finally {
    Object.assign(Atomics, { compareExchange });
  }
});

Deno.test("a long window is counted in 65,536 parts, each rounded up", () => {
  const limiter = createRateLimiter({ limit: 1, windowMs: 600_000, key: KEY });
  // Parts of 10 ms: opened at 1, it began at 10.
  assert.equal(limiter.admit(IP, 1), true);
  assert.equal(limiter.admit(IP, 600_009), false);
  assert.equal(limiter.admit(IP, 600_010), true);
});
