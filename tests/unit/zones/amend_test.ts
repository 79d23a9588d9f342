import assert from "node:assert/strict";
import { nameFromText, nameToText, octetsOf, parseZoneFile, TYPE } from "../../../lib/dns/mod.ts";
import {
  amendZone,
  applyZoneChange,
  compileZone,
  type SetChange,
  type Zone,
  ZoneTable,
} from "../../../lib/zones/mod.ts";

const APEX = "@ 300 SOA ns host 1 2 3 4 60\n@ 300 NS ns\n";
const NAMES = ["a", "b.a", "c.b.a", "d.c.b.a", "xa", "b.xa"];

function zoneOf(lines: Iterable<string>): Zone {
  const origin = nameFromText("example.");
  assert(origin.ok);
  const { records } = parseZoneFile(APEX + [...lines].join("\n"), { origin: origin.value });
  const compiled = compileZone(origin.value, records);
  assert(compiled.ok);
  return compiled.zone;
}

function setOf(name: string, type: number, value?: number): SetChange {
  const found = nameFromText(`${name}.example.`);
  assert(found.ok);
  const owner = String.fromCharCode(...found.value);
  if (value === undefined) return { name: owner, type };
  return {
    name: owner,
    type,
    set: { type, ttl: 300, data: [`\xc0\0\x02${String.fromCharCode(value)}`] },
  };
}

/** Names with their sets, in one order. */
function contents(zone: Zone): string[] {
  return [...zone.nodes.values()].map(({ name, sets }) => {
    const own = sets.map(({ type, ttl, data }) => `${type} ${ttl} ${data.map(octetsOf)}`).sort();
    return `${nameToText(octetsOf(name))} ${own.join(" | ")}`;
  }).sort();
}

Deno.test("amendZone() makes what compiling all records makes, whatever comes and goes", () => {
  let seed = 17;
  const random = (bound: number) => {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
    return (seed >>> 8) % bound;
  };
  const wanted = new Map<string, string>();
  let zone = zoneOf([]);
  for (let round = 0; round < 500; round++) {
    const name = NAMES[random(NAMES.length)] as string;
    const key = `${name} ${TYPE.A}`;
    const value = random(3);
    const before = contents(zone);
    const next = amendZone(zone, [setOf(name, TYPE.A, value === 0 ? undefined : value)]);
    assert.deepEqual(contents(zone), before);
    zone = next;
    if (value === 0) wanted.delete(key);
    else wanted.set(key, `${name} 300 A 192.0.2.${value}`);
    assert.deepEqual(contents(zone), contents(zoneOf(wanted.values())), `round ${round}`);
  }
});

Deno.test("amendZone() of the apex changes serial and negative answers", () => {
  const zone = zoneOf([]);
  const other = zoneOf([]);
  const soa = other.apex.sets.find(({ type }) => type === TYPE.SOA);
  assert(soa);
  const data = octetsOf(soa.data[0] ?? "");
  new DataView(data.buffer).setUint32(data.length - 20, 99);
  const set = { ...soa, ttl: 7, data: [String.fromCharCode(...data)] };
  const next = amendZone(zone, [{ name: zone.origin, type: TYPE.SOA, set }]);
  assert.equal(next.serial, 99);
  assert.equal(next.negative.ttl, 7);
  assert.deepEqual(next.apex.sets, next.nodes.get(next.apexKey)?.sets);
  assert.equal(next.apex.sets.length, 2);
  assert.equal(zone.serial, 1);
});

Deno.test("applyZoneChange() sets, amends and removes one zone", () => {
  const zone = zoneOf([]);
  const table = applyZoneChange(new ZoneTable(), { kind: "set", zone });
  const sets = [setOf("a", TYPE.A, 1)];
  const amended = applyZoneChange(table, { kind: "amend", origin: zone.origin, sets });
  assert.equal(amended.at(zone.origin)?.nodes.size, 2);
  assert.equal(table.at(zone.origin)?.nodes.size, 1);
  assert.equal(applyZoneChange(amended, { kind: "remove", origin: zone.origin }).size, 0);
  // One that was removed meanwhile is not made of a part of it.
  assert.equal(
    applyZoneChange(new ZoneTable(), { kind: "amend", origin: zone.origin, sets }).size,
    0,
  );
});
