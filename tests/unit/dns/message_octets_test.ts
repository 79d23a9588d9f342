import assert from "node:assert/strict";
import {
  CLASS_IN,
  encodeQuery,
  MessageWriter,
  octetString,
  parseMessage,
  type RecordSet,
  ResponseCode,
  TYPE,
} from "../../../lib/dns/mod.ts";
import { joined, u16, u32 } from "../../../lib/wire/mod.ts";
import { nameOf } from "../../support/dns_server.ts";

/** A header with these flags and counts, and what is behind it. */
function message(flags: number, counts: readonly number[], ...rest: Uint8Array[]): Uint8Array {
  return joined([u16(0x1234), u16(flags), ...counts.map(u16), ...rest]);
}

const reasonOf = (octets: Uint8Array) => {
  const parsed = parseMessage(octets);
  return parsed.ok ? undefined : parsed.reason;
};

Deno.test("parseMessage() reads each bit of the header where RFC 1035 §4.1.1 has it", () => {
  const none = {
    id: 0x1234,
    isResponse: false,
    opcode: 0,
    isAuthoritative: false,
    isTruncated: false,
    recursionDesired: false,
    recursionAvailable: false,
    responseCode: 0,
  };
  for (
    const [flags, more] of [
      [0x8000, { isResponse: true }],
      [0x7800, { opcode: 15 }],
      [0x0800, { opcode: 1 }],
      [0x0400, { isAuthoritative: true }],
      [0x0200, { isTruncated: true }],
      [0x0100, { recursionDesired: true }],
      [0x0080, { recursionAvailable: true }],
      [0x0070, {}],
      [0x000f, { responseCode: 15 }],
    ] as const
  ) {
    const parsed = parseMessage(message(flags, [0, 0, 0, 0]));
    assert.deepEqual(parsed.ok && parsed.value.header, { ...none, ...more }, flags.toString(16));
  }
  const { noError, formatError, serverFailure, nameError } = ResponseCode;
  assert.deepEqual([noError, formatError, serverFailure, nameError], [0, 1, 2, 3]);
  const { notImplemented, refused, yxDomain } = ResponseCode;
  assert.deepEqual([notImplemented, refused, yxDomain], [4, 5, 6]);
});

const QUESTION = joined([nameOf("z"), u16(TYPE.A), u16(CLASS_IN)]);
const record = (ttl: number, data: Uint8Array = Uint8Array.of()) =>
  joined([nameOf("z"), u16(TYPE.TXT), u16(CLASS_IN), u32(ttl), u16(data.length), data]);

Deno.test("parseMessage() says of each beginning of a message what is missing", () => {
  const whole = message(0, [1, 1, 0, 0], QUESTION, record(7, Uint8Array.of(1, 97)));
  assert.equal(reasonOf(whole), undefined);
  const questionEnd = 12 + QUESTION.length;
  for (let end = 0; end < whole.length; end++) {
    const want = end < 12
      ? "the header is cut off"
      : end < questionEnd
      ? "a question is not valid"
      : "a record is not valid";
    assert.equal(reasonOf(whole.subarray(0, end)), want, `${end} octets`);
  }
  assert.equal(reasonOf(joined([whole, Uint8Array.of(0)])), "there are octets after the message");
});

Deno.test("parseMessage() takes 4,096 records of all sections together", () => {
  for (const counts of [[4096, 0, 0, 0], [1, 4095, 0, 0], [0, 1, 4000, 95], [0, 0, 0, 4096]]) {
    assert.match(reasonOf(message(0, counts)) ?? "", /^a (question|record) is not valid$/);
    const more = counts.with(3, (counts[3] ?? 0) + 1);
    assert.equal(reasonOf(message(0, more)), "more than 4096 records");
  }
});

Deno.test("parseMessage() reads a TTL with its upper bit set as 0", () => {
  const ttlOf = (ttl: number) => {
    const parsed = parseMessage(message(0, [0, 1, 0, 0], record(ttl)));
    return parsed.ok && parsed.value.answers[0]?.ttl;
  };
  assert.deepEqual([0, 0x7fffffff, 0x80000000, 0xffffffff].map(ttlOf), [0, 0x7fffffff, 0, 0]);
});

