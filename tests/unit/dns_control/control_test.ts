import assert from "node:assert/strict";
import { nameFromText } from "../../../lib/dns/mod.ts";
import {
  DnsControl,
  DnsMutationError,
  type DnsPlane,
  type RecordInput,
} from "../../../lib/dns_control/mod.ts";
import { type DnsDatabase, openMemoryDnsDatabase } from "../../../lib/dns_store/mod.ts";
import { sliceChange, ZoneAssembly } from "../../../lib/dns_server/zone_slices.ts";
import { RefusedError } from "../../../lib/queue/mod.ts";
import { DatabaseError } from "../../../lib/sqlite/mod.ts";
import { type ZoneChange, ZoneTable } from "../../../lib/zones/mod.ts";

const OPERATION = { actor: "somebody", action: "Test" };
const ORIGIN = name("example.net");
const FILE = `$TTL 300
@ SOA ns hostmaster 7 3600 600 604800 60
@ NS ns
ns A 192.0.2.1
www A 192.0.2.2
www A 192.0.2.3
sub NS ns.sub
ns.sub A 192.0.2.9
alias CNAME www
old DNAME new
a.deep TXT "x"
`;

function name(text: string) {
  const found = nameFromText(text);
  assert(found.ok);
  return found.value;
}

/** What workers have, kept as they keep it. */
class Workers implements DnsPlane {
  table = new ZoneTable();
  changes: ZoneChange[] = [];
  failure: Error | undefined;
  readonly #assembly = new ZoneAssembly();

  apply(change: ZoneChange) {
    this.changes.push(change);
    for (const slice of sliceChange(change)) {
      this.table = this.#assembly.take(this.table, structuredClone(slice));
    }
    const { failure } = this;
    this.failure = undefined;
    return failure === undefined
      ? Promise.resolve({ pendingWorkers: [] })
      : Promise.reject(failure);
  }
}

interface Fixture extends AsyncDisposable {
  readonly control: DnsControl;
  readonly database: DnsDatabase;
  readonly workers: Workers;
}

async function start(file = FILE): Promise<Fixture> {
  const database = openMemoryDnsDatabase();
  const workers = new Workers();
  const options = { database, plane: workers, log: () => {}, now: () => 1000 };
  const control = await DnsControl.open(options);
  if (file !== "") await control.zones.import(ORIGIN, octets(file), OPERATION);
  return {
    ...{ control, database, workers },
    async [Symbol.asyncDispose]() {
      await control.close();
      database[Symbol.dispose]();
    },
  };
}

