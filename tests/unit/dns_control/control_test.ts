import assert from "node:assert/strict";
import { type RecordInput } from "../../../lib/dns_control/mod.ts";
import { add, agreed, OPERATION, ORIGIN, refused, start } from "../../support/dns_control.ts";

Deno.test("add() answers with the record, raises the serial and tells the workers", async () => {
  await using fixture = await start();
  const { control, workers } = fixture;
  const { record, serial, version } = await add(control, { name: "ns2", ttl: 60 });
  assert.deepEqual(
    { ...record, id: 0 },
    { id: 0, name: "ns2.example.net.", type: "A", value: "192.0.2.7", ttl: 60 },
  );
  assert.equal(serial, 8);
  assert.equal(version, "1.8");
  assert.deepEqual(control.zone(ORIGIN), {
    ...{ name: "example.net.", serial: 8, records: 11, version: "1.8" },
  });
  assert.equal(workers.changes.at(-1)?.kind, "amend");
  assert.match(await agreed(fixture), /^ns2\.example\.net\. 60 IN A 192\.0\.2\.7$/m);
});

Deno.test("names are relative to the zone unless they end in a dot, in values too", async () => {
  await using fixture = await start();
  const { control } = fixture;
  assert.equal((await add(control, { name: "@" })).record.name, "example.net.");
  assert.equal((await add(control, { name: "b.example.net." })).record.name, "b.example.net.");
  const mx = { name: "c", type: "mx", value: "10 mail" };
  assert.equal((await add(control, mx)).record.value, "10 mail.example.net.");
  await refused(add(control, { name: "example.org." }), "invalid_argument", "name");
  await refused(add(control, { name: "badexample.net." }), "invalid_argument", "name");
  await refused(add(control, { name: "a..b" }), "invalid_argument", "name");
  await refused(add(control, { name: "" }), "invalid_argument", "name");
  await refused(add(control, { name: "x".repeat(64) }), "invalid_argument", "name");
  await refused(add(control, { name: "x.".repeat(2000) }), "invalid_argument", "name");
  await agreed(fixture);
});

Deno.test("a TXT value is one text as it stands, unless it is in quotation marks", async () => {
  await using fixture = await start();
  const txt = async (value: string) =>
    (await add(fixture.control, { name: `t${Math.random()}`.replace(".", ""), type: "TXT", value }))
      .record.value;
  assert.equal(await txt("v=spf1 -all; (x)"), '"v=spf1 -all; (x)"');
  assert.equal(await txt('"a" "b"'), '"a" "b"');
  assert.equal(await txt("é"), '"\\195\\169"');
  assert.match(await txt("x".repeat(300)), /^"x{255}" "x{45}"$/);
});

const REFUSED: readonly [string, Partial<RecordInput>, string, string?][] = [
  ["an unknown type", { type: "NOPE" }, "invalid_argument", "type"],
  ["a type that only questions have", { type: "ANY", value: "x" }, "invalid_argument", "type"],
  ["OPT", { type: "OPT", value: "\\# 0" }, "invalid_argument", "type"],
  ["a value of another type", { value: "::1" }, "invalid_argument", "value"],
  ["a value with a line break", { value: "192.0.2.7\nb A 192.0.2.8" }, "invalid_argument", "value"],
  ["two values", { value: "192.0.2.7 192.0.2.8" }, "invalid_argument", "value"],
  ["a negative TTL", { ttl: -1 }, "invalid_argument", "ttl"],
  ["a TTL over 2^31-1", { ttl: 2 ** 31 }, "invalid_argument", "ttl"],
  ["a TTL that is no whole number", { ttl: 1.5 }, "invalid_argument", "ttl"],
  ["another TTL than the set's", { name: "www", ttl: 60 }, "invalid_argument", "ttl"],
  ["the same record", { name: "WWW", value: "192.0.2.2" }, "already_exists"],
  ["data beside CNAME", { name: "alias" }, "invalid_argument", "name"],
  ["CNAME beside data", { name: "www", type: "CNAME", value: "x" }, "invalid_argument", "name"],
  ["a second CNAME", { name: "alias", type: "CNAME", value: "x" }, "invalid_argument", "type"],
  ["CNAME at the apex", { name: "@", type: "CNAME", value: "x" }, "invalid_argument", "name"],
  [
    "a second SOA",
    { name: "@", type: "SOA", value: "x y 1 2 3 4 5", ttl: 300 },
    "invalid_argument",
    "type",
  ],
  [
    "SOA elsewhere",
    { type: "SOA", value: "x y 1 2 3 4 5" },
    "invalid_argument",
    "type",
  ],
  ["data below a cut", { name: "x.sub", type: "TXT", value: "x" }, "invalid_argument", "type"],
  ["data at a cut", { name: "sub", type: "TXT", value: "x" }, "invalid_argument", "type"],
  ["a name below a DNAME", { name: "x.old" }, "invalid_argument", "name"],
  ["NS at a wildcard", { name: "*", type: "NS", value: "ns" }, "invalid_argument", "type"],
  ["a cut above data", { name: "deep", type: "NS", value: "ns" }, "invalid_argument", "type"],
  ["a DNAME above data", { name: "deep", type: "DNAME", value: "b" }, "invalid_argument", "name"],
];

