import assert from "node:assert/strict";
import { foldCase, octetString, parseMessage, TYPE } from "../../../lib/dns/mod.ts";
import { type PlannedUpdate, type UpdateGrant, Updates } from "../../../lib/dns_update/mod.ts";
import { findTsig, signMessage, type TsigKey, verifyMessage } from "../../../lib/tsig/mod.ts";
import { concat, u16, u32 } from "../../../lib/wire/mod.ts";
import type { Zone } from "../../../lib/zones/mod.ts";
import { nameOf } from "../../support/dns_server.ts";
import { APEX, zoneOf } from "../../support/zone_samples.ts";
import { changedZone, keyNamed } from "../../support/zone_server.ts";

const TIME = 1_800_000_000;
const KEY = keyNamed("k");
const ALL: readonly UpdateGrant[] = [{ name: foldCase(octetString(nameOf("z"))), isTree: true }];

/** Adds an address to a name, if the name has none. */
function updateOf(
  name: string,
  { zone = "z", isNew = false, type = 6 }: {
    readonly zone?: string;
    readonly isNew?: boolean;
    readonly type?: number;
  } = {},
): Uint8Array {
  const prereq = isNew ? [concat(nameOf(name), u16(255), u16(254), u32(0), u16(0))] : [];
  const data = Uint8Array.of(192, 0, 2, 1);
  const change = concat(nameOf(name), u16(TYPE.A), u16(1), u32(60), u16(4), data);
  const header = concat(u16(7), u16(0x2800), u16(1), u16(prereq.length), u16(1), u16(0));
  return concat(header, nameOf(zone), u16(type), u16(1), ...prereq, change);
}

/** Updates of one zone, and what became of them. */
function updatesOf(
  apply?: (plan: PlannedUpdate) => Promise<void>,
  grants: readonly UpdateGrant[] = ALL,
) {
  let zone: Zone = zoneOf("z.", APEX);
  const told: { code: number; reason?: string; key?: TsigKey }[] = [];
  const applied: PlannedUpdate[] = [];
  const updates = new Updates({
    zoneAt: (origin) => foldCase(origin) === zone.apexKey ? zone : undefined,
    keys: [KEY],
    grantsOf: () => grants,
    apply: async (_zone, plan, { key }) => {
      assert.equal(key, KEY);
      await apply?.(plan);
      applied.push(plan);
      ({ zone } = changedZone(zone, plan));
    },
    onAnswer: (what) => void told.push(what),
    now: () => TIME,
  });
  return { updates, told, applied, serial: () => zone.serial };
}

/** The code of the answer to a signed message, whose own signature is good. */
async function codeOf(updates: Updates, octets: Uint8Array, key = KEY): Promise<number> {
  const signed = await signMessage(octets, { key, time: TIME });
  const answer = await updates.respond(signed.octets);
  assert(answer !== undefined);
  const message = parseMessage(answer);
  assert(message.ok);
  const { header } = message.value;
  assert.deepEqual([header.id, header.opcode, header.isResponse], [7, 5, true]);
  if (key === KEY) {
    const options = { keys: [KEY], time: TIME, requestMac: signed.mac };
    const verdict = await verifyMessage({ message: message.value, octets: answer }, options);
    assert.equal(verdict.kind, "verified");
  }
  return header.responseCode;
}

Deno.test("Updates makes changes of a key that may, and answers signed", async () => {
  const { updates, told, applied, serial } = updatesOf();
  assert.equal(await codeOf(updates, updateOf("a.z")), 0);
  assert.equal(applied.length, 1);
  assert.equal(serial(), 8);
  assert.equal(await codeOf(updates, updateOf("a.z")), 0); // It is there: nothing changes.
  assert.equal(applied.length, 1);
  assert.deepEqual(told.map(({ code, key }) => [code, key]), [[0, KEY], [0, KEY]]);
});

Deno.test("Updates refuses what is not signed, signed by a stranger, or not allowed, and says why", async () => {
  const { updates, told, applied } = updatesOf(undefined, []);
  const unsigned = await updates.respond(updateOf("a.z"));
  assert.equal((unsigned?.[3] ?? 0) & 15, 5);
  assert.equal(await codeOf(updates, updateOf("a.z"), keyNamed("stranger")), 9);
  assert.equal(await codeOf(updates, updateOf("a.z")), 5);
  assert.equal(await codeOf(updates, updateOf("a.y", { zone: "y" })), 9);
  assert.equal(await codeOf(updates, updateOf("a.z", { type: 1 })), 1);
  assert.deepEqual(told.map(({ code, reason }) => `${code} ${reason}`), [
    "5 not signed",
    "9 TSIG error 17",
    "5 the key may not change this",
    "9 no zone for changes",
    "1 malformed",
  ]);
  assert.deepEqual(applied, []);
});

Deno.test("Updates answers SERVFAIL where a change cannot be made, and goes on", async () => {
  let fails = true;
  const { updates, told, serial } = updatesOf(() =>
    fails ? Promise.reject(new Error("the disk is full")) : Promise.resolve()
  );
  assert.equal(await codeOf(updates, updateOf("a.z")), 2);
  assert.equal(serial(), 7);
  assert.match(told[0]?.reason ?? "", /the disk is full/);
  fails = false;
  assert.equal(await codeOf(updates, updateOf("a.z")), 0);
});

Deno.test("Updates makes one change after the other: each sees what the one before it did", async () => {
  const gate = Promise.withResolvers<void>();
  const { updates, applied } = updatesOf(() => gate.promise);
  const three = Array.from({ length: 3 }, () => codeOf(updates, updateOf("a.z", { isNew: true })));
  gate.resolve();
  // One of them was first; to the others the name is there.
  assert.deepEqual((await Promise.all(three)).sort(), [0, 6, 6]);
  assert.equal(applied.length, 1);
});

Deno.test("Updates has 256 wait, and answers SERVFAIL to more", async () => {
  const gate = Promise.withResolvers<void>();
  const { updates } = updatesOf(() => gate.promise);
  const all = Array.from({ length: 258 }, (_, i) => codeOf(updates, updateOf(`a${i}.z`)));
  // While nobody gets on, these two alone are answered.
  const both = Promise.withResolvers<void>();
  let answered = 0;
  for (const one of all) one.then(() => ++answered === 2 && both.resolve(), both.reject);
  await both.promise;
  gate.resolve();
  const codes = await Promise.all(all);
  assert.deepEqual([
    codes.filter((code) => code === 0).length,
    codes.filter((code) => code === 2).length,
  ], [256, 2]);
});

Deno.test("Updates leaves other messages alone, and answers FORMERR to a signature that is not valid", async () => {
  const { updates } = updatesOf();
  const update = updateOf("a.z");
  assert.equal(await updates.respond(update.with(2, 0)), undefined); // A question.
  assert.equal(await updates.respond(update.with(2, 0xa8)), undefined); // An answer.
  assert.equal(await updates.respond(update.slice(0, 5)), undefined);
  const { octets } = await signMessage(update, { key: KEY, time: TIME });
  const twice = Uint8Array.from([...octets, ...octets.subarray(update.length)]).with(11, 2);
  const answer = await updates.respond(twice);
  assert.equal((answer?.[3] ?? 0) & 15, 1);
  const message = parseMessage(answer ?? new Uint8Array(0));
  assert(message.ok);
  assert.equal(findTsig(message.value, answer ?? new Uint8Array(0)).kind, "unsigned");
});
