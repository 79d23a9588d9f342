import assert from "node:assert/strict";
import {
  encodeOpt,
  encodeQuery,
  MessageWriter,
  nameToText,
  octetString,
  OPTION,
  parseMessage,
  rdataFromText,
  rdataToText,
  readEdns,
  readRdata,
  type RecordSet,
  TYPE,
} from "../../../lib/dns/mod.ts";
import { nameOf } from "../../support/dns_server.ts";

const HEAD = { id: 7, flags: 0x8000, limit: 512 };

/** A name as the writer takes it. */
const named = (text: string) => octetString(nameOf(text));

function set(type: number, ...texts: string[]): RecordSet {
  const data = texts.map((text) => {
    const own = rdataFromText(type, text.split(" "), { origin: nameOf("a.test") });
    assert(own.ok);
    return octetString(own.value);
  });
  return { type, ttl: 60, data };
}

function recordsOf(octets: Uint8Array): string[] {
  const message = parseMessage(octets);
  assert(message.ok, JSON.stringify(message));
  const { answers, authorities, additionals } = message.value;
  return [...answers, ...authorities, ...additionals].map(({ name, type, data }) => {
    const own = readRdata(octets, type, data);
    assert(own !== undefined);
    return `${nameToText(name)} ${rdataToText(type, own)}`;
  });
}

Deno.test("MessageWriter compresses owners, and names of RFC 1035's types and of no others", () => {
  const writer = new MessageWriter();
  writer.begin(HEAD);
  writer.addQuestion(named("www.a.test"), { type: TYPE.A, class: 1 });
  const length = writer.length;
  assert.ok(writer.addSet("answer", named("WWW.a.test"), set(TYPE.MX, "1 mail.a.test.")));
  // A pointer, ten octets, a preference, "mail" and a pointer.
  assert.equal(writer.length - length, 2 + 10 + 2 + 5 + 2);
  const before = writer.length;
  assert.ok(writer.addSet("additional", named("b.a.test"), set(TYPE.SRV, "0 0 1 mail.a.test.")));
  assert.equal(writer.length - before, 2 + 2 + 10 + 6 + nameOf("mail.a.test").length);
  assert.deepEqual(recordsOf(writer.finish()), [
    "www.a.test. 1 mail.a.test.",
    "b.a.test. 0 0 1 mail.a.test.",
  ]);
});

Deno.test("MessageWriter has all records of a set or none, and forgets the names of those", () => {
  for (let limit = 40; limit < 140; limit++) {
    const writer = new MessageWriter();
    writer.begin({ ...HEAD, limit });
    writer.addQuestion(named("q.test"), { type: TYPE.NS, class: 1 });
    const fits = writer.addSet("answer", named("q.test"), set(TYPE.NS, "x.y.", "z.y.", "w.v."));
    const later = writer.addSet("authority", named("z.y"), set(TYPE.NS, "w.v."));
    const octets = writer.finish();
    assert.ok(octets.length <= limit);
    const wanted = [
      ...fits ? ["q.test. x.y.", "q.test. z.y.", "q.test. w.v."] : [],
      ...later ? ["z.y. w.v."] : [],
    ];
    assert.deepEqual(recordsOf(octets), wanted, `${limit} octets`);
    assert.equal(fits, limit >= 24 + 3 * 12 + 5 + 4 + 5, `${limit} octets`);
  }
});

Deno.test("MessageWriter keeps room for the record that comes last", () => {
  const writer = new MessageWriter();
  const opt = encodeOpt({ payloadOctets: 1232, isDnssecOk: true });
  writer.begin({ ...HEAD, limit: 12 + 20 + opt.length, reserved: opt.length });
  assert.equal(writer.addSet("answer", named("abcde"), set(TYPE.A, "192.0.2.1")), false);
  assert.equal(writer.addSet("answer", named("abcd"), set(TYPE.A, "192.0.2.1")), true);
  writer.addRaw("additional", opt);
  assert.equal(writer.finish().length, 12 + 20 + opt.length);
});

Deno.test("a set that is larger than any message is not written, and the next one is", () => {
  const writer = new MessageWriter();
  writer.begin({ ...HEAD, limit: 0xffff });
  const texts = Array.from({ length: 300 }, (_, i) => `${i}${"x".repeat(240)}`);
  assert.equal(writer.addSet("answer", named("a"), set(TYPE.TXT, ...texts)), false);
  assert.equal(writer.addSet("answer", named("a"), set(TYPE.A, "192.0.2.1")), true);
  assert.deepEqual(recordsOf(writer.finish()), ["a. 192.0.2.1"]);
});

Deno.test("names beyond what a pointer reaches are written out", () => {
  const writer = new MessageWriter();
  writer.begin({ ...HEAD, limit: 0xffff });
  const texts = Array.from({ length: 80 }, (_, i) => `${i}${"x".repeat(240)}`);
  assert.ok(writer.addSet("answer", named("a"), set(TYPE.TXT, ...texts)));
  assert.ok(writer.addSet("answer", named("late"), set(TYPE.NS, "late.")));
  assert.deepEqual(recordsOf(writer.finish()).at(-1), "late. late.");
});

function withOpt(...records: Uint8Array[]): Uint8Array {
  const octets = Uint8Array.from([
    ...encodeQuery({ id: 1, name: nameOf("a"), type: 1 }),
    ...records.flatMap((record) => [...record]),
  ]);
  octets[11] = records.length;
  return octets;
}

function ednsOf(octets: Uint8Array) {
  const message = parseMessage(octets);
  assert(message.ok);
  return readEdns(message.value, octets);
}

Deno.test("readEdns() reads what encodeOpt() wrote, and refuses two of them or one with a name", () => {
  const options = [{ code: OPTION.cookie, value: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8) }];
  const opt = encodeOpt({ payloadOctets: 1232, isDnssecOk: true, options });
  const edns = ednsOf(withOpt(opt));
  assert.deepEqual(edns, { version: 0, payloadOctets: 1232, isDnssecOk: true, options });
  assert.equal(ednsOf(withOpt()), undefined);
  assert.equal(ednsOf(withOpt(opt, opt)), "invalid");
  assert.equal(ednsOf(withOpt(Uint8Array.of(1, 97, ...opt))), "invalid");
  const cut = opt.slice();
  cut[14] = 9; // The option says one octet more than there is.
  assert.equal(ednsOf(withOpt(cut)), "invalid");
  assert.deepEqual(ednsOf(withOpt(encodeOpt({ payloadOctets: 1, isDnssecOk: false }))), {
    version: 0,
    payloadOctets: 512,
    isDnssecOk: false,
    options: [],
  });
  const future = opt.slice();
  [future[5], future[6]] = [0xff, 3];
  assert.equal((ednsOf(withOpt(future)) as { version: number }).version, 3);
});
