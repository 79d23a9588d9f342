import assert from "node:assert/strict";
import { foldCase, octetString, parseMessage, TYPE } from "../../../lib/dns/mod.ts";
import {
  allows,
  planUpdate,
  readUpdate,
  type Update,
  type UpdateGrant,
} from "../../../lib/dns_update/mod.ts";
import { concat, u16, u32 } from "../../../lib/wire/mod.ts";
import { nameOf } from "../../support/dns_server.ts";
import { createRandom, mutate } from "../../support/fuzz.ts";
import { APEX, zoneOf } from "../../support/zone_samples.ts";

const ZONE = zoneOf(
  "z.",
  `${APEX}www A 192.0.2.1\nwww A 192.0.2.2\nwww TXT x\nalias CNAME www\na.b A 192.0.2.3\n`,
);
const key = (text: string) => foldCase(octetString(nameOf(text)));
const ALL: readonly UpdateGrant[] = [{ name: key("z"), isTree: true }];
const CLASS = { IN: 1, NONE: 254, ANY: 255 };
type Kind = keyof typeof CLASS;

/** A record of an update message. */
function rr(
  name: string,
  type: number,
  kind: Kind,
  data: readonly number[] = [],
  ttl = 0,
): Uint8Array {
  const own = Uint8Array.from(data);
  return concat(nameOf(name), u16(type), u16(CLASS[kind]), u32(ttl), u16(own.length), own);
}

function messageOf(
  { prereqs = [], changes = [], zone = "z", type = 6, kind = 1 }: {
    readonly prereqs?: readonly Uint8Array[];
    readonly changes?: readonly Uint8Array[];
    readonly zone?: string;
    readonly type?: number;
    readonly kind?: number;
  },
): Uint8Array {
  const header = concat(
    u16(1),
    u16(0x2800),
    u16(1),
    u16(prereqs.length),
    u16(changes.length),
    u16(0),
  );
  return concat(header, nameOf(zone), u16(type), u16(kind), ...prereqs, ...changes);
}

function read(octets: Uint8Array): Update | number {
  const message = parseMessage(octets);
  assert(message.ok, JSON.stringify(message));
  return readUpdate(message.value, octets);
}

/** What changes come to: a code, or records that go and come. */
function planOf(parts: Parameters<typeof messageOf>[0], grants = ALL) {
  const update = read(messageOf(parts));
  if (typeof update === "number") return update;
  const plan = planUpdate(ZONE, update, grants);
  if (plan.kind === "refused") return plan.code;
  if (plan.kind === "unchanged") return "unchanged";
  const words = ({ name, type, ttl, data }: typeof plan.added[number]) =>
    `${[...name].slice(1, 1 + name.charCodeAt(0)).join("")} ${type} ${ttl} ${
      data.charCodeAt(data.length - 1)
    }`;
  return { removed: plan.removed.map(words), added: plan.added.map(words) };
}

const A = (last: number) => [192, 0, 2, last];
const NS_OTHER = [2, 110, 50, 1, 122, 0]; // n2.z.
const soa = (
  serial: number,
) => [...nameOf("ns.z"), ...nameOf("h.z"), ...u32(serial), ...new Uint8Array(16)];

for (
  const [what, prereq, code] of [
    ["a name that is in use", rr("www.z", 255, "ANY"), 0],
    ["a name that is in use, and is not", rr("no.z", 255, "ANY"), 3],
    ["a name in use that only has names below it", rr("b.z", 255, "ANY"), 3],
    ["a name that is not in use", rr("no.z", 255, "NONE"), 0],
    ["a name that only has names below it not in use", rr("b.z", 255, "NONE"), 0],
    ["a name that is not in use, and is", rr("www.z", 255, "NONE"), 6],
    ["a set that is there", rr("www.z", 1, "ANY"), 0],
    ["a set that is there, and is not", rr("www.z", 28, "ANY"), 8],
    ["a set that is not there", rr("www.z", 28, "NONE"), 0],
    ["a set that is not there, and is", rr("www.z", 1, "NONE"), 7],
    ["a name outside of the zone", rr("www.y", 1, "ANY"), 10],
    ["a set with data, of class ANY", rr("www.z", 1, "ANY", A(1)), 1],
    ["a TTL", rr("www.z", 1, "ANY", [], 1), 1],
    ["a set of a type that is none", rr("www.z", 252, "ANY"), 1],
    ["a record that is not what its type says", rr("www.z", 1, "IN", [1]), 1],
  ] as const
) {
  Deno.test(`planUpdate() answers ${code} to the prerequisite of ${what}`, () => {
    assert.equal(planOf({ prereqs: [prereq] }), code === 0 ? "unchanged" : code);
  });
}

Deno.test("planUpdate() compares sets as wholes", () => {
  const code = (...lasts: number[]) =>
    planOf({ prereqs: lasts.map((last) => rr("WWW.z", 1, "IN", A(last))) });
  assert.equal(code(1, 2), "unchanged");
  assert.equal(code(2, 1, 1), "unchanged");
  assert.equal(code(1), 8);
  assert.equal(code(1, 3), 8);
  assert.equal(code(1, 2, 3), 8);
});

