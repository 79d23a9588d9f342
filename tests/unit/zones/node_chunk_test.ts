import assert from "node:assert/strict";
import { amendZone, type ZoneNode } from "../../../lib/zones/mod.ts";
import { APEX, zoneOf } from "../../support/zone_samples.ts";

const ZONE = zoneOf("z.", APEX);

function named(label: string): string {
  return `${String.fromCharCode(label.length)}${label}\x01z\0`;
}

function nodeOf(name: string): ZoneNode {
  return { name, below: 0, sets: [{ type: 1, ttl: 1, data: ["\x0a\0\0\x01"] }] };
}

Deno.test("a name is found whatever the case of its letters, and of letters alone", () => {
  for (const [written, key] of [["A", "a"], ["Z", "z"], ["@", "@"], ["[", "["]] as const) {
    const map = ZONE.nodes.with([[named(key), nodeOf(named(written))]]);
    assert.equal(map.get(named(key))?.name, named(written));
    assert.deepEqual([...map.keys()].filter((own) => !ZONE.nodes.has(own)), [named(key)]);
  }
  const map = ZONE.nodes.with([[named("@"), nodeOf(named("@"))], [named("["), nodeOf(named("["))]]);
  assert.deepEqual([map.has(named("`")), map.has(named("{")), map.size], [false, false, 4]);
});

Deno.test("a name that goes takes those above it along that have nothing, up to the apex", () => {
  const set = { type: 1, ttl: 1, data: ["\x0a\0\0\x01"] };
  const deep = "\x01a\x01b\x01c\x01z\0";
  const more = amendZone(ZONE, [{ name: deep.toUpperCase(), type: 1, set }]);
  assert.deepEqual(["\x01c\x01z\0", "\x01b\x01c\x01z\0"].map((key) => more.nodes.get(key)?.name), [
    "\x01C\x01Z\0",
    "\x01B\x01C\x01Z\0",
  ]);
  // What is above keeps its own spelling and records.
  assert.deepEqual(more.nodes.get("\x01z\0")?.name, "\x01z\0");
  assert.deepEqual(more.apex.sets, ZONE.apex.sets);
  assert.equal(more.apex.below, ZONE.apex.below + 1);
  const less = amendZone(more, [{ name: deep, type: 1 }]);
  assert.deepEqual([...less.nodes.keys()].sort(), [...ZONE.nodes.keys()].sort());
  assert.equal(less.apex.below, ZONE.apex.below);
});
