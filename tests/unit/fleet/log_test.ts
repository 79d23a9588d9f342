import assert from "node:assert/strict";
import {
  type Edit,
  type Entry,
  ForeignHistoryError,
  keyOf,
  type ObjectKey,
  stepsOf,
  UnknownObjectError,
  wayFrom,
} from "../../../lib/fleet/mod.ts";
import { editsFromJson, editsToJson } from "../../../lib/fleet/log.ts";
import { ListenerNames } from "../../../lib/fleet/names.ts";

const NO_NAMES = new ListenerNames();
const HERE = { group: "g", epoch: 1, revision: 5, entry: "e5" };

Deno.test("wayFrom() follows what goes on from the replica's own entry", () => {
  const head = { group: "g", epoch: 1, revision: 9, at: "e5", oldest: 1 };
  assert.equal(wayFrom(HERE, head), "follow");
  assert.equal(wayFrom(HERE, { ...head, revision: 5 }), "follow");
  assert.equal(wayFrom(HERE, { ...head, oldest: 5 }), "follow");
  // The log begins right behind us: nothing is missing.
  assert.equal(wayFrom(HERE, { ...head, at: undefined, oldest: 6 }), "follow");
});

Deno.test("wayFrom() takes everything where the log does not reach back, or the epoch is newer", () => {
  const head = { group: "g", epoch: 1, revision: 9, at: undefined, oldest: 7 };
  assert.equal(wayFrom(HERE, head), "take_all");
  assert.equal(wayFrom(HERE, { ...head, epoch: 2, revision: 1, oldest: 1 }), "take_all");
});

Deno.test("wayFrom() refuses a history that is not the replica's, with the cure", () => {
  const head = { group: "g", epoch: 1, revision: 9, at: "e5", oldest: 1 };
  const cases: [object, RegExp][] = [
    [{ at: "other" }, /accept_restored/],
    [{ at: undefined }, /accept_restored/],
    [{ revision: 4, at: undefined }, /revision 5 of the group, which PostgreSQL, at revision 4/],
    [{ revision: 0, at: undefined, oldest: 0 }, /accept_restored/],
    [{ epoch: 0 }, /accept_restored/],
    [{ group: "another" }, /mend state.postgres/],
  ];
  for (const [change, message] of cases) {
    const isRefused = (error: unknown) =>
      error instanceof ForeignHistoryError && message.test(error.message);
    assert.throws(() => wayFrom(HERE, { ...head, ...change }), isRefused, JSON.stringify(change));
  }
});

Deno.test("stepsOf() refuses a revision that is missing, or comes twice", () => {
  const entries = [entry(6, []), entry(7, [])];
  assert.equal(stepsOf(5, entries).length, 1);
  assert.deepEqual(stepsOf(5, []), []);
  assert.throws(() => stepsOf(4, entries), /revision 6 where 5 is due/);
  assert.throws(() => stepsOf(5, [entry(6, []), entry(6, [])]), /revision 6 where 7 is due/);
  assert.throws(() => stepsOf(5, [entry(6, []), entry(8, [])]), /revision 8 where 7 is due/);
});

Deno.test("stepsOf() says each thing once, and what is put again after a cut in another step", () => {
  const [first, second, ...others] = stepsOf(0, [
    entry(1, [put("a", 1)]),
    entry(2, [put("a", 2), put("b", 1)]),
    entry(3, [cut("a")]),
    entry(4, [put("b", 2)]),
    entry(5, [put("a", 3)]),
  ]);
  assert.deepEqual(others, []);
  assert.deepEqual(first?.entries.map(({ revision }) => revision), [1, 2, 3, 4]);
  assert.deepEqual(first?.edits, [cut("a"), put("b", 2)]);
  assert.deepEqual(second?.edits, [put("a", 3)]);
});

Deno.test("a listener that goes takes along what is below it, and nothing that begins alike", () => {
  const below = route(":1", "a.test");
  const beside = route(":12", "a.test");
  const gone: Edit = { do: "cut", key: ["listener", ":1"] };
  const [step] = stepsOf(0, [entry(1, [below, beside]), entry(2, [gone])]);
  assert.deepEqual(step?.edits, [gone, beside]);
  // What comes back below it waits for the next step.
  assert.equal(stepsOf(0, [entry(1, [gone]), entry(2, [below])]).length, 2);
  const stripped: Edit = { do: "strip", key: ["listener", ":1"] };
  assert.equal(stepsOf(0, [entry(1, [stripped]), entry(2, [below])]).length, 2);
});