function octets(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

async function exported(control: DnsControl): Promise<string> {
  let text = "";
  for await (const lines of control.zones.export(ORIGIN)) text += lines;
  return text;
}

/** Rows, memory and workers say the same; what they say. */
async function agreed({ control, database, workers }: Fixture): Promise<string> {
  const open = await DnsControl.open({
    ...{ database, plane: workers, log: () => {}, now: () => 0 },
  });
  const flat = (table: ZoneTable) =>
    [...table.zones].map((zone) => ({
      ...zone,
      apex: "",
      nodes: [...zone.nodes].map(([key, { name, sets }]) => {
        const plain = sets.map(({ type, ttl, data }) => [type, ttl, [...data].sort()]);
        return [key, name, plain.sort()];
      }).sort(),
    }));
  assert.deepEqual(flat(control.table), flat(open.table));
  assert.deepEqual(flat(workers.table), flat(open.table));
  return control.listZones().length === 0 ? "" : await exported(control);
}

async function refused(promise: Promise<unknown>, code: string, field?: string) {
  const error = await promise.then(() => assert.fail("it was taken"), (thrown) => thrown);
  assert(error instanceof RefusedError, String(error));
  assert.equal(error.code, code, error.message);
  if (field !== undefined) assert(error.problems.some((it) => it.field === field), error.message);
}

function add(control: DnsControl, input: Partial<RecordInput>) {
  const full = { name: "x", type: "A", value: "192.0.2.7", ...input };
  return control.records.add(ORIGIN, full, OPERATION);
}

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

Deno.test("a change for another version of the zone is refused", async () => {
  await using fixture = await start();
  const { control } = fixture;
  const { version } = control.zone(ORIGIN);
  const input = { name: "x", type: "A", value: "192.0.2.7" };
  const at = (ifVersion: string[]) => ({ ...OPERATION, ifVersion });
  // Both at once: one of them is late.
  const results = await Promise.allSettled([
    control.records.add(ORIGIN, input, at([version])),
    control.records.add(ORIGIN, { ...input, name: "y" }, at([version])),
  ]);
  assert.deepEqual(results.map(({ status }) => status), ["fulfilled", "rejected"]);
  await refused(control.zones.remove(ORIGIN, at([version])), "aborted");
  await refused(control.zones.import(ORIGIN, octets(FILE), at([version])), "aborted");
  await refused(control.zones.import(name("new."), octets(FILE), at([version])), "aborted");
  await agreed(fixture);
});

Deno.test("create() makes SOA and NS; a zone that is there stays", async () => {
  await using fixture = await start("");
  const { control } = fixture;
  const zone = { nameServers: ["ns", "ns.other."], ttl: 60 };
  await control.zones.create(ORIGIN, zone, OPERATION);
  assert.equal(
    await agreed(fixture),
    "example.net. 60 IN SOA ns.example.net. hostmaster.example.net. 1 3600 900 1209600 300\n" +
      "example.net. 60 IN NS ns.example.net.\nexample.net. 60 IN NS ns.other.\n",
  );
  const create = (origin: string, wanted: typeof zone) =>
    control.zones.create(name(origin), wanted, OPERATION);
  await refused(create("EXAMPLE.net", zone), "already_exists");
  await refused(create("b", { ...zone, nameServers: [] }), "invalid_argument", "name_servers");
  await refused(create("b", { ...zone, nameServers: ["a..b"] }), "invalid_argument");
  await refused(create("b", { ...zone, nameServers: ["a", "A"] }), "invalid_argument");
  await refused(create("b", { ...zone, ttl: -1 }), "invalid_argument", "ttl");
  await control.zones.remove(name("Example.Net"), OPERATION);
  assert.deepEqual(control.listZones(), []);
  await agreed(fixture);
  await refused(control.zones.remove(ORIGIN, OPERATION), "not_found");
});

Deno.test("import() keeps ids, tidies, and changes nothing when there is nothing to", async () => {
  await using fixture = await start();
  const { control } = fixture;
  const load = (text: string) => control.zones.import(ORIGIN, octets(text), OPERATION);
  assert.equal((await load(FILE)).serial, 7);
  const ids = new Map(control.listRecords(ORIGIN, { limit: 99 }).map((it) => [it.value, it.id]));
  const text = FILE.replace("192.0.2.2", "192.0.2.77").replace("$TTL 300", "$TTL 600") +
    "m 60 A 192.0.2.1\nM 30 A 192.0.2.2\nm A 192.0.2.1\n";
  const done = await load(text);
  assert.equal(done.serial, 8);
  assert.deepEqual([done.added, done.removed, done.changed, done.isNew], [3, 1, 9, false]);
  const m = control.set(ORIGIN, { name: "m", type: "A" });
  assert.deepEqual(m.map(({ ttl }) => ttl), [30, 30]);
  assert.equal(control.set(ORIGIN, { name: "www", type: "A" })[0]?.id, ids.get("192.0.2.3"));
  await agreed(fixture);
  assert.equal((await load(text.replace(" 7 ", " 2026112701 "))).serial, 2026112701);
  assert.equal((await load(text)).serial, 2026112701);
  await agreed(fixture);
});

Deno.test("import() refuses a broken file and says where, and the zone stays", async () => {
  await using fixture = await start();
  const { control } = fixture;
  const before = await agreed(fixture);
  const load = (text: string) => control.zones.import(ORIGIN, octets(text), OPERATION);
  await refused(load(`${FILE}bad A 1.2.3\n`), "invalid_argument", "line 12, column 7");
  await refused(load(`${FILE}$INCLUDE /etc/passwd\n`), "invalid_argument", "line 12, column 1");
  await refused(load(`${FILE}x.sub TXT a\n`), "invalid_argument", "records");
  await refused(load(`${FILE}out.org. A 192.0.2.1\n`), "invalid_argument", "records");
  await refused(load(FILE.replace("@ NS ns\n", "")), "invalid_argument", "records");
  await refused(load(""), "invalid_argument", "records");
  assert.equal(await agreed(fixture), before);
});

Deno.test("what is exported can be imported, and is the same", async () => {
  await using fixture = await start();
  const text = await exported(fixture.control);
  const { added, removed, changed } = await fixture.control.zones
    .import(ORIGIN, octets(text), OPERATION);
  assert.deepEqual([added, removed, changed], [0, 0, 0]);
});

Deno.test("workers that refuse a change leave everything as it was", async () => {
  await using fixture = await start();
  const { control, database, workers } = fixture;
  const before = await agreed(fixture);
  const revision = database.audit.list({ limit: 99 });
  const [www] = control.set(ORIGIN, { name: "www", type: "A" });
  const more = Array.from({ length: 100 }, (_, i) => `n${i} A 192.0.2.1`).join("\n");
  const changes = [
    () => add(control, {}),
    () => control.records.remove(ORIGIN, www?.id ?? 0, OPERATION),
    () => control.zones.remove(ORIGIN, OPERATION),
    () => control.zones.import(ORIGIN, octets(`${FILE}${more}\n`), OPERATION),
    () => control.zones.create(name("b."), { nameServers: ["ns"] }, OPERATION),
  ];
  for (const change of changes) {
    workers.failure = new Error("no");
    await assert.rejects(change(), DnsMutationError);
    assert.equal(await agreed(fixture), before);
    assert.deepEqual(database.audit.list({ limit: 99 }), revision);
  }
  assert.equal(control.problem, "");
});

Deno.test("a disk that refuses leaves everything as it was", async () => {
  await using fixture = await start();
  const { control, database, workers } = fixture;
  const before = await agreed(fixture);
  const { length } = workers.changes;
  database.reachDisk = () => {
    database.reachDisk = () => Promise.resolve();
    return Promise.reject(new DatabaseError("io_error", "no disk"));
  };
  await assert.rejects(add(control, {}), DatabaseError);
  assert.equal(await agreed(fixture), before);
  assert.equal(workers.changes.length, length);
});

Deno.test("a zone that an edit by hand has broken is named, and the others are served", async () => {
  await using fixture = await start();
  const { database, control } = fixture;
  await control.zones.create(name("b."), { nameServers: ["ns"] }, OPERATION);
  const [ns] = control.set(ORIGIN, { name: "@", type: "NS" });
  database.records.remove(ns?.id ?? 0);
  const messages: string[] = [];
  const again = await DnsControl.open({
    ...{ database, plane: fixture.workers, now: () => 0 },
    log: ({ message }) => messages.push(message),
  });
  assert.match(again.problem, /^the zone example\.net\. .* no name servers/);
  assert.equal(messages.length, 1);
  assert.deepEqual([...again.table.zones].length, 1);
  assert.match(again.zone(ORIGIN).problem ?? "", /no name servers/);
  await refused(add(again, {}), "failed_precondition");
  await again.zones.import(ORIGIN, octets(FILE), OPERATION);
  assert.equal(again.problem, "");
  assert.deepEqual([...again.table.zones].length, 2);
});

Deno.test("explain() follows a question as answers do", async () => {
  await using fixture = await start();
  const { control } = fixture;
  const verdict = (text: string, type = "A") => {
    const { verdict, records } = control.explain({ name: text, type });
    return [verdict, ...records];
  };
  assert.deepEqual(verdict("alias.example.net"), [
    "answer",
    "alias.example.net. 300 IN CNAME www.example.net.",
    "www.example.net. 300 IN A 192.0.2.2",
    "www.example.net. 300 IN A 192.0.2.3",
  ]);
  assert.deepEqual(verdict("x.sub.example.net"), [
    "delegation",
    "sub.example.net. 300 IN NS ns.sub.example.net.",
  ]);
  assert.deepEqual(verdict("deep.example.net"), ["no_data"]);
  assert.deepEqual(verdict("x.old.example.net"), [
    "no_name",
    "old.example.net. 300 IN DNAME new.example.net.",
  ]);
  // The alias itself was asked for.
  assert.deepEqual(verdict("x.old.example.net", "CNAME"), [
    "answer",
    "old.example.net. 300 IN DNAME new.example.net.",
  ]);
  assert.deepEqual(verdict("example.org"), ["not_authoritative"]);
  await add(control, { name: "l1", type: "CNAME", value: "l2" });
  await add(control, { name: "l2", type: "CNAME", value: "l1" });
  assert.equal(verdict("l1.example.net").length, 3);
  await assert.rejects(
    async () => await control.explain({ name: "a..b", type: "A" }),
    RefusedError,
  );
});

Deno.test("tokens let in by their hash, until they end or are removed", async () => {
  await using fixture = await start();
  const { tokens } = fixture.control;
  const { secret } = await tokens.add({ name: "ci", scopes: ["write:a."], ttlMs: 1 }, OPERATION);
  assert.match(secret, /^mcns_[A-Za-z0-9_-]{43}$/);
  const { hashOf } = await import("../../../lib/dns_control/mod.ts");
  assert.equal(tokens.accessOf(hashOf(secret))?.name, "ci");
  assert.equal(tokens.accessOf(hashOf(`${secret}x`)), undefined);
  await refused(tokens.add({ name: "ci", scopes: ["admin"] }, OPERATION), "already_exists");
  await refused(tokens.add({ name: "", scopes: ["admin"] }, OPERATION), "invalid_argument", "name");
  await refused(tokens.add({ name: "b", scopes: [] }, OPERATION), "invalid_argument", "scopes");
  await refused(
    tokens.add({ name: "b", scopes: ["admin", "write:"] }, OPERATION),
    "invalid_argument",
    "scopes[1]",
  );
  assert.deepEqual(tokens.list().map(({ name }) => name), ["ci"]);
  assert.equal(JSON.stringify(fixture.control.audit({ limit: 9 })).includes(hashOf(secret)), false);
  await tokens.remove("ci", OPERATION);
  assert.equal(tokens.accessOf(hashOf(secret)), undefined);
  await refused(tokens.remove("ci", OPERATION), "not_found");
});
