import assert from "node:assert/strict";
import {
  HitterTracker,
  type HitterWeight,
  HitterWindows,
  TRACKED_PLACES,
} from "../../../lib/hitters/mod.ts";
import { formatIp, ipv4, ipv6, parseIp } from "../../../lib/addr/mod.ts";
import { fuzzTest } from "../../support/fuzz.ts";

const MINUTE = 60_000;

const visitor = (address: string, name?: string, country?: string) => {
  const ip = parseIp(address);
  assert.ok(ip.ok);
  return { ip: ip.value, name, country };
};

const asked = (by: HitterWeight, windowMs = MINUTE, limit = 100) => {
  return { group: "client", by, windowMs, limit } as const;
};

Deno.test("HitterTracker tells clients, networks, names and countries apart", () => {
  const tracker = new HitterTracker();
  tracker.add("connections", visitor("192.0.2.1", "a.example", "NL"), 1);
  tracker.add("connections", visitor("192.0.2.200", "a.example", "NL"), 1);
  tracker.add("connections", visitor("2001:db8:1:2:aaaa:bbbb:cccc:dddd"), 1);
  tracker.add("connections", visitor("255.255.255.255"), 1);
  tracker.add("bytes", visitor("192.0.2.1"), 7);
  const keys = tracker.take().map(({ group, by, keys }) => `${by} ${group}: ${keys.join(" ")}`);
  assert.deepEqual(keys, [
    "connections client: 192.0.2.1 192.0.2.200 2001:db8:1:2:aaaa:bbbb:cccc:dddd 255.255.255.255",
    "bytes client: 192.0.2.1",
    "connections network: 192.0.2.0/24 2001:db8:1:2::/64 255.255.255.0/24",
    "bytes network: 192.0.2.0/24",
    "connections name: a.example",
    "connections country: NL",
  ]);
  assert.deepEqual(tracker.take(), [], "what was taken is not told again");
});

Deno.test("HitterWindows forgets what is older than the window, and not before", () => {
  const windows = new HitterWindows();
  const tracker = new HitterTracker();
  tracker.add("refused", visitor("192.0.2.1"), 3);
  windows.add(tracker.take(), 0);
  const refused = (windowMs: number, now: number) =>
    windows.top(asked("refused", windowMs), now).hitters.map((it) => it.refused);
  assert.deepEqual(refused(MINUTE, 60_000), [3]);
  assert.deepEqual(refused(MINUTE, 70_000), []);
  assert.deepEqual(refused(10 * MINUTE, 10 * MINUTE), [3]);
  assert.deepEqual(refused(10 * MINUTE, 11 * MINUTE), []);
  assert.deepEqual(refused(60 * MINUTE, 60 * MINUTE), [3]);
  assert.deepEqual(refused(60 * MINUTE, 65 * MINUTE), []);
  assert.throws(() => windows.top(asked("refused", 1234), 0), RangeError);
});

Deno.test("HitterWindows adds workers and spans up, and orders by what was asked for", () => {
  const windows = new HitterWindows();
  for (const [now, more] of [[0, 5], [1, 5], [30_000, 1]] as const) {
    const tracker = new HitterTracker();
    tracker.add("connections", visitor("192.0.2.1"), more);
    tracker.add("connections", visitor("192.0.2.2"), 4);
    tracker.add("bytes", visitor("192.0.2.2"), 1000);
    windows.add(tracker.take(), now);
  }
  assert.deepEqual(windows.top(asked("connections"), 30_000), {
    hitters: [
      { key: "192.0.2.2", connections: 12, refused: 0, bytes: 3000, uncertainty: 0 },
      { key: "192.0.2.1", connections: 11, refused: 0, bytes: 0, uncertainty: 0 },
    ],
    total: 23,
  });
  assert.equal(windows.top(asked("connections", MINUTE, 1), 30_000).hitters.length, 1);
  const half = { by: "connections", windowMs: MINUTE } as const;
  assert.equal(windows.countAbove(0.5, half, 30_000), 1);
});

fuzzTest(
  "the truth lies within what HitterWindows says, over workers that see floods",
  (random) => {
    const windows = new HitterWindows();
    const truth = new Map<string, number>();
    let total = 0;
    for (let turn = 0; turn < 30; turn++) {
      const tracker = new HitterTracker();
      for (let i = 0; i < 1000; i++) {
        // Three hammer, and thousands who come once or twice would hide them from a table of the last.
        const hammers = random.below(10) === 0;
        const ip = hammers
          ? ipv4(0x0a000001 + random.below(3))
          : random.below(2) === 0
          ? ipv4(0x0b000000 + random.below(20_000))
          : ipv6(0x20010db8, random.below(3), 0, random.below(20_000));
        tracker.add("refused", { ip }, 1);
        truth.set(formatIp(ip), (truth.get(formatIp(ip)) ?? 0) + 1);
        total++;
      }
      windows.add(tracker.take(), turn * 2000);
    }
    const found = windows.top(asked("refused", MINUTE, TRACKED_PLACES), 60_000);
    assert.equal(found.total, total);
    for (const { key, refused, uncertainty } of found.hitters) {
      const exact = truth.get(key) ?? 0;
      assert.ok(refused <= exact, `${key}: at least ${refused}, but there were ${exact}`);
      assert.ok(exact <= refused + uncertainty, `${key}: ${exact} > ${refused} + ${uncertainty}`);
    }
    const three = found.hitters.slice(0, 3).map(({ key }) => key).sort();
    assert.deepEqual(three, ["10.0.0.1", "10.0.0.2", "10.0.0.3"]);
  },
);

Deno.test("HitterWindows passes on what a worker may have missed or given to the wrong one", () => {
  const windows = new HitterWindows();
  const counted = { group: "client", by: "refused" } as const;
  windows.add([{ ...counted, keys: ["a"], counts: [5], errors: [0], missed: 0, total: 5 }], 0);
  windows.add([{ ...counted, keys: ["b"], counts: [9], errors: [2], missed: 3, total: 12 }], 0);
  const { hitters } = windows.top(asked("refused"), 0);
  assert.deepEqual(hitters.map(({ key, refused, uncertainty }) => [key, refused, uncertainty]), [
    ["b", 7, 2 + 3],
    ["a", 5, 3],
  ]);
});
