import assert from "node:assert/strict";
import { readExchanged } from "../../../lib/fleet/bulletin.ts";
import { editsToJson, entriesFromJson } from "../../../lib/fleet/log.ts";
import { ListenerNames } from "../../../lib/fleet/names.ts";
import { UnknownObjectError } from "../../../lib/fleet/mod.ts";
import { SHORT_KEY_LENGTH } from "../../../lib/balance/mod.ts";
import { SharedChecks } from "../../../lib/health/mod.ts";
import type { Random } from "../../support/fuzz.ts";
import { bytesOf, type FuzzTarget, textOf } from "../../support/fuzz_target.ts";

const NAMES = new ListenerNames([{ name: "edge", addr: "127.0.0.1:8443" }]);
const VALUES: readonly unknown[] = [
  ...[null, 0, -1, 1e300, 2 ** 53, true, "", "a", [], {}, [[]], [null], { a: [1] }],
  ...["put", "cut", "strip", "listener", "route", "policy", "rule", "rate_limit", "edge", ":443"],
  ...["__proto__", "hostname", "10.0.0.1:443", JSON.parse('{"__proto__":{"a":1}}')],
];

/** The same with one value of it, however deep, replaced by another. */
function replaceOne(value: unknown, random: Random): unknown {
  if (typeof value !== "object" || value === null || random.below(4) === 0) {
    return random.pick(VALUES);
  }
  const entries = Object.entries(value);
  if (entries.length === 0) return random.pick(VALUES);
  const [at] = random.pick(entries);
  const changed = entries.map(([key, it]) =>
    [key, key === at ? replaceOne(it, random) : it] as const
  );
  return Array.isArray(value) ? changed.map(([, it]) => it) : Object.fromEntries(changed);
}

function disturbed(value: unknown, random: Random): Uint8Array {
  for (let i = random.below(3); i > 0; i--) value = replaceOne(value, random);
  return bytesOf(JSON.stringify(value));
}

/** JSON as PostgreSQL gives it; nothing: it would never give this. */
function jsonOf(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(textOf(bytes));
  } catch {
    return undefined;
  }
}

function randomEntry(random: Random): Uint8Array {
  const edits = [
    ["put", ["listener", "edge"], { addr: "edge" }],
    ["put", ["listener", "edge", "route", "a.example"], {
      hostname: "a.example",
      backend: "10.0.0.1:443",
    }],
    ["put", ["rule", "block", "ip", "192.0.2.1"], { type: "ip", value: "192.0.2.1" }],
    ["strip", ["listener", "edge", "route", "a.example"]],
    ["cut", ["listener", "edge"]],
  ].filter(() => random.below(3) > 0);
  const audit = random.pick([[["route", "", ""]], []]);
  return disturbed([edits, audit], random);
}

/** What other proxies of a group have written into its log: edits and what they mean. */
export const FLEET_LOG: FuzzTarget = {
  name: "fleet_log",
  rounds: 4000,
  make: randomEntry,
  check(bytes) {
    const json = jsonOf(bytes);
    if (!Array.isArray(json)) return;
    const [edits, audit] = json;
    const row = (it: unknown) => [[1, "id", 0, "p1", "operator", "AddRoute", it, audit]];
    let entry;
    try {
      [entry] = entriesFromJson(row(edits), NAMES);
    } catch (error) {
      return void assert(error instanceof UnknownObjectError, String(error));
    }
    assert.ok(entry);
    const [again] = entriesFromJson(row(editsToJson(entry.edits, NAMES)), NAMES);
    assert.deepEqual(again, entry, "it is written as it was read");
  },
};

function randomBulletin(random: Random): Uint8Array {
  const key = "0123456789abcdef".repeat(2);
  return disturbed({
    checks: { passing: key, failing: random.pick(["", key]) },
    counts: [["global", "c0000207.0.4", random.below(100)]],
  }, random);
}

/** What another proxy of a group says each second. */
export const FLEET_BULLETIN: FuzzTarget = {
  name: "fleet_bulletin",
  rounds: 4000,
  make: randomBulletin,
  check(bytes) {
    const answer = JSON.stringify({ drain: null, others: [["p2", 10, 1, textOf(bytes)]] });
    const [other] = readExchanged(answer, new Map()).others;
    assert.ok(other);
    const { checks: told, counts = [] } = other.bulletin;
    for (const [limit, source, count] of counts) {
      assert.equal(`${typeof limit} ${typeof source}`, "string string");
      assert.ok(Number.isSafeInteger(count) && count >= 0);
    }
    if (told === undefined) return;
    const checks = new SharedChecks("p1");
    checks.hear(new Map([["p2", told]]));
    const { passing, failing } = checks.verdict(told.failing.slice(0, SHORT_KEY_LENGTH));
    assert.ok(passing <= told.passing.length && failing <= told.failing.length);
  },
};
