import assert from "node:assert/strict";
import { nameKey } from "../../../lib/dns/mod.ts";
import { DnsControl, type Transferred } from "../../../lib/dns_control/mod.ts";
import { openMemoryDnsDatabase } from "../../../lib/dns_store/mod.ts";
import { RefusedError } from "../../../lib/queue/mod.ts";
import type { ZoneChange } from "../../../lib/zones/mod.ts";
import { nameOf } from "../../support/dns_server.ts";
import { BEFORE, NEW_NAMES, recordsOf, transferredZone } from "../../support/transferred_zone.ts";

const ORIGIN = nameOf("example.net");
const FROM = { primary: "192.0.2.53:53" };

async function start({ isHeld = true } = {}) {
  const database = openMemoryDnsDatabase();
  const changes: ZoneChange["kind"][] = [];
  const plane = {
    refuses: false,
    apply: (change: ZoneChange) => {
      if (plane.refuses) return Promise.reject(new Error("the workers refuse"));
      changes.push(change.kind);
      return Promise.resolve({ pendingWorkers: [] });
    },
  };
  const control = await DnsControl.open({ database, plane, log: () => {}, now: () => 1000 });
  const { secondaries } = control;
  await secondaries.declare(new Map([[nameKey(ORIGIN), [FROM.primary]]]));
  if (isHeld) await secondaries.take(ORIGIN, { kind: "whole", records: recordsOf(BEFORE) }, FROM);
  const verdict = (name: string) =>
    control.explain({ name: `${name}.example.net`, type: "A" }).verdict;
  return { database, plane, changes, control, secondaries, verdict };
}

const step = (removed: string, added: string, serial = 8): Transferred => ({
  kind: "steps",
  steps: [{
    removed: recordsOf(BEFORE.split("@ NS")[0] + removed),
    added: recordsOf(
      (BEFORE.split("@ NS")[0] as string).replace(" 7 ", ` ${serial} `) + added,
    ),
  }],
});

Deno.test("a zone comes whole, by its changes, and again whole", async () => {
  const { control, secondaries, changes, verdict, database } = await start();
  assert.deepEqual(changes, ["set", "set"]);
  await secondaries.take(ORIGIN, transferredZone("steps"), FROM);
  assert.deepEqual(changes, ["set", "set", "amend"]);
  assert.equal(verdict(`new${NEW_NAMES - 1}`), "answer");
  const { serial, records } = control.zone(ORIGIN);
  assert.deepEqual([serial, records], [8, 3 + NEW_NAMES]);
  // Back to what it was: a primary that was set back, by an operator's word.
  await secondaries.take(ORIGIN, { kind: "whole", records: recordsOf(BEFORE) }, FROM);
  assert.deepEqual([control.zone(ORIGIN).serial, control.zone(ORIGIN).records], [7, 3]);
  assert.equal(verdict("new0"), "no_name");
  // Whoever had serial 7 or 8 of before is not told of changes that were none.
  assert.deepEqual([database.journal.since(1, 7), database.journal.since(1, 8)], [
    undefined,
    undefined,
  ]);
});

Deno.test("several steps are one change, and what comes and goes again leaves nothing", async () => {
  const { control, secondaries, verdict } = await start();
  const soa = (serial: number) =>
    recordsOf((BEFORE.split("@ NS")[0] as string).replace(" 7 ", ` ${serial} `));
  const [, , , passing] = recordsOf(`${BEFORE}passing A 192.0.2.9\n`);
  const [, , , staying] = recordsOf(`${BEFORE}staying A 192.0.2.9\n`);
  const [, , ns] = recordsOf(BEFORE);
  const [, , slower] = recordsOf(BEFORE.replace("ns A", "ns 600 A"));
  assert(passing && staying && ns && slower);
  await secondaries.take(ORIGIN, {
    kind: "steps",
    steps: [
      { removed: [...soa(7), ns], added: [...soa(8), passing] },
      { removed: [...soa(8), passing], added: [...soa(9), staying, slower] },
    ],
  }, FROM);
  assert.deepEqual([verdict("passing"), verdict("staying")], ["no_name", "answer"]);
  const [own] = control.set(ORIGIN, { name: "ns", type: "A" });
  assert.deepEqual([own?.ttl, control.zone(ORIGIN).serial], [600, 9]);
});

