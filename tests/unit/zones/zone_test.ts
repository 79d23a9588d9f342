import assert from "node:assert/strict";
import { octetString, parseZoneFile, TYPE } from "../../../lib/dns/mod.ts";
import { compileZone, find, LookUp, setOf, ZoneTable } from "../../../lib/zones/mod.ts";
import { nameOf } from "../../support/dns_server.ts";
import { APEX, zoneOf } from "../../support/zone_samples.ts";

const lookUp = (name: string) => new LookUp(octetString(nameOf(name)));
const keyOf = (name: string) => lookUp(name).key;

Deno.test("LookUp knows where labels begin, and what is above a name by whole labels", () => {
  assert.deepEqual(lookUp("a.bc.z").starts, [0, 2, 5, 7]);
  assert.deepEqual(lookUp(".").starts, [0]);
  assert.deepEqual([lookUp("A.Z").key, lookUp("A.Z").name], ["\x01a\x01z\0", "\x01A\x01Z\0"]);
  assert.deepEqual(
    ["z", "a.z", "A.Z", "b.a.z", "y", "az", "a.y"].map((name) => lookUp(name).isBelow(keyOf("z"))),
    [true, true, true, true, false, false, false],
  );
  // One label of three octets, the last two of which are those of the zone.
  assert.equal(new LookUp("\x03a\x01z\0").isBelow(keyOf("z")), false);
});

Deno.test("ZoneTable finds the innermost zone, and the parent's for what is the parent's", () => {
  const [outer, inner] = [zoneOf("z.", APEX), zoneOf("in.z.", APEX)];
  const table = new ZoneTable([outer, inner]);
  const parents = { isParents: true };
  assert.deepEqual([table.size, [...table.zones]], [2, [outer, inner]]);
  assert.equal(table.of(lookUp("a.in.z")), inner);
  assert.equal(table.of(lookUp("a.z")), outer);
  assert.equal(table.of(lookUp("other")), undefined);
  assert.equal(table.of(lookUp("in.z")), inner);
  assert.equal(table.of(lookUp("in.z"), parents), outer);
  assert.equal(table.of(lookUp("a.in.z"), parents), inner, "it is no apex");
  assert.equal(table.of(lookUp("z"), parents), outer, "its parent is not here");
  assert.equal(table.of(lookUp("other"), parents), undefined);
  assert.equal(table.at(octetString(nameOf("IN.z"))), inner);
  const less = table.without(octetString(nameOf("IN.Z")));
  assert.deepEqual([...less.zones], [outer]);
  const other = zoneOf("Z.", APEX);
  assert.deepEqual([...less.with(other).zones], [other], "in its place");
});

Deno.test("find() says what is there, what stands for it, and where the zone ends", () => {
  const zone = zoneOf("z.", `${APEX}a.b TXT x\n*.w TXT x\nc NS ns.c\nd DNAME e\n`);
  const kinds = (name: string, isParents?: boolean) => {
    const found = find(zone, lookUp(name), isParents === undefined ? {} : { isParents });
    return found.kind === "node" ? `node ${found.isWildcard}` : found.kind;
  };
  assert.equal(kinds("z"), "node false");
  assert.equal(kinds("b.z"), "node false");
  assert.equal(kinds("a.b.z"), "node false");
  assert.equal(kinds("x.w.z"), "node true");
  assert.equal(kinds("*.w.z"), "node false");
  assert.equal(kinds("x.z"), "no_name");
  assert.equal(kinds("c.z"), "delegation");
  assert.equal(kinds("c.z", true), "node false");
  assert.equal(kinds("x.c.z", true), "delegation");
  assert.equal(kinds("d.z"), "node false");
  assert.equal(kinds("x.d.z"), "below_alias");
  assert.equal(setOf(zone.apex, TYPE.SOA)?.data.length, 1);
  assert.equal(setOf(zone.apex, TYPE.MX), undefined);
});

Deno.test("compileZone() tells a hundred problems of a zone, and not one more", () => {
  const origin = nameOf("z");
  const outside = (count: number) => {
    const lines = Array.from({ length: count }, (_, i) => `n${i}.test. 9 A 192.0.2.1`);
    const { records, problems } = parseZoneFile(`$TTL 9\n${APEX}${lines.join("\n")}\n`, { origin });
    assert.deepEqual(problems, []);
    const result = compileZone(origin, records);
    return result.ok ? 0 : result.problems.length;
  };
  assert.deepEqual([0, 1, 99, 100, 150].map(outside), [0, 1, 99, 100, 100]);
});
