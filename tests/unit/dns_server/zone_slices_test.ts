import assert from "node:assert/strict";
import { sliceChange, ZoneAssembly, type ZoneSlice } from "../../../lib/dns_server/zone_slices.ts";
import { ZoneTable } from "../../../lib/zones/mod.ts";
import { APEX, zoneOf } from "../../support/zone_samples.ts";

const LINES = Array.from({ length: 30_000 }, (_, i) => `n${i} A 10.0.${i >> 8}.${i & 255}`);
const LARGE = zoneOf("z.", `${APEX}${LINES.join("\n")}\n`);
const slicesOf = (zone: typeof LARGE) => [...sliceChange({ kind: "set", zone })];

function taken(slices: readonly ZoneSlice[], table = new ZoneTable()): ZoneTable {
  const assembly = new ZoneAssembly();
  return slices.reduce((own, slice) => assembly.take(own, structuredClone(slice)), table);
}

Deno.test("a zone goes to another thread in slices, and is there when the last one is", () => {
  const slices = slicesOf(LARGE);
  assert.ok(slices.length >= 4, `${slices.length} slices`);
  assert.equal(taken(slices.slice(0, -1)).size, 0);
  const zone = taken(slices).at("\x01z\0");
  assert.equal(zone?.nodes.size, LARGE.nodes.size);
  assert.deepEqual(zone?.apex.sets, LARGE.apex.sets);
  assert.deepEqual([zone?.serial, zone?.negative], [LARGE.serial, LARGE.negative]);
});

Deno.test("the zone before stays until another one is whole, and one that begins anew is another", () => {
  const small = zoneOf("z.", `${APEX}a A 10.0.0.1\n`);
  const table = taken(slicesOf(small));
  const slices = slicesOf(LARGE);
  const half = slices.slice(0, 2);
  assert.equal(taken(half, table).at("\x01z\0")?.nodes.size, small.nodes.size);
  assert.equal(taken([...half, ...slicesOf(small)], table).at("\x01z\0")?.nodes.size, 3);
});

Deno.test("what is no whole zone is refused", () => {
  const slices = slicesOf(LARGE);
  const without = (index: number) => slices.toSpliced(index, 1);
  assert.throws(() => taken(without(0)), /a zone without an apex/);
  assert.throws(() => taken(without(1)), /chunks are missing/);
  const of = slicesOf(zoneOf("other.", APEX));
  assert.throws(() => taken([...slices.slice(0, 1), ...of.slice(1)]), /a zone without an apex/);
});
