import assert from "node:assert/strict";
import { octetString, TYPE } from "../../../lib/dns/mod.ts";
import { LookUp, setOf, type ZoneNode, ZoneTable } from "../../../lib/zones/mod.ts";
import { nameOf } from "../../support/dns_server.ts";
import { APEX, refusalsOf, zoneOf } from "../../support/zone_samples.ts";

const lookUp = (text: string) => new LookUp(octetString(nameOf(text)));

for (
  const [what, text, problem] of [
    ["without SOA", "@ NS ns\n", "the zone has 0 SOA records instead of one"],
    ["with two SOA", `${APEX}@ SOA ns h 8 1 1 1 1\n`, "the zone has 2 SOA records instead of one"],
    ["without name servers", "@ SOA ns h 1 1 1 1 1\n", "the zone has no name servers (NS)"],
    ["with a name outside", `${APEX}a.other. A 192.0.2.1\n`, "a.other. is outside of the zone"],
    [
      "with a name that only ends alike",
      `${APEX}a.xz. A 192.0.2.1\n`,
      "a.xz. is outside of the zone",
    ],
    ["with SOA below", `${APEX}a SOA ns h 1 1 1 1 1\n`, "a.z.: SOA is not at the zone's apex"],
    ["with data beside an alias", `${APEX}a CNAME b\na A 192.0.2.1\n`, "a.z.: A beside CNAME"],
    ["with an alias at its apex", `${APEX}@ CNAME b\n`, "z.: SOA beside CNAME"],
    ["with a delegation beside a DNAME", `${APEX}a DNAME b\na NS b\n`, "a.z.: NS beside DNAME"],
    ["with two aliases", `${APEX}a CNAME b\na CNAME c\n`, "a.z.: 2 CNAME records instead of one"],
    ["with two DNAMEs", `${APEX}a DNAME b\na DNAME c\n`, "a.z.: 2 DNAME records instead of one"],
    [
      "with a name below a DNAME",
      `${APEX}a DNAME b\nx.y.a A 192.0.2.1\n`,
      "x.y.a.z. is below the DNAME at a.z.",
    ],
    ["with NS at a wildcard", `${APEX}*.a NS ns\n`, "*.a.z.: NS at a wildcard"],
    ["with DNAME at a wildcard", `${APEX}*.a DNAME b\n`, "*.a.z.: DNAME at a wildcard"],
  ] as const
) {
  Deno.test(`a zone ${what} is refused`, () => {
    assert.ok(refusalsOf("z.", text).includes(problem), JSON.stringify(refusalsOf("z.", text)));
  });
}

Deno.test("records that say the same are one, and a set has the least of its TTLs", () => {
  const zone = zoneOf("z.", `${APEX}a 90 A 192.0.2.1\nA 30 A 192.0.2.1\na 60 A 192.0.2.2\n`);
  const node = zone.nodes.get("\x01a\x01z\0") as ZoneNode;
  const set = setOf(node, TYPE.A);
  assert.deepEqual([set?.ttl, set?.data.length], [30, 2]);
});

Deno.test("a negative answer lasts for the lesser of SOA's TTL and its last field", () => {
  assert.equal(zoneOf("z.", APEX).negative.ttl, 60);
  assert.equal(zoneOf("z.", APEX.replace("@ SOA", "@ 20 SOA")).negative.ttl, 20);
  assert.equal(zoneOf("z.", APEX).serial, 7);
});

Deno.test("the root can be a zone", () => {
  const zone = zoneOf(".", "@ SOA ns. h. 1 1 1 1 1\n@ NS ns.\na.b. A 192.0.2.1\n");
  assert.ok(zone.nodes.has("\x01b\0"));
  assert.equal(new ZoneTable([zone]).of(lookUp("x.y")), zone);
});

Deno.test("ZoneTable finds the innermost zone, and changes without changing itself", () => {
  const [outer, inner] = [zoneOf("z.", APEX), zoneOf("sub.z.", APEX)];
  const table = new ZoneTable([outer, inner]);
  assert.equal(table.of(lookUp("a.SUB.z")), inner);
  assert.equal(table.of(lookUp("sub.z")), inner);
  assert.equal(table.of(lookUp("sub.z"), { isParents: true }), outer);
  assert.equal(table.of(lookUp("a.sub.z"), { isParents: true }), inner);
  assert.equal(table.of(lookUp("xsub.z")), outer);
  assert.equal(table.of(lookUp("other")), undefined);
  assert.equal(table.without(octetString(nameOf("SUB.z"))).of(lookUp("sub.z")), outer);
  assert.equal(table.size, 2);
  const changed = zoneOf("sub.z.", APEX);
  assert.equal(table.with(changed).of(lookUp("sub.z")), changed);
  assert.equal(table.at(octetString(nameOf("a.sub.z"))), undefined);
});
