import assert from "node:assert/strict";
import {
  encodeQuery,
  isLaterSerial,
  octetString,
  parseMessage,
  TYPE,
} from "../../../lib/dns/mod.ts";
import {
  encodeNotify,
  encodeTransferQuery,
  isNotifyAnswer,
  readNotify,
  readTransferQuery,
  type TransferEnd,
  transferMessages,
  type TransferQuery,
  TransferReader,
  type TransferRecord,
  zoneRecords,
} from "../../../lib/transfer/mod.ts";
import type { Zone } from "../../../lib/zones/mod.ts";
import { nameOf } from "../../support/dns_server.ts";
import { createRandom, mutate } from "../../support/fuzz.ts";
import { APEX, zoneOf } from "../../support/zone_samples.ts";
import { changedZone } from "../../support/zone_server.ts";

const ZONE = nameOf("z.example");
const zone = () => zoneOf("z.example.", `${APEX}a A 192.0.2.1\nb A 192.0.2.2\nc A 192.0.2.3\n`);
const record = (name: string, last: number): TransferRecord => ({
  ...{ name: octetString(nameOf(`${name}.z.example`)), type: TYPE.A, ttl: 300 },
  data: String.fromCharCode(192, 0, 2, last),
});
const plan = (removed: TransferRecord[], added: TransferRecord[]) => ({
  ...{ removed, added, hasSerial: false },
});

function queryOf(serial?: number): TransferQuery {
  const octets = encodeTransferQuery({ id: 7, zone: ZONE, serial });
  const message = parseMessage(octets);
  assert(message.ok);
  const query = readTransferQuery(message.value, octets);
  assert(typeof query === "object");
  return query;
}

/** What a reader makes of messages, one after the other. */
function readAll(
  messages: Iterable<Uint8Array>,
  serial?: number,
  maxRecords?: number,
): TransferEnd {
  const reader = new TransferReader({
    ...{ id: 7, zone: ZONE, serial },
    ...maxRecords !== undefined && { maxRecords },
  });
  let end: TransferEnd = { kind: "need" };
  for (const octets of messages) {
    assert.equal(end.kind, "need");
    const message = parseMessage(octets);
    if (!message.ok) return { kind: "failed", reason: message.reason };
    end = reader.take(message.value, octets);
  }
  return end;
}

const whole = (of: Zone) => [...transferMessages(queryOf(), { zone: of, transport: "tcp" })];

for (
  const [serial, than, isNewer] of [
    [1, 0, true],
    [0, 1, false],
    [5, 5, false],
    [0, 0xffff_ffff, true],
    [0xffff_ffff, 0, false],
    [0x7fff_ffff, 0, true],
    [0x8000_0000, 0, false], // RFC 1982 §3.2: not defined, so not newer.
    [0x8000_0001, 0, false],
  ] as const
) {
  Deno.test(`isLaterSerial(): ${serial} ${isNewer ? "is" : "is not"} newer than ${than}`, () => {
    assert.equal(isLaterSerial(serial, than), isNewer);
  });
}

Deno.test("readTransferQuery() reads what encodeTransferQuery() writes, and finds other messages other", () => {
  assert.equal(queryOf().type, TYPE.AXFR);
  assert.equal(queryOf().serial, undefined);
  assert.deepEqual([queryOf(0xffff_fffe).type, queryOf(0xffff_fffe).serial], [
    TYPE.IXFR,
    0xffff_fffe,
  ]);
  const read = (octets: Uint8Array) => {
    const message = parseMessage(octets);
    return message.ok ? readTransferQuery(message.value, octets) : undefined;
  };
  assert.equal(read(encodeQuery({ id: 1, name: ZONE, type: TYPE.SOA })), undefined);
  const ixfr = encodeTransferQuery({ id: 1, zone: ZONE, serial: 1 });
  assert.equal(read(ixfr.with(2, 0x80)), undefined); // An answer.
  assert.equal(read(encodeQuery({ id: 1, name: ZONE, type: TYPE.IXFR })), "malformed");
  const chaos = encodeTransferQuery({ id: 1, zone: ZONE, serial: undefined });
  assert.equal(read(chaos.with(-1, 3)), "malformed");
});

Deno.test("TransferReader reads a whole zone, its SOA record once", () => {
  const end = readAll(whole(zone()));
  assert(end.kind === "end" && end.result.kind === "whole");
  assert.deepEqual(end.result.records, [...zoneRecords(zone())]);
  assert.equal(end.result.records.filter(({ type }) => type === TYPE.SOA).length, 1);
});

Deno.test("transferMessages() gives steps in their order, unless they are broken, or more than the zone", () => {
  const one = changedZone(zone(), plan([], [record("d", 4)]));
  const two = changedZone(one.zone, plan([record("d", 4)], [record("e", 5)]));
  const steps = [one.step, two.step];
  const kindOf = (known: typeof steps | undefined, serial = 7) => {
    const messages = transferMessages(queryOf(serial), {
      ...{ zone: two.zone, steps: known, transport: "tcp" as const },
    });
    const end = readAll(messages, serial);
    return end.kind === "end" ? end.result : end;
  };
  assert.deepEqual(kindOf(steps), { kind: "steps", steps });
  assert.deepEqual(kindOf([two.step], 8), { kind: "steps", steps: [two.step] });
  assert.equal(kindOf(undefined).kind, "whole");
  assert.equal(kindOf([]).kind, "whole");
  assert.equal(kindOf([one.step]).kind, "whole"); // They do not lead to what is there.
  assert.equal(kindOf([two.step]).kind, "whole"); // They do not begin where he is.
  assert.equal(kindOf([one.step, one.step, two.step]).kind, "whole");
  assert.deepEqual(kindOf(steps, 9), { kind: "current" });
  assert.deepEqual(kindOf(steps, 10), { kind: "current" });
  let large = zone();
  const many = [];
  for (let i = 0; i < 4; i++) {
    const changed = changedZone(large, plan([record("a", 1 + i)], [record("a", 2 + i)]));
    many.push(changed.step);
    large = changed.zone;
  }
  const messages = transferMessages(queryOf(7), { zone: large, steps: many, transport: "tcp" });
  const end = readAll(messages, 7);
  assert(end.kind === "end" && end.result.kind === "whole");
});

