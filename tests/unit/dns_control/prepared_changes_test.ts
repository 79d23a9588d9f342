import assert from "node:assert/strict";
import { nameFromText } from "../../../lib/dns/mod.ts";
import {
  type ChangeRequest,
  DnsControl,
  type DnsPlane,
  NO_PLANE,
} from "../../../lib/dns_control/mod.ts";
import { type DnsDatabase, openMemoryDnsDatabase } from "../../../lib/dns_store/mod.ts";
import { RefusedError } from "../../../lib/queue/mod.ts";
import { applyZoneChange, type ZoneChange, ZoneTable } from "../../../lib/zones/mod.ts";

const OPERATION = { actor: "somebody", action: "Test" };
const ZONE =
  "$TTL 300\n@ SOA ns host 7 3600 600 604800 60\n@ NS ns\nns A 192.0.2.1\nold A 192.0.2.2\n";
const SETS = [
  { zone: "A.example", name: "www", type: "A", ttl: 60, values: ["192.0.2.7"] },
  { zone: "a.example.", name: "old", type: "A", values: [] },
  { zone: "b.example", name: "www", type: "TXT", values: ["x"] },
];
const CHANGE: ChangeRequest = { id: "one", coordinator: "proxy", sets: SETS };

function name(text: string) {
  const found = nameFromText(text);
  assert(found.ok);
  return found.value;
}

async function open(database: DnsDatabase, plane: DnsPlane = NO_PLANE): Promise<DnsControl> {
  return await DnsControl.open({ database, plane, log: () => {}, now: () => 1000 });
}

async function start(plane?: DnsPlane) {
  const database = openMemoryDnsDatabase();
  const control = await open(database, plane);
  for (const zone of ["a.example", "b.example"]) {
    await control.zones.import(name(zone), new TextEncoder().encode(ZONE), OPERATION);
  }
  return {
    database,
    control,
    values: (zone: string, owner: string, type = "A") =>
      control.set(name(zone), { name: owner, type }).map(({ value, ttl }) => `${value} ${ttl}`),
    async [Symbol.asyncDispose]() {
      await control.close();
      database[Symbol.dispose]();
    },
  };
}

function refused(promise: Promise<unknown>, code: string, message: RegExp) {
  return assert.rejects(promise, (error) => {
    assert(error instanceof RefusedError, String(error));
    assert.equal(error.code, code, error.message);
    assert.match(`${error.message} ${JSON.stringify(error.problems)}`, message);
    return true;
  });
}

Deno.test("a prepared change shows nothing, and is made whole by a commit that may be repeated", async () => {
  await using it = await start();
  const { prepared } = it.control;
  const planned = await prepared.prepare({ ...CHANGE, dryRun: true }, OPERATION);
  assert.deepEqual(planned, {
    id: "one",
    state: "planned",
    sets: [
      {
        ...{ zone: "a.example.", name: "www.a.example.", type: "A" },
        ...{ before: { ttl: 0, values: [] }, after: { ttl: 60, values: ["192.0.2.7"] } },
      },
      {
        ...{ zone: "a.example.", name: "old.a.example.", type: "A" },
        ...{ before: { ttl: 300, values: ["192.0.2.2"] }, after: { ttl: 0, values: [] } },
      },
      {
        ...{ zone: "b.example.", name: "www.b.example.", type: "TXT" },
        ...{ before: { ttl: 0, values: [] }, after: { ttl: 3600, values: ['"x"'] } },
      },
    ],
    versions: [{ zone: "a.example.", version: "1.7" }, { zone: "b.example.", version: "2.7" }],
    pendingWorkers: [],
  });
  assert.deepEqual(prepared.list(), []);
  for (let i = 0; i < 2; i++) {
    assert.equal((await prepared.prepare(CHANGE, OPERATION)).state, "prepared");
  }
  assert.deepEqual(it.values("a.example", "www"), []);
  assert.deepEqual(prepared.list(), [{
    ...{ id: "one", coordinator: "proxy", actor: "somebody", preparedAt: 1000 },
    zones: ["a.example.", "b.example."],
  }]);
  const made = await prepared.commit("one", { ...OPERATION, actor: "somebody else" });
  assert.deepEqual([made.state, made.sets.length, made.versions], ["committed", 3, [
    { zone: "a.example.", version: "1.8" },
    { zone: "b.example.", version: "2.8" },
  ]]);
  assert.deepEqual(it.values("a.example", "www"), ["192.0.2.7 60"]);
  assert.deepEqual(it.values("a.example", "old"), []);
  assert.deepEqual(it.values("b.example", "www", "TXT"), ['"x" 3600']);
  assert.deepEqual(
    it.control.audit({ limit: 2 }).map(({ actor, subject }) => `${actor} ${subject}`),
    ["somebody zone b.example.", "somebody zone a.example."],
  );
  // Whatever has become of it since.
  const www = { name: "www", type: "A" };
  await it.control.records.removeSet(name("a.example"), www, OPERATION);
  assert.equal((await prepared.commit("one", OPERATION)).state, "committed");
  assert.equal((await prepared.prepare(CHANGE, OPERATION)).state, "committed");
  assert.equal(it.control.zone(name("a.example")).version, "1.9");
  await refused(prepared.abort("one", OPERATION), "failed_precondition", /is made/);
});

