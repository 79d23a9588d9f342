import assert from "node:assert/strict";
import { nameFromText, octetString, TYPE, type ZoneRecord } from "../../../lib/dns/mod.ts";
import { hashOf } from "../../../lib/zones/name_hash.ts";
import {
  amendZone,
  compileZone,
  NodeMap,
  setOf,
  type Zone,
  type ZoneNode,
} from "../../../lib/zones/mod.ts";
import { APEX, zoneOf } from "../../support/zone_samples.ts";

const NAMES = 20_000;

function keyOf(text: string): string {
  const name = nameFromText(text);
  assert(name.ok);
  return octetString(name.value);
}

function nodeOf(name: string, data: readonly string[] = ["\x0a\0\0\x01"]): ZoneNode {
  return { name, below: 0, sets: [{ type: TYPE.A, ttl: 300, data }] };
}

/** What a node says, as plain values. */
function plain(node: ZoneNode | undefined) {
  return node && { name: node.name, below: node.below, sets: node.sets };
}

function numbered(count: number): Zone {
  const lines = Array.from({ length: count }, (_, i) => `n${i} A 10.0.${i >> 8}.${i & 255}`);
  return zoneOf("z.", `${APEX}${lines.join("\n")}\n`);
}

/** The key of a name right below `z`. */
function belowZ(label: string): string {
  return `${String.fromCharCode(label.length)}${label}\x01z\0`;
}

Deno.test("a map says what a plain one says, whatever comes and goes, and the one before still does", () => {
  let seed = 5;
  const random = (bound: number) => {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
    return (seed >>> 8) % bound;
  };
  const expected = new Map<string, ReturnType<typeof plain>>();
  let map = zoneOf("z.", APEX).nodes;
  for (const [key, node] of map) expected.set(key, plain(node));
  for (let round = 0; round < 60; round++) {
    const before = { map, keys: [...map.keys()] };
    const changes = Array.from({ length: 1 + random(100) }, () => {
      const key = keyOf(`n${random(3000)}.z`);
      const name = key.toUpperCase();
      const data = Array.from({ length: random(3) }, (_, i) => `\xff\x80\0${i}`);
      const node = random(4) === 0 ? undefined : { ...nodeOf(name, data), below: random(70_000) };
      return [key, node] as const;
    });
    map = map.with(new Map(changes));
    for (const [key, node] of new Map(changes)) {
      if (node === undefined) expected.delete(key);
      else expected.set(key, plain(node));
    }
    assert.equal(map.size, expected.size);
    assert.deepEqual([...before.map.keys()], before.keys);
  }
  assert.deepEqual(
    new Map(Array.from(map, ([key, node]) => [key, plain(node)])),
    expected,
  );
  for (const [key, node] of expected) assert.deepEqual(plain(map.get(key)), node);
  assert.ok(!map.has(keyOf("n3001.z")) && map.get(keyOf("n3001.z")) === undefined);
});

Deno.test("a change makes anew what it is in and shares the rest, in a zone of any size", () => {
  for (const count of [100, NAMES]) {
    const zone = numbered(count);
    const before = new Set(zone.nodes.chunks());
    for (const set of [{ type: TYPE.A, ttl: 5, data: ["\x0a\0\0\x01"] }, undefined]) {
      for (const text of ["n7.z", "new.z"]) {
        const next = amendZone(zone, [{ name: keyOf(text), type: TYPE.A, ...set && { set } }]);
        const made = [...next.nodes.chunks()].filter((chunk) => !before.has(chunk));
        // The name's, which may be split, and the apex's, which counts what is below it.
        assert.ok(made.length <= 4, `${made.length} chunks are new of ${before.size}`);
        const octets = made.reduce((sum, { byteLength }) => sum + byteLength, 0);
        assert.ok(octets < 40_000, `${octets} octets were written`);
      }
    }
  }
});

Deno.test("chunks of a compiled zone are in memory that threads share, a small part more than they need", () => {
  const { nodes } = numbered(NAMES);
  const memory = new Set([...nodes.chunks()].map(({ buffer }) => buffer));
  for (const buffer of memory) assert.ok(buffer instanceof SharedArrayBuffer);
  const octets = [...memory].reduce((sum, { byteLength }) => sum + byteLength, 0);
  assert.ok(octets < 60 * NAMES, `${octets / NAMES} octets a record`);
  const [small] = numbered(1).nodes.chunks();
  assert.ok(small !== undefined && small.buffer.byteLength < 500, `${small?.buffer.byteLength}`);
  const copy = NodeMap.of(structuredClone([...nodes.chunks()]));
  assert.deepEqual([...copy.keys()], [...nodes.keys()]);
  new Uint8Array((small as DataView).buffer).fill(0);
  const [chunk] = copy.chunks();
  const before = chunk?.getUint32(0);
  [...nodes.chunks()][0]?.setUint32(0, 77);
  assert.equal(chunk?.getUint32(0), 77);
  chunk?.setUint32(0, before ?? 0);
});

Deno.test("a map grows with its names, and is found in as one that was compiled with them", () => {
  let map = zoneOf("z.", APEX).nodes;
  for (let i = 0; i < 5000; i += 10) {
    const keys = Array.from({ length: 10 }, (_, k) => keyOf(`n${i + k}.z`));
    map = map.with(keys.map((key) => [key, nodeOf(key)] as const));
  }
  assert.equal(map.size, 5002);
  const counts = [...map.chunks()].map((chunk) => chunk.getUint32(4));
  assert.ok(Math.max(...counts) <= 128, `${Math.max(...counts)} names in a chunk`);
  assert.ok(counts.length >= 5000 / 128);
  for (let i = 0; i < 5000; i++) assert.ok(map.has(keyOf(`n${i}.z`)));
  const copy = NodeMap.of([...map.chunks()]);
  assert.equal(copy.size, map.size);
  for (const key of map.keys()) assert.deepEqual(plain(copy.get(key)), plain(map.get(key)));
});