Deno.test("replicas that follow in portions of any size hold the same, in the same order", () => {
  const seed = crypto.getRandomValues(new Uint32Array(1))[0] ?? 0;
  const random = generator(seed);
  const entries = Array.from({ length: 400 }, (_, i) => {
    const name = `n${random(12)}`;
    return entry(i + 1, random(3) === 0 ? [cut(name)] : [put(name, i), put(`n${random(12)}`, i)]);
  });
  const replicas = [1, 7, 400].map((most) => {
    const replica = new Map<string, number>();
    for (let at = 0; at < entries.length;) {
      const portion = entries.slice(at, at + 1 + random(most));
      for (const { edits } of stepsOf(at, portion)) apply(replica, edits);
      at += portion.length;
    }
    return [...replica];
  });
  assert.deepEqual(replicas[1], replicas[0], `seed ${seed}`);
  assert.deepEqual(replicas[2], replicas[0], `seed ${seed}`);
});

Deno.test("addresses of listeners leave as names, and come back as what they are here", () => {
  const here = new ListenerNames([{ name: "edge", addr: ":443" }]);
  const there = new ListenerNames([{ name: "edge", addr: "192.0.2.1:8443" }]);
  const edits = [
    listener(":443"),
    route(":443", "a.test"),
    listener(":80"),
    route(":80", "b.test"),
  ];
  const json = JSON.parse(JSON.stringify(editsToJson(edits, here)));
  const named = json.map(([, key]: [string, ObjectKey]) => key[1]);
  assert.deepEqual(named, ["edge", "edge", ":80", ":80"]);
  assert.deepEqual(editsFromJson(json, here), edits);
  assert.deepEqual(editsFromJson(json, there), [
    ...[listener("192.0.2.1:8443"), route("192.0.2.1:8443", "a.test")],
    ...[listener(":80"), route(":80", "b.test")],
  ]);
  assert.throws(() => editsFromJson(json, NO_NAMES), /say in state.local.listeners where that is/);
});

Deno.test("editsFromJson() refuses what a newer program may have written", () => {
  const rule = { type: "ip", value: "192.0.2.1" };
  const key = ["rule", "block", "ip", "192.0.2.1"];
  assert.equal(editsFromJson([["put", key, rule]], NO_NAMES).length, 1);
  const unknown: unknown[] = [
    {},
    [["swap", key, rule]],
    [["put", [], rule]],
    [["put", [1], rule]],
    [["put", ["zone", "a"], {}]],
    [["put", key, { ...rule, colour: "red" }]],
    [["put", key, { ...rule, type: "cow" }]],
    [["put", key, { ...rule, value: "192.0.2.2" }]],
    [["put", key]],
    [["put", ["listener", ":1", "path", "x"], {}]],
  ];
  const isUnknown = (error: unknown) => error instanceof UnknownObjectError;
  for (const json of unknown) {
    assert.throws(() => editsFromJson(json, NO_NAMES), isUnknown, JSON.stringify(json));
  }
});

function apply(replica: Map<string, number>, edits: readonly Edit[]): void {
  for (const edit of edits) if (edit.do === "cut") replica.delete(edit.key.join());
  for (const edit of edits) {
    if (edit.do !== "put" || edit.object.kind !== "rule") continue;
    replica.set(keyOf(edit.object).join(), Number(edit.object.rule.reason));
  }
}

function entry(revision: number, edits: readonly Edit[]): Entry {
  const id = `e${revision}`;
  return { revision, id, time: 0, proxy: "p", actor: "a", action: "A", edits, audit: [] };
}

function put(value: string, version: number): Edit {
  return { do: "put", object: { kind: "rule", rule: { type: "ip", value, reason: `${version}` } } };
}

function cut(value: string): Edit {
  return { do: "cut", key: ["rule", "block", "ip", value] };
}

function listener(addr: string): Edit {
  const listener = { addr, proxyProtocol: false, maxConnections: 0, trustedProxies: [] };
  return { do: "put", object: { kind: "listener", listener } };
}

function route(addr: string, hostname: string): Edit {
  const route = {
    ...{ hostname, backend: "127.0.0.1:1", mode: "l4", tlsCert: "", tlsKey: "" } as const,
    ...{ backendTls: false, sendProxyProtocol: false },
  };
  return { do: "put", object: { kind: "route", addr, route } };
}

/** Numbers below a bound, by a linear congruence. */
function generator(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor(state / 2 ** 32 * below);
  };
}