Deno.test("zones are kept as they are for a prepared change, across restarts, until it is given up", async () => {
  await using it = await start();
  const { control: { prepared, records, zones }, database } = it;
  const record = { name: "x", type: "A", value: "192.0.2.1" };
  await prepared.prepare(CHANGE, OPERATION);
  const busy = /waits for the decision on the change one/;
  await refused(records.add(name("a.example"), record, OPERATION), "busy", busy);
  await refused(zones.remove(name("b.example"), OPERATION), "busy", busy);
  const other = { ...CHANGE, id: "two", sets: [SETS[2] as typeof SETS[2]] } as ChangeRequest;
  await refused(prepared.prepare(other, OPERATION), "busy", busy);
  await refused(
    prepared.prepare({ ...CHANGE, sets: other.sets }, OPERATION),
    "already_exists",
    /./,
  );
  const again = await open(database);
  await refused(again.records.add(name("b.example"), record, OPERATION), "busy", busy);
  assert.deepEqual(again.prepared.list().map(({ id }) => id), ["one"]);
  await again.close();
  for (let i = 0; i < 2; i++) await prepared.abort("one", OPERATION);
  assert.deepEqual(prepared.list(), []);
  await records.add(name("a.example"), record, OPERATION);
  assert.deepEqual(it.values("a.example", "www"), []);
  await refused(prepared.commit("one", OPERATION), "not_found", /the change one/);
});

Deno.test("a change that does not fit is refused before it is prepared", async () => {
  await using it = await start();
  const { prepared } = it.control;
  const prepare = (sets: unknown, more: Partial<ChangeRequest> = {}) =>
    prepared.prepare({ ...CHANGE, ...more, sets: sets as ChangeRequest["sets"] }, OPERATION);
  const set = { zone: "a.example", name: "www", type: "A", values: ["192.0.2.7"] };
  const cases = [
    [[{ ...set, values: ["x"] }], "invalid_argument", /sets\[0\]\.values\[0\]/],
    [[set, { ...set, name: "WWW" }], "invalid_argument", /sets\[1\]\.name.*twice/],
    [[{ ...set, zone: "c.example" }], "not_found", /the zone c\.example/],
    [[{ ...set, type: "SOA", values: ["x"] }], "invalid_argument", /SOA is not changed/],
    [[{ ...set, name: "ns", type: "CNAME", values: ["x"] }], "invalid_argument", /CNAME/],
    [[{ ...set, name: "x.b.example." }], "invalid_argument", /not in the zone/],
    [[], "invalid_argument", /not 1 to 1000/],
  ] as const;
  for (const [sets, code, message] of cases) await refused(prepare(sets), code, message);
  await refused(prepare([set], { id: "a b" }), "invalid_argument", /letters/);
  await refused(prepare([set], { coordinator: "" }), "invalid_argument", /coordinator/);
  const ifVersions = [{ zone: "A.example.", version: "1.6" }];
  await refused(prepare([set], { ifVersions }), "aborted", /is at version 1\.7/);
  assert.deepEqual(prepared.list(), []);
  await prepare([set], { ifVersions: [{ zone: "a.example", version: "1.7" }] });
});

Deno.test("a commit that a worker refuses changes no zone, and can be repeated", async () => {
  let failures = 0;
  let table = new ZoneTable();
  const plane: DnsPlane = {
    apply(change: ZoneChange) {
      if (change.kind === "amend" && failures++ === 1) return Promise.reject(new Error("no"));
      table = applyZoneChange(table, change);
      return Promise.resolve({ pendingWorkers: [] });
    },
  };
  await using it = await start(plane);
  const { prepared } = it.control;
  await prepared.prepare(CHANGE, OPERATION);
  const before = [...table.zones].map(({ serial }) => serial);
  await assert.rejects(prepared.commit("one", OPERATION), /failed and was undone/);
  assert.deepEqual(
    [...table.zones].map(({ serial }) => serial),
    before,
    "the first zone went back",
  );
  assert.deepEqual(it.values("a.example", "www"), []);
  assert.deepEqual(prepared.list().map(({ id }) => id), ["one"]);
  await prepared.commit("one", OPERATION);
  assert.deepEqual(it.values("a.example", "www"), ["192.0.2.7 60"]);
  assert.deepEqual([...table.zones].map(({ serial }) => serial), [8, 8]);
});
