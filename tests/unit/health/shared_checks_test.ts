import assert from "node:assert/strict";
import { shortKey } from "../../../lib/balance/mod.ts";
import { MAX_TOLD, packKeys, SharedChecks } from "../../../lib/health/shared_checks.ts";

const PROXIES = ["p1", "p2", "p3", "p4", "p5"];
const KEYS = Array.from({ length: 2_000 }, (_, i) => shortKey(["a.example", `192.0.2.1:${i}`]));
const NOTHING = { passing: "", failing: "" };

/** One view for each proxy that knows of all the others. */
function group(proxies: readonly string[]): Map<string, SharedChecks> {
  return new Map(proxies.map((own) => {
    const shared = new SharedChecks(own);
    const others = proxies.filter((it) => it !== own);
    shared.hear(new Map(others.map((it) => [it, NOTHING])));
    return [own, shared];
  }));
}

/** Who checks a backend. */
function checkersOf(views: ReadonlyMap<string, SharedChecks>, key: string): string[] {
  return [...views].filter(([, view]) => view.isOurs(key)).map(([proxy]) => proxy);
}

Deno.test("shortKey() is 48 bits of the backend and of how it is checked, the same everywhere", () => {
  assert.equal(new Set(KEYS).size, KEYS.length);
  assert.ok(KEYS.every((key) => /^[A-Za-z0-9_-]{8}$/.test(key)));
  // Proxies of all versions have to agree.
  assert.equal(shortKey(["a.example", 1]), "QokXwHHm");
});

Deno.test("SharedChecks has two proxies of all check each backend, evenly, and one that is alone all", () => {
  const views = group(PROXIES);
  const load = new Map(PROXIES.map((proxy) => [proxy, 0]));
  for (const key of KEYS) {
    const checkers = checkersOf(views, key);
    assert.equal(checkers.length, 2, key);
    for (const it of checkers) load.set(it, (load.get(it) ?? 0) + 1);
  }
  for (const [proxy, count] of load) assert.ok(count > 650 && count < 950, `${proxy}: ${count}`);
  const alone = new SharedChecks("p1");
  assert.ok(KEYS.every((key) => alone.isOurs(key)));
  for (const key of KEYS) assert.equal(checkersOf(group(["p1", "p2"]), key).length, 2);
});

Deno.test("SharedChecks gives what a proxy checked to others when it is gone, and moves nothing else", () => {
  const before = group(PROXIES);
  const after = group(PROXIES.filter((it) => it !== "p3"));
  for (const key of KEYS) {
    const left = checkersOf(before, key).filter((it) => it !== "p3");
    const now = checkersOf(after, key);
    assert.equal(now.length, 2);
    assert.ok(left.every((it) => now.includes(it)), key);
  }
});

Deno.test("SharedChecks.hear() says whether anything is new, and verdict() what others have found", () => {
  const [a, b, c] = KEYS as [string, string, string];
  const shared = new SharedChecks("p1");
  const told = new Map([
    ["p2", { passing: packKeys([a]), failing: packKeys([b]) }],
    ["p3", { passing: packKeys([a, b]), failing: "" }],
  ]);
  assert.equal(shared.hear(told), true);
  assert.equal(shared.hear(new Map(told)), false);
  assert.deepEqual(shared.verdict(a), { passing: 2, failing: 0 });
  assert.deepEqual(shared.verdict(b), { passing: 1, failing: 1 });
  assert.deepEqual(shared.verdict(c), { passing: 0, failing: 0 });
  assert.equal(shared.hear(new Map()), true);
  assert.deepEqual(shared.verdict(a), { passing: 0, failing: 0 });
});

Deno.test("SharedChecks tells and takes so many results of a proxy and no more, and no half of a key", () => {
  const many = Array.from({ length: MAX_TOLD + 1 }, (_, i) => shortKey([i]));
  assert.equal(packKeys(many).length, MAX_TOLD * 8);
  const shared = new SharedChecks("p1");
  shared.hear(new Map([["p2", { passing: many.join(""), failing: "AAAA" }]]));
  assert.equal(shared.verdict(many[MAX_TOLD - 1] ?? "").passing, 1);
  assert.equal(shared.verdict(many[MAX_TOLD] ?? "").passing, 0);
  assert.equal(shared.verdict("AAAA").failing, 0);
});
