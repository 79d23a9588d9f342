import assert from "node:assert/strict";
import {
  type Name,
  nameFromText,
  nameToText,
  parseZoneFile,
  type ZoneRecord,
  zoneRecordText,
} from "../../../lib/dns/mod.ts";
import {
  type DnsDatabase,
  openDnsDatabase,
  openMemoryDnsDatabase,
  restoreDnsDatabase,
  type StoredRecord,
  type ZoneRow,
} from "../../../lib/dns_store/mod.ts";
import { AlreadyExistsError, DatabaseError, NotFoundError } from "../../../lib/sqlite/mod.ts";

const AUTHOR = { actor: "somebody", action: "change", time: 1 };
const ORIGIN = name("example.net.");

function name(text: string): Name {
  const found = nameFromText(text);
  assert(found.ok);
  return found.value;
}

function records(text: string): readonly ZoneRecord[] {
  const { records, problems } = parseZoneFile(`$TTL 300\n${text}\n`, { origin: ORIGIN });
  assert.deepEqual(problems, []);
  return records;
}

const START = "@ SOA ns host 7 3600 600 604800 60\n@ NS ns\nns A 192.0.2.1";

function filled(maxJournalRows?: number): { db: DnsDatabase; zone: ZoneRow } {
  const db = openMemoryDnsDatabase(maxJournalRows === undefined ? {} : { maxJournalRows });
  return { db, zone: db.createZone(ORIGIN, records(START), AUTHOR) };
}

function texts(found: readonly ZoneRecord[] | undefined): string[] {
  return (found ?? []).map(zoneRecordText);
}

Deno.test("createZone() stores records as they are, and says so in the audit log", () => {
  const { db, zone } = filled();
  using _ = db;
  assert.equal(db.serial(zone), 7);
  assert.deepEqual(texts(db.records.ofZone(zone.id)), texts(records(START)));
  assert.equal(db.audit.list({ limit: 9 })[0]?.subject, "zone example.net.");
  assert.deepEqual(db.journal.since(zone.id, 7), undefined);
});

Deno.test("createZone() refuses a name that is there in another case, and a zone without SOA", () => {
  const { db } = filled();
  using _ = db;
  const upper = name("EXAMPLE.net.");
  assert.throws(() => db.createZone(upper, records(START), AUTHOR), AlreadyExistsError);
  assert.throws(() => db.createZone(name("b."), records("@ NS ns"), AUTHOR), DatabaseError);
  assert.equal(db.zones.list().length, 1);
  assert.equal(db.records.count(), 3);
  assert.equal(db.audit.list({ limit: 9 }).length, 1);
});

Deno.test("names are found whatever the case of their ASCII letters, and of no others", () => {
  const { db, zone } = filled();
  using _ = db;
  db.change(zone, { added: records("\\228bc A 192.0.2.9") }, AUTHOR);
  assert.equal(nameToText(db.zones.find(name("eXample.NET."))?.origin ?? ORIGIN), "example.net.");
  assert.equal(db.records.set(zone.id, name("NS.EXAMPLE.net."), 1).length, 1);
  assert.equal(db.records.set(zone.id, name("\\228BC.example.net."), 1).length, 1);
  // Ä of Latin-1 is another octet than ä.
  assert.equal(db.records.set(zone.id, name("\\196bc.example.net."), 1).length, 0);
});