Deno.test("encodeQuery() asks as RFC 1035 and RFC 6891 have it", () => {
  const plain = encodeQuery({ id: 0x1234, name: nameOf("z"), type: TYPE.MX });
  assert.equal(plain.toHex(), "123401000001000000000000" + "017a00000f0001");
  const edns = encodeQuery({ id: 1, name: nameOf("."), type: TYPE.NS, udpPayloadBytes: 1232 });
  assert.equal(edns.toHex(), "000101000001000000000001" + "0000020001" + "00002904d0000000000000");
});

const Z = octetString(nameOf("z"));
const text = (...octets: number[]) => String.fromCharCode(...octets);
const txt = (...data: string[]): RecordSet => ({ type: TYPE.TXT, ttl: 0x01020304, data });

Deno.test("MessageWriter writes a message octet by octet, and the next one from the beginning", () => {
  const writer = new MessageWriter();
  for (let round = 0; round < 2; round++) {
    writer.begin({ id: 0xabcd, flags: 0x8100, limit: 512, reserved: 3 });
    assert.equal(writer.length, 12);
    writer.addQuestion(Z, { type: TYPE.TXT, class: CLASS_IN });
    assert.equal(writer.addSet("answer", octetString(nameOf("a.Z")), txt("\x01x", "\x01y")), true);
    const mx: RecordSet = {
      type: TYPE.MX,
      ttl: 0,
      data: [text(0, 10) + octetString(nameOf("m.z"))],
    };
    assert.equal(writer.addSet("authority", Z, mx), true);
    writer.addRaw("additional", Uint8Array.of(7, 8, 9));
    writer.setFlags(0x0400);
    writer.setFlags(0x0003);
    assert.equal(
      writer.finish().toHex(),
      "abcd8503" + "0001000200010001" + "017a0000100001" +
        "0161c00c00100001010203040002" + "0178" +
        "c01300100001010203040002" + "0179" +
        "c00c000f0001000000000006" + "000a016dc00c" + "070809",
    );
  }
});

Deno.test("MessageWriter adds a set whole or not at all, up to its limit less what is kept", () => {
  const fits = (limit: number, reserved: number) => {
    const writer = new MessageWriter();
    writer.begin({ id: 0, flags: 0, limit, reserved });
    const added = writer.addSet("answer", Z, txt("\x01x", "\x01y"));
    const octets = writer.finish();
    assert.equal(octets[7], added ? 2 : 0);
    assert.equal(octets.length, added ? 12 + 15 + 14 : 12);
    // Names of what was taken back are not pointed at.
    writer.addQuestion(Z, { type: TYPE.A, class: CLASS_IN });
    const name = writer.finish().subarray(octets.length, octets.length + 3).toHex();
    assert.equal(name.slice(0, 4), added ? "c00c" : "017a");
    return added;
  };
  assert.deepEqual([[41, 0], [40, 0], [52, 11], [51, 11]].map(([a = 0, b = 0]) => fits(a, b)), [
    true,
    false,
    true,
    false,
  ]);
});

Deno.test("MessageWriter fills a message of 65,535 octets, and points no further than it can", () => {
  const writer = new MessageWriter();
  writer.begin({ id: 0, flags: 0, limit: 70_000 });
  const most = 65_535 - 12 - 13;
  const large = (octets: number): RecordSet => ({
    type: 65_280,
    ttl: 1,
    data: ["x".repeat(octets)],
  });
  assert.equal(writer.addSet("answer", Z, large(most + 1)), false);
  assert.equal(writer.addSet("answer", Z, large(most)), true);
  assert.equal(writer.finish().length, 65_535);
  for (const [at, points] of [[0x3fff, true], [0x4000, false]] as const) {
    writer.begin({ id: 0, flags: 0, limit: 65_535 });
    assert.equal(writer.addSet("answer", Z, large(at - 12 - 13)), true);
    assert.equal(writer.length, at);
    const name = octetString(nameOf("n"));
    for (let i = 0; i < 2; i++) assert.equal(writer.addSet("answer", name, large(0)), true);
    assert.equal(writer.length, at + 13 + (points ? 12 : 13));
  }
});