Deno.test("add() refuses what breaks a rule, names the field, and changes nothing", async () => {
  await using fixture = await start();
  const before = await agreed(fixture);
  for (const [what, input, code, field] of REFUSED) {
    await refused(add(fixture.control, input), code, field).catch((error) => {
      throw new Error(what, { cause: error });
    });
  }
  assert.equal(await agreed(fixture), before);
});

Deno.test("glue below a cut and DS at it are allowed", async () => {
  await using fixture = await start();
  await add(fixture.control, { name: "ns2.sub" });
  const ds = `1 13 2 ${"0".repeat(64)}`;
  await add(fixture.control, { name: "sub", type: "DS", value: ds });
  await agreed(fixture);
});

Deno.test("replace() keeps the id, also over names and types", async () => {
  await using fixture = await start();
  const { control } = fixture;
  const { id } = (await add(control, { name: "x", ttl: 60 })).record;
  const to = (input: RecordInput) => control.records.replace(ORIGIN, id, input, OPERATION);
  assert.deepEqual((await to({ name: "y", type: "AAAA", value: "::1" })).record, {
    ...{ id, name: "y.example.net.", type: "AAAA", value: "::1", ttl: 60 },
  });
  assert.equal((await to({ name: "Y", type: "AAAA", value: "::2", ttl: 5 })).record.ttl, 5);
  assert.deepEqual(control.record(ORIGIN, id).name, "Y.example.net.");
  await refused(to({ name: "www", type: "A", value: "192.0.2.2" }), "already_exists");
  await refused(to({ name: "www", type: "A", value: "192.0.2.5", ttl: 1 }), "invalid_argument");
  const [soa] = control.set(ORIGIN, { name: "@", type: "SOA" });
  assert(soa);
  const away = { name: "z", type: "A", value: "192.0.2.1" };
  await refused(
    control.records.replace(ORIGIN, soa.id, away, OPERATION),
    "invalid_argument",
    "type",
  );
  assert.match(await agreed(fixture), /^Y\.example\.net\. 5 IN AAAA ::2$/m);
});

Deno.test("an SOA record is replaced with a serial that is later, or the next one", async () => {
  await using fixture = await start();
  const { control } = fixture;
  const to = (value: string) =>
    control.records.replaceSet(ORIGIN, { name: "@", type: "SOA" }, { values: [value] }, OPERATION);
  const [before] = control.set(ORIGIN, { name: "@", type: "SOA" });
  assert.equal((await to("ns other 5 1 2 3 4")).serial, 8);
  const { serial, records } = await to("ns other 100 1 2 3 4");
  assert.equal(serial, 100);
  assert.equal(records[0]?.id, before?.id);
  assert.equal(records[0]?.value, "ns.example.net. other.example.net. 100 1 2 3 4");
  await agreed(fixture);
  await refused(
    control.records.replaceSet(ORIGIN, { name: "@", type: "SOA" }, {
      values: ["ns a 1 1 1 1 1", "ns b 1 1 1 1 1"],
    }, OPERATION),
    "invalid_argument",
  );
});

Deno.test("remove() refuses the last name server and the SOA record, and prunes names", async () => {
  await using fixture = await start();
  const { control } = fixture;
  const remove = (id: number | undefined) => control.records.remove(ORIGIN, id ?? 0, OPERATION);
  for (const type of ["SOA", "NS"]) {
    const [record] = control.set(ORIGIN, { name: "@", type });
    await refused(remove(record?.id), "invalid_argument", "id");
  }
  const [deep] = control.set(ORIGIN, { name: "a.deep", type: "TXT" });
  await remove(deep?.id);
  assert.equal(control.explain({ name: "deep.example.net", type: "A" }).verdict, "no_name");
  await refused(remove(deep?.id), "not_found");
  await agreed(fixture);
});

Deno.test("replaceSet() keeps ids of records that stay, and changes the TTL of all", async () => {
  await using fixture = await start();
  const { control } = fixture;
  const www = { name: "www", type: "A" };
  const ids = control.set(ORIGIN, www).map(({ id }) => id);
  const to = (values: string[], ttl?: number) =>
    control.records.replaceSet(ORIGIN, www, { values, ttl }, OPERATION);
  const { records } = await to(["192.0.2.3", "192.0.2.4"], 60);
  assert.deepEqual(records.map(({ value, ttl }) => [value, ttl]), [
    ["192.0.2.3", 60],
    ["192.0.2.4", 60],
  ]);
  assert.equal(records[0]?.id, ids[1]);
  const { serial } = control.zone(ORIGIN);
  assert.equal((await to(["192.0.2.4", "192.0.2.3"])).serial, serial);
  await refused(to([]), "invalid_argument", "values");
  await refused(to(["192.0.2.4", "192.0.2.4"]), "invalid_argument", "values[1]");
  await refused(to(["192.0.2.4", "x"]), "invalid_argument", "values[1]");
  await agreed(fixture);
  await control.records.removeSet(ORIGIN, www, OPERATION);
  await refused(control.records.removeSet(ORIGIN, www, OPERATION), "not_found");
  await agreed(fixture);
});