Deno.test("change() raises the serial and writes journal and audit in one transaction", () => {
  const { db, zone } = filled();
  using _ = db;
  const [a] = db.records.set(zone.id, name("ns.example.net."), 1);
  assert(a);
  const after: StoredRecord = { ...a, ttl: 60 };
  const edit = { changed: [{ before: a, after }], added: records("b A 192.0.2.2") };
  const { serial, added } = db.change(zone, edit, AUTHOR);
  assert.equal(serial, 8);
  assert.equal(db.serial(zone), 8);
  assert.equal(db.records.get(zone.id, a.id)?.ttl, 60);
  assert.equal(added.length, 1);
  const [step, ...more] = db.journal.since(zone.id, 7) ?? [];
  assert.deepEqual(more, []);
  assert.deepEqual([step?.from, step?.to], [7, 8]);
  assert.deepEqual(texts(step?.removed), [
    "example.net. 300 IN SOA ns.example.net. host.example.net. 7 3600 600 604800 60",
    "ns.example.net. 300 IN A 192.0.2.1",
  ]);
  assert.deepEqual(texts(step?.added), [
    "example.net. 300 IN SOA ns.example.net. host.example.net. 8 3600 600 604800 60",
    "b.example.net. 300 IN A 192.0.2.2",
    "ns.example.net. 60 IN A 192.0.2.1",
  ]);
  const [entry] = db.audit.list({ limit: 1 });
  assert.deepEqual(JSON.parse(entry?.after ?? ""), texts(step?.added));
});

Deno.test("change() that fails has changed nothing at all", () => {
  const { db, zone } = filled();
  using _ = db;
  const [a] = db.records.set(zone.id, name("ns.example.net."), 1);
  assert(a);
  const before = { rows: db.records.ofZone(zone.id), revision: db.audit.revision };
  const edit = { added: records("b A 192.0.2.2"), removed: [a, { ...a, id: 99 }] };
  assert.throws(() => db.change(zone, edit, AUTHOR), NotFoundError);
  assert.deepEqual({ rows: db.records.ofZone(zone.id), revision: db.audit.revision }, before);
  assert.equal(db.journal.since(zone.id, 7), undefined);
});

Deno.test("change() of the SOA record keeps what was asked for, but the serial", () => {
  const { db, zone } = filled();
  using _ = db;
  const soa = db.records.soa(zone.id, ORIGIN);
  assert(soa);
  const [asked] = records("@ 60 SOA ns2 other 4 1 2 3 4");
  assert(asked);
  const edit = { changed: [{ before: soa, after: { ...asked, id: soa.id } }], serial: 4000 };
  assert.equal(db.change(zone, edit, AUTHOR).serial, 4000);
  assert.equal(
    zoneRecordText(db.records.soa(zone.id, ORIGIN) ?? soa),
    "example.net. 60 IN SOA ns2.example.net. other.example.net. 4000 1 2 3 4",
  );
  assert.equal(db.journal.since(zone.id, 7)?.[0]?.added.length, 1);
});

Deno.test("ids are never used again", () => {
  const { db, zone } = filled();
  using _ = db;
  const [first] = db.change(zone, { added: records("b A 192.0.2.2") }, AUTHOR).added;
  assert(first);
  db.change(zone, { removed: [first] }, AUTHOR);
  const [second] = db.change(zone, { added: records("b A 192.0.2.2") }, AUTHOR).added;
  assert.equal(second?.id, first.id + 1);
});

Deno.test("since() gives each step from a serial on", () => {
  const { db, zone } = filled();
  using _ = db;
  for (const i of [1, 2, 3]) db.change(zone, { added: records(`n${i} A 192.0.2.2`) }, AUTHOR);
  assert.deepEqual(db.journal.since(zone.id, 8)?.map(({ from, to }) => [from, to]), [
    [8, 9],
    [9, 10],
  ]);
  assert.equal(db.journal.since(zone.id, 10), undefined);
  assert.equal(db.journal.since(zone.id, 6), undefined);
  db.journal.clear(zone.id);
  assert.equal(db.journal.since(zone.id, 9), undefined);
});

Deno.test("the journal keeps whole steps of so many rows, and nothing of a larger change", () => {
  const { db, zone } = filled(1000);
  using _ = db;
  const some = (count: number, prefix: string) =>
    Array.from({ length: count }, (_, i) => {
      return { name: name(`${prefix}${i}.example.net.`), type: 1, ttl: 1, data: new Uint8Array(4) };
    });
  const stepsSince = (serial: number) => db.journal.since(zone.id, serial)?.length;
  db.change(zone, { added: some(498, "a") }, AUTHOR);
  db.change(zone, { added: some(498, "b") }, AUTHOR);
  // Exactly as many as are kept.
  assert.equal(stepsSince(7), 2);
  db.change(zone, { added: some(300, "c") }, AUTHOR);
  assert.equal(stepsSince(7), undefined);
  assert.equal(stepsSince(8), 2);
  db.change(zone, { added: some(998, "d") }, AUTHOR);
  assert.equal(stepsSince(9), undefined);
  assert.equal(stepsSince(10), 1);
  db.change(zone, { added: some(999, "e") }, AUTHOR);
  assert.equal(stepsSince(10), undefined);
  assert.equal(stepsSince(11), undefined);
});