Deno.test("steps that do not fit, lead nowhere, or are signed change nothing", async () => {
  const { control, secondaries, verdict, plane } = await start();
  const rrsig = `@ RRSIG A 13 2 300 20300101000000 20200101000000 1 example.net. ${btoa("x")}\n`;
  const cases: Record<string, Transferred> = {
    "is not there": step("gone A 192.0.2.9\n", ""),
    "which is there": step("", "ns A 192.0.2.1\n"),
    "no later serial": step("", "new A 192.0.2.9\n", 7),
    "signed by its primary": step("", rrsig),
    "name servers|delegation|NS": step("@ NS ns\n", ""),
  };
  for (const [reason, transferred] of Object.entries(cases)) {
    await assert.rejects(secondaries.take(ORIGIN, transferred, FROM), (error) => {
      return error instanceof RefusedError && new RegExp(reason).test(error.message);
    }, reason);
  }
  const wholes: Record<string, string> = {
    "outside of the zone": `${BEFORE}www.example.org. A 192.0.2.9\n`,
    "SOA": BEFORE.split("\n").filter((line) => !line.includes("SOA")).join("\n"),
    "signed by its primary": BEFORE + rrsig,
  };
  for (const [reason, text] of Object.entries(wholes)) {
    const whole: Transferred = { kind: "whole", records: recordsOf(text) };
    await assert.rejects(secondaries.take(ORIGIN, whole, FROM), new RegExp(reason));
  }
  plane.refuses = true;
  await assert.rejects(secondaries.take(ORIGIN, transferredZone("whole"), FROM));
  await assert.rejects(secondaries.take(ORIGIN, transferredZone("steps"), FROM));
  assert.deepEqual([control.zone(ORIGIN).serial, control.zone(ORIGIN).records], [7, 3]);
  assert.equal(verdict("new"), "no_name");
});

Deno.test("what nobody follows any more is not written, and a zone that never came goes", async () => {
  const { control, secondaries, changes } = await start({ isHeld: false });
  assert.deepEqual(control.listZones().map(({ name }) => name), ["example.net."]);
  await secondaries.declare(new Map());
  assert.deepEqual([changes, control.listZones()], [["set", "remove"], []]);
  const whole: Transferred = { kind: "whole", records: recordsOf(BEFORE) };
  await assert.rejects(secondaries.take(ORIGIN, whole, FROM), /is not followed any more/);
  assert.equal(control.has(ORIGIN), false);
});

Deno.test("a zone expires and comes back, but not one that has never come", async () => {
  const { secondaries, verdict, changes } = await start();
  await secondaries.expire(ORIGIN, true);
  assert.equal(verdict("ns"), "expired");
  await secondaries.expire(ORIGIN, true);
  await secondaries.expire(ORIGIN, false);
  assert.deepEqual([verdict("ns"), changes], ["answer", ["set", "set", "expire", "expire"]]);
  const other = await start({ isHeld: false });
  await other.secondaries.expire(ORIGIN, false);
  assert.equal(other.verdict("ns"), "expired");
});

Deno.test("a zone that is taken out of the configuration is our own, also if it had expired", async () => {
  const { control, secondaries, database, verdict } = await start();
  await secondaries.expire(ORIGIN, true);
  await secondaries.declare(new Map());
  assert.equal(verdict("ns"), "answer");
  assert.equal(database.audit.list({ limit: 1 })[0]?.action, "PromoteZone");
  const record = { name: "own", type: "A", value: "192.0.2.9" };
  await control.records.add(ORIGIN, record, { actor: "test", action: "AddRecord" });
  // And so it is not another's again.
  const { refused } = await secondaries.declare(new Map([[nameKey(ORIGIN), [FROM.primary]]]));
  assert.match([...refused.values()].join(), /managed here/);
  assert.equal(secondaries.primaries(ORIGIN), undefined);
});
