/** Zones as a whole: made, imported, exported, explained, and what becomes of them when something fails. */
import assert from "node:assert/strict";
import { DnsControl, DnsMutationError } from "../../../lib/dns_control/mod.ts";
import { RefusedError } from "../../../lib/queue/mod.ts";
import { DatabaseError } from "../../../lib/sqlite/mod.ts";
import {
  add,
  agreed,
  exported,
  FILE,
  name,
  octets,
  OPERATION,
  ORIGIN,
  refused,
  start,
} from "../../support/dns_control.ts";

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