Deno.test("removeZone() takes records and journal along", () => {
  const { db, zone } = filled();
  using _ = db;
  db.change(zone, { added: records("b A 192.0.2.2") }, AUTHOR);
  db.removeZone(zone, AUTHOR);
  assert.deepEqual(db.zones.list(), []);
  assert.equal(db.records.count(), 0);
  assert.equal(db.journal.since(zone.id, 7), undefined);
  assert.equal(db.audit.list({ limit: 1 })[0]?.after, "");
});

Deno.test("undo brings back a removed zone as it was", () => {
  const { db, zone } = filled();
  using _ = db;
  db.change(zone, { added: records('t TXT "a\\000b" c') }, AUTHOR);
  const look = () => [db.zones.list(), db.records.ofZone(zone.id), db.journal.since(zone.id, 7)];
  const before = look();
  const { undo } = db.undoable(() => db.removeZone(zone, AUTHOR));
  undo();
  assert.deepEqual(look(), before);
});

Deno.test("page() filters, and goes on behind an id", () => {
  const { db, zone } = filled();
  using _ = db;
  db.change(zone, { added: records("b A 192.0.2.2\nb AAAA ::1\nB A 192.0.2.3") }, AUTHOR);
  const page = (filter: Parameters<typeof db.records.page>[1]) =>
    db.records.page(zone.id, filter).map(({ id }) => id);
  assert.deepEqual(page({ limit: 2 }), [1, 2]);
  assert.deepEqual(page({ limit: 9, afterId: 4 }), [5, 6]);
  assert.deepEqual(page({ limit: 9, name: name("b.example.net.") }), [4, 5, 6]);
  assert.deepEqual(page({ limit: 9, name: name("b.example.net."), type: 1 }), [4, 6]);
});

Deno.test("tokens are kept as hashes, each name and each hash once", () => {
  using db = openMemoryDnsDatabase();
  const token = { name: "ci", hash: "0".repeat(64), scopes: ["read:*"], createdAt: 1 };
  const row = db.tokens.add(token);
  db.tokens.add({ ...token, name: "b", hash: "1".repeat(64), expiresAt: 5 });
  assert.throws(() => db.tokens.add({ ...token, hash: "2".repeat(64) }), AlreadyExistsError);
  assert.throws(() => db.tokens.add({ ...token, name: "c" }), AlreadyExistsError);
  db.tokens.remove(row.id);
  assert.deepEqual(db.tokens.list().map(({ name, expiresAt }) => [name, expiresAt]), [["b", 5]]);
  assert.throws(() => db.tokens.remove(row.id), NotFoundError);
});

Deno.test("a database is opened again as it was, copied and restored", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const path = `${folder}/mcns.db`;
    {
      using db = openDnsDatabase(path);
      db.createZone(ORIGIN, records(START), AUTHOR);
      db.safekeeping?.acknowledge();
      await db.snapshot(`${folder}/copy.db`);
    }
    {
      using db = openDnsDatabase(path);
      assert.equal(db.records.count(), 3);
      const [zone] = db.zones.list();
      assert(zone);
      db.change(zone, { added: records("b A 192.0.2.2") }, AUTHOR);
      using frozen = db.frozen();
      db.change(zone, { added: records("c A 192.0.2.2") }, AUTHOR);
      assert.equal(frozen?.records.count(), 4);
    }
    const { contents } = await restoreDnsDatabase(path, { from: `${folder}/copy.db` });
    assert.deepEqual(contents, { zones: 1, records: 3 });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