Deno.test("TransferReader takes no answer that it should not, and says why", () => {
  const [first] = whole(zone()) as [Uint8Array];
  const reasonOf = (octets: Uint8Array, serial?: number) => {
    const end = readAll([octets], serial);
    return end.kind === "failed" ? end.reason : end.kind;
  };
  assert.equal(reasonOf(first), "end");
  assert.match(reasonOf(first.with(1, 8)), /something else/);
  assert.match(reasonOf(first.with(2, 0x04)), /something else/);
  assert.match(reasonOf(first.with(3, 5)), /code 5/);
  assert.match(reasonOf(first.with(2, 0x86)), /cut off/);
  assert.match(reasonOf(first.with(13, 0x79)), /another zone/);
  const records = [...zoneRecords(zone())];
  const [soa, ...rest] = records as [TransferRecord, ...TransferRecord[]];
  const newer = { ...soa, data: soa.data.slice(0, -17) + "\x09" + soa.data.slice(-16) };
  assert.match(reasonOf(rawMessage([])), /nothing/);
  assert.match(reasonOf(rawMessage(rest)), /does not begin/);
  assert.match(reasonOf(rawMessage([soa, ...rest, newer])), /changed under way/);
  assert.match(reasonOf(rawMessage([soa, ...rest, soa, soa])), /after the last/);
  assert.equal(reasonOf(rawMessage([soa, ...rest])), "need");
  const foreign = { ...soa, name: octetString(nameOf("y.example")) };
  assert.match(reasonOf(rawMessage([soa, foreign])), /another zone/);
  assert.match(
    reasonOf(rawMessage([{ ...soa, data: soa.data.slice(1) }])),
    /not valid|malformed|invalid/,
  );
  // By changes.
  assert.match(reasonOf(rawMessage([newer, soa, newer, soa]), 7), /another version|changes/);
  assert.match(reasonOf(rawMessage([newer, soa]), 3), /changes of another version/);
  assert.match(reasonOf(rawMessage([newer, soa, soa]), 7), /lead back/);
  assert.equal(reasonOf(rawMessage([newer]), 7), "need");
  assert.equal(reasonOf(rawMessage([soa]), 7), "end");
  assert.equal(reasonOf(rawMessage([soa])), "need"); // Who asked for all of it waits for more.
});

/** An answer of records as they are. */
function rawMessage(records: readonly TransferRecord[]): Uint8Array {
  const octets = (text: string) => [...text].map((char) => char.charCodeAt(0));
  const answers = records.flatMap(({ name, type, data }) => [
    ...octets(name),
    ...[type >> 8, type & 255, 0, 1, 0, 0, 1, 44, data.length >> 8, data.length & 255],
    ...octets(data),
  ]);
  return Uint8Array.of(0, 7, 0x84, 0, 0, 0, 0, records.length, 0, 0, 0, 0, ...answers);
}

Deno.test("TransferReader takes so many records and no more", () => {
  const count = [...zoneRecords(zone())].length + 1;
  assert.equal(readAll(whole(zone()), undefined, count).kind, "end");
  assert.equal(readAll(whole(zone()), undefined, count - 1).kind, "failed");
});

Deno.test("TransferReader never throws, whatever comes (seed 5)", () => {
  const random = createRandom(5);
  const changed = changedZone(zone(), plan([], [record("d", 4)]));
  const options = { zone: changed.zone, steps: [changed.step], transport: "tcp" } as const;
  const difference = [...transferMessages(queryOf(7), options)];
  for (let i = 0; i < 2000; i++) {
    const serial = i % 2 === 0 ? undefined : 7;
    const [octets] = serial === undefined ? whole(zone()) : difference;
    readAll([mutate(octets as Uint8Array, random)], serial);
  }
});

Deno.test("readNotify() reads what encodeNotify() writes, and no other message", () => {
  const octets = encodeNotify(9, ZONE);
  const read = (octets: Uint8Array) => {
    const message = parseMessage(octets);
    assert(message.ok);
    return readNotify(message.value, octets);
  };
  assert.deepEqual(read(octets), { id: 9, zone: octetString(ZONE), serial: undefined });
  assert.equal(read(octets.with(2, 0)), undefined);
  assert.equal(read(octets.with(2, 0xa4)), undefined);
  assert.equal(read(octets.with(-3, 1)), "malformed");
  const answer = parseMessage(octets.with(2, 0xa4));
  assert(answer.ok);
  assert.equal(isNotifyAnswer(answer.value, { id: 9, zone: ZONE }), true);
  assert.equal(isNotifyAnswer(answer.value, { id: 8, zone: ZONE }), false);
  assert.equal(isNotifyAnswer(answer.value, { id: 9, zone: nameOf("y.example") }), false);
});