for (
  const [what, changes, expected] of [
    ["adds a record", [rr("n.z", 1, "IN", A(9), 60)], { removed: [], added: ["n 1 60 9"] }],
    ["adds what is there to no change", [rr("www.z", 1, "IN", A(1), 300)], "unchanged"],
    ["gives a set the TTL of its newest record", [rr("www.z", 1, "IN", A(3), 60)], {
      removed: ["www 1 300 1", "www 1 300 2"],
      added: ["www 1 60 1", "www 1 60 2", "www 1 60 3"],
    }],
    ["removes a record", [rr("www.z", 1, "NONE", A(1))], { removed: ["www 1 300 1"], added: [] }],
    ["removes what is not there to no change", [rr("www.z", 1, "NONE", A(9))], "unchanged"],
    ["removes a set", [rr("www.z", 1, "ANY")], {
      removed: ["www 1 300 1", "www 1 300 2"],
      added: [],
    }],
    ["removes a name", [rr("www.z", 255, "ANY")], {
      removed: ["www 1 300 1", "www 1 300 2", "www 16 300 120"],
      added: [],
    }],
    [
      "makes changes in their order",
      [rr("n.z", 1, "IN", A(9), 60), rr("n.z", 255, "ANY")],
      "unchanged",
    ],
    ["replaces a set", [rr("www.z", 1, "ANY"), rr("www.z", 1, "IN", A(1), 300)], {
      removed: ["www 1 300 2"],
      added: [],
    }],
    ["puts no alias beside other data", [rr("www.z", 5, "IN", NS_OTHER, 60)], "unchanged"],
    ["puts no other data beside an alias", [rr("alias.z", 1, "IN", A(9), 60)], "unchanged"],
    ["replaces an alias", [rr("alias.z", 5, "IN", NS_OTHER, 60)], {
      removed: ["alias 5 300 0"],
      added: ["alias 5 60 0"],
    }],
    ["keeps the zone's SOA record and name servers", [rr("z", 255, "ANY")], "unchanged"],
    ["keeps its name servers as a set", [rr("z", 2, "ANY")], "unchanged"],
    ["keeps its SOA record", [rr("z", 6, "ANY"), rr("z", 6, "NONE", soa(7))], "unchanged"],
    ["removes a name server that is not the last", [
      rr("z", 2, "IN", NS_OTHER, 300),
      rr("z", 2, "NONE", [2, 110, 115, 1, 122, 0]),
    ], { removed: ["z 2 300 0"], added: ["z 2 300 0"] }],
    ["keeps the last name server", [rr("z", 2, "NONE", [2, 110, 115, 1, 122, 0])], "unchanged"],
    ["takes no SOA record with an older serial", [rr("z", 6, "IN", soa(6), 60)], "unchanged"],
    ["takes no SOA record with the same serial", [rr("z", 6, "IN", soa(7), 60)], "unchanged"],
    ["takes one with a newer serial", [rr("z", 6, "IN", soa(8), 60)], {
      removed: ["z 6 300 60"],
      added: ["z 6 60 0"],
    }],
    ["takes no SOA record elsewhere", [rr("www.z", 6, "IN", soa(8), 60)], "unchanged"],
    ["refuses a name outside of the zone", [rr("www.y", 1, "IN", A(1), 60)], 10],
    ["refuses a type that is none", [rr("www.z", 252, "IN", A(1), 60)], 1],
    ["refuses data that is not what its type says", [rr("www.z", 1, "IN", [1], 60)], 1],
    ["refuses a TTL of what is to go", [rr("www.z", 1, "NONE", A(1), 60)], 1],
    ["refuses data of a set that is to go", [rr("www.z", 1, "ANY", A(1))], 1],
    ["refuses ANY of one record", [rr("www.z", 255, "NONE")], 1],
  ] as const
) {
  Deno.test(`planUpdate() ${what}`, () => assert.deepEqual(planOf({ changes }), expected));
}

Deno.test("readUpdate() refuses other zones than one, other types and too many changes", () => {
  assert.equal(read(messageOf({ type: 1 })), 1);
  assert.equal(read(messageOf({ kind: 3 })), 9);
  const many = (count: number) =>
    read(messageOf({ changes: Array.from({ length: count }, () => rr("n.z", 1, "ANY")) }));
  assert.equal(typeof many(1000), "object");
  assert.equal(many(1001), 5);
});

Deno.test("allows() allows names and types, and removing a name to whoever may change all its types", () => {
  const txt: UpdateGrant = { name: key("d.z"), isTree: true, types: [TYPE.TXT] };
  const one: UpdateGrant = { name: key("one.z"), isTree: false };
  const may = (grant: UpdateGrant, name: string, type?: number) =>
    allows(
      [grant],
      type === undefined
        ? { kind: "remove_name", key: key(name) }
        : { kind: "remove_set", key: key(name), type },
    );
  assert.equal(may(txt, "d.z", TYPE.TXT), true);
  assert.equal(may(txt, "x.d.z", TYPE.TXT), true);
  assert.equal(may(txt, "xd.z", TYPE.TXT), false);
  assert.equal(may(txt, "z", TYPE.TXT), false);
  assert.equal(may(txt, "x.d.z", TYPE.A), false);
  assert.equal(may(txt, "x.d.z"), false);
  assert.equal(may(one, "one.z", TYPE.A), true);
  assert.equal(may(one, "one.z"), true);
  assert.equal(may(one, "x.one.z", TYPE.A), false);
  assert.equal(allows([], { kind: "remove_name", key: key("z") }), false);
});

Deno.test("planUpdate() never throws, and leaves a zone that can be compiled (seed 3)", () => {
  const random = createRandom(3);
  const octets = messageOf({
    prereqs: [rr("www.z", 1, "ANY")],
    changes: [rr("n.z", 1, "IN", A(9), 60), rr("www.z", 255, "ANY"), rr("z", 6, "IN", soa(8), 60)],
  });
  for (let i = 0; i < 3000; i++) {
    const other = mutate(octets, random);
    const message = parseMessage(other);
    if (!message.ok) continue;
    const update = readUpdate(message.value, other);
    if (typeof update !== "number") planUpdate(ZONE, update, ALL);
  }
});