Deno.test("names whose hashes were made to be alike are found, and the table stays small", () => {
  const keys: string[] = [];
  for (let i = 0; keys.length < 300; i++) {
    const key = belowZ(`n${i}`);
    if (hashOf(key) >>> 26 === 5) keys.push(key);
  }
  let map = zoneOf("z.", APEX).nodes;
  for (const key of keys) map = map.with([[key, nodeOf(key)]]);
  for (const key of keys) assert.equal(map.get(key)?.name, key);
  assert.ok([...map.chunks()].length <= 8);
  const compiled = compileZone(Uint8Array.of(1, 0x7a, 0), [...recordsOf(APEX_RECORDS, keys)]);
  assert.ok(compiled.ok);
  for (const key of keys) assert.equal(compiled.zone.nodes.get(key)?.name, key);
});

Deno.test("names with the same hash are told apart, and from one that is not there", () => {
  const pairs = [["n4uzx", "nf2ad"], ["nf2ae", "n4uzy"]] as const;
  for (const [a, b] of pairs.map(([one, other]) => [belowZ(one), belowZ(other)] as const)) {
    assert.equal(hashOf(a), hashOf(b));
    const map = zoneOf("z.", APEX).nodes.with([[b, nodeOf(b)]]);
    assert.equal(map.get(a), undefined);
    const both = map.with([[a, nodeOf(a)]]);
    assert.deepEqual([both.get(a)?.name, both.get(b)?.name], [a, b]);
    assert.deepEqual([both.with([[a, undefined]]).get(b)?.name, map.size], [b, 3]);
    const compiled = compileZone(Uint8Array.of(1, 0x7a, 0), [...recordsOf(APEX_RECORDS, [b, a])]);
    assert.ok(compiled.ok);
    assert.deepEqual([a, b].map((key) => compiled.zone.nodes.get(key)?.name), [a, b]);
    assert.equal(compiled.zone.nodes.size, 3);
  }
});

Deno.test("chunks that are not all of one map make none", () => {
  const chunks = [...numbered(1000).nodes.chunks()];
  assert.ok(chunks.length > 4);
  assert.throws(() => NodeMap.of([]), /chunks are missing/);
  assert.throws(() => NodeMap.of(chunks.slice(1)), /chunks are missing/);
  assert.throws(() => NodeMap.of([...chunks, ...chunks.slice(0, 1)]), /chunks are missing/);
  const deep = new DataView(new ArrayBuffer(8));
  deep.setUint32(0, 25);
  assert.throws(() => NodeMap.of([deep]), /25 bits deep/);
});

Deno.test("data of any octets and any length comes back, and sets in the order of their records", () => {
  const every = Array.from({ length: 256 }, (_, octet) => String.fromCharCode(octet)).join("");
  const data = ["", every, every.repeat(255) + every.slice(0, 255)];
  const sets = [
    { type: 65_280, ttl: 0x7fffffff, data },
    {
      type: TYPE.TXT,
      ttl: 0,
      data: Array.from({ length: 70_000 }, (_, i) => `\x06${i + 100_000}`),
    },
  ];
  const key = keyOf("a.z");
  const node = zoneOf("z.", APEX).nodes.with([[key, { name: key, below: 3, sets }]]).get(key);
  assert.deepEqual(plain(node), { name: key, below: 3, sets });
  assert.deepEqual(node && setOf(node, TYPE.TXT), sets[1]);
  assert.equal(node && setOf(node, TYPE.A), undefined);
});

Deno.test("how many names are right below each is known, however they came and went", () => {
  const below = ({ nodes }: Zone, text: string) => nodes.get(keyOf(text))?.below;
  const set = { type: TYPE.A, ttl: 5, data: ["\x0a\0\0\x01"] };
  const compiled = zoneOf("z.", `${APEX}a.b.c A 10.0.0.1\nd.b.c A 10.0.0.1\nc A 10.0.0.1\n`);
  assert.deepEqual(["z", "c.z", "b.c.z", "a.b.c.z"].map((text) => below(compiled, text)), [
    2,
    1,
    2,
    0,
  ]);
  const more = amendZone(compiled, [{ name: keyOf("e.f.c.z"), type: TYPE.A, set }]);
  assert.deepEqual([below(more, "c.z"), below(more, "f.c.z"), below(compiled, "c.z")], [2, 1, 1]);
  const gone = ["e.f.c.z", "a.b.c.z", "d.b.c.z"].map((text) => ({
    ...{ name: keyOf(text), type: TYPE.A },
  }));
  const less = amendZone(more, gone);
  assert.deepEqual([below(less, "c.z"), below(less, "b.c.z"), less.nodes.size], [0, undefined, 3]);
  const none = amendZone(less, [{ name: keyOf("c.z"), type: TYPE.A }]);
  assert.deepEqual([below(none, "z"), none.nodes.size], [1, 2]);
});

const APEX_RECORDS: readonly ZoneRecord[] = [
  record("\x01z\0", TYPE.SOA, `\0\0${"\0\0\0\x01".repeat(5)}`),
  record("\x01z\0", TYPE.NS, "\x02ns\0"),
];

function record(name: string, type: number, data: string): ZoneRecord {
  const octets = (text: string) => Uint8Array.from(text, (char) => char.charCodeAt(0));
  return { name: octets(name), type, ttl: 60, data: octets(data) };
}

function* recordsOf(first: readonly ZoneRecord[], keys: readonly string[]) {
  yield* first;
  for (const key of keys) yield record(key, TYPE.A, "\x0a\0\0\x01");
}
