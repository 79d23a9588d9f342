import assert from "node:assert/strict";
import {
  encodeOpt,
  encodeQuery,
  encodeTypeBits,
  isDataType,
  nameEquals,
  nameFromZoneText,
  nameToText,
  OPTION,
  parseMessage,
  readEdns,
  readName,
  ttlFromText,
  TYPE,
  typeFromText,
  typeToText,
} from "../../../lib/dns/mod.ts";
import {
  base64Text,
  octetsFromBase64,
  octetsFromHex,
  octetsFromText,
  quotedText,
} from "../../../lib/dns/octet_text.ts";
import { areTypeBits, decodeTypeBits } from "../../../lib/dns/type_bits.ts";
import { numberFromText, timeFromText, timeText } from "../../../lib/dns/zone_units.ts";
import { concat, joined, u16 } from "../../../lib/wire/mod.ts";
import { nameOf } from "../../support/dns_server.ts";

/** Question for z. with these records in its last section. */
function withRecords(...records: Uint8Array[]): Uint8Array {
  const query = encodeQuery({ id: 7, name: nameOf("z"), type: TYPE.SOA });
  query.set(u16(records.length), 10);
  return joined([query, ...records]);
}

function ednsOf(octets: Uint8Array) {
  const message = parseMessage(octets);
  assert(message.ok);
  return readEdns(message.value, octets);
}

Deno.test("encodeOpt() writes each field where RFC 6891 §6.1 has it", () => {
  const plain = encodeOpt({ payloadOctets: 1232, isDnssecOk: false });
  assert.equal(plain.toHex(), "00002904d0000000000000");
  const full = encodeOpt({
    payloadOctets: 0x1234,
    isDnssecOk: true,
    extendedCode: 1,
    options: [{ code: OPTION.cookie, value: Uint8Array.of(1, 2) }],
  });
  assert.equal(full.toHex(), "000029123401008000" + "0006" + "000a00020102");
  assert.deepEqual([OPTION.cookie, OPTION.extendedError], [10, 15]);
});

Deno.test("readEdns() reads what encodeOpt() wrote, and little room as 512 octets", () => {
  const options = [{ code: 10, value: Uint8Array.of(1, 2) }, { code: 3, value: Uint8Array.of() }];
  for (const isDnssecOk of [false, true]) {
    const opt = encodeOpt({ payloadOctets: 513, isDnssecOk, options });
    assert.deepEqual(ednsOf(withRecords(opt)), {
      version: 0,
      payloadOctets: 513,
      isDnssecOk,
      options,
    });
  }
  const small = encodeOpt({ payloadOctets: 511, isDnssecOk: false });
  small[6] = 3; // The version.
  assert.deepEqual(ednsOf(withRecords(small)), {
    version: 3,
    payloadOctets: 512,
    isDnssecOk: false,
    options: [],
  });
  assert.equal(ednsOf(withRecords()), undefined);
});

Deno.test("readEdns() refuses what comes twice, under a name, elsewhere, or cut off", () => {
  const opt = encodeOpt({ payloadOctets: 1232, isDnssecOk: false });
  assert.equal(ednsOf(withRecords(opt, opt)), "invalid");
  assert.equal(ednsOf(withRecords(concat(nameOf("z"), opt.subarray(1)))), "invalid");
  const among = withRecords(opt);
  among.set([0, 1, 0, 0, 0, 0], 6); // One answer, nothing else.
  assert.equal(ednsOf(among), "invalid");
  for (const data of [[0], [0, 10], [0, 10, 0], [0, 10, 0, 1], [0, 10, 0, 0, 0]]) {
    const cut = concat(opt, Uint8Array.from(data));
    cut[10] = data.length;
    assert.equal(ednsOf(withRecords(cut)), "invalid", String(data));
  }
});

Deno.test("readName() reads names to the last octet of a message, and of a name", () => {
  assert.equal(readName(Uint8Array.of(1, 97), 0), undefined);
  assert.equal(readName(Uint8Array.of(2, 97, 0), 0), undefined);
  assert.equal(readName(Uint8Array.of(0xc0), 0), undefined);
  assert.equal(readName(Uint8Array.from([64, ...new Uint8Array(64).fill(97), 0]), 0), undefined);
  const label = (octets: number) => [octets, ...new Array<number>(octets).fill(97)];
  // 3 × 64 + 62 + 1 octets, and one more.
  const whole = (last: number) =>
    Uint8Array.from([...label(63), ...label(63), ...label(63), ...label(last), 0]);
  assert.equal(readName(whole(61), 0)?.name.length, 255);
  assert.equal(readName(whole(62), 0), undefined);
  // A pointer of fourteen bits.
  const far = new Uint8Array(0x1240);
  far.set([1, 98, 0], 0x1234);
  far.set([0xd2, 0x34], 0x123a);
  assert.deepEqual(readName(far, 0x123a), { name: Uint8Array.of(1, 98, 0), next: 0x123c });
});

Deno.test("nameToText() writes what is read as itself", () => {
  const all = Uint8Array.from([4, 0x20, 0x21, 0x7e, 0x7f, 4, 0x5a, 0x7a, 0x30, 0x2e, 0]);
  assert.equal(nameToText(all), "\\032\\!\\~\\127.Zz0\\..");
  assert.equal(nameToText(Uint8Array.of()), ".");
});

Deno.test("nameFromZoneText() takes 255 octets with the origin, and not one more", () => {
  const origin = nameOf(`${"a".repeat(63)}.${"b".repeat(63)}.${"c".repeat(61)}`);
  assert.equal(origin.length, 191);
  const most = nameFromZoneText("d".repeat(63), origin);
  assert.equal(most.ok && most.value.length, 255);
  assert.equal(nameFromZoneText(`e.${"d".repeat(62)}`, origin).ok, false);
  const hidden = nameFromZoneText("d\\.", origin);
  assert.equal(hidden.ok && hidden.value.length, 191 + 3, "its dot is a part of the label");
});

Deno.test("nameEquals() compares letters without their case, and no other octets", () => {
  const same = (a: number[], b: number[]) => nameEquals(Uint8Array.from(a), Uint8Array.from(b));
  assert.equal(same([2, 0x41, 0x5a, 0], [2, 0x61, 0x7a, 0]), true);
  assert.equal(same([1, 0x40, 0], [1, 0x60, 0]), false);
  assert.equal(same([1, 0x5b, 0], [1, 0x7b, 0]), false);
  assert.equal(same([1, 97, 0], [1, 97, 0, 0]), false);
});

Deno.test("texts of octets hide what could be misread, and take nothing that is no octet", () => {
  const octets = Uint8Array.of(0x1f, 0x20, 0x22, 0x5c, 0x7e, 0x7f, 0xff);
  assert.equal(quotedText(octets), '"\\031 \\"\\\\~\\127\\255"');
  assert.deepEqual(octetsFromText('\\031 \\"\\\\~\\127\\255'), { ok: true, value: octets });
  // Three digits are a number, and the fourth is itself.
  assert.deepEqual(octetsFromText("\\0651\\z"), { ok: true, value: Uint8Array.of(65, 49, 122) });
  for (const text of ["\\256", "\\", "\u0100"]) {
    assert.deepEqual(octetsFromText(text), { ok: false, reason: "a character is not an octet" });
  }
});

Deno.test("hexadecimal digits and base64 are read whole or not at all", () => {
  assert.deepEqual(octetsFromHex("00fFA5"), { ok: true, value: Uint8Array.of(0, 255, 0xa5) });
  for (const text of ["0", "0g", "00 "]) assert.equal(octetsFromHex(text).ok, false, text);
  const octets = Uint8Array.of(255, 239, 1, 0);
  assert.deepEqual(octetsFromBase64(base64Text(octets)), { ok: true, value: octets });
  for (const text of ["AAA", "A", "AA=A", "A A=", "AAA?", "===="]) {
    assert.deepEqual(octetsFromBase64(text), { ok: false, reason: "not base64" }, text);
  }
});

Deno.test.each([
  ["0", 0],
  ["1w", 604_800],
  ["1d", 86_400],
  ["1H2m3S", 3723],
  ["2147483647", 0x7fffffff],
  ["2147483648", undefined],
  ["1h ", undefined],
  ["1x", undefined],
  ["", undefined],
])("ttlFromText() of %j is %j", (text, seconds) => {
  const ttl = ttlFromText(text);
  assert.equal(ttl.ok ? ttl.value : undefined, seconds);
});

Deno.test("numbers and times are read up to their bound", () => {
  const valueOf = (result: ReturnType<typeof numberFromText>) =>
    result.ok ? result.value : undefined;
  assert.deepEqual(["255", "256", "-1", "", "1e1"].map((it) => valueOf(numberFromText(it, 255))), [
    255,
    undefined,
    undefined,
    undefined,
    undefined,
  ]);
  assert.deepEqual(
    [
      "20261127031500",
      "4294967295",
      "4294967296",
      "20260230000000",
      "20261327000000",
      "2106020706281",
    ]
      .map((it) => valueOf(timeFromText(it))),
    [Date.UTC(2026, 10, 27, 3, 15) / 1000, 0xffffffff, undefined, undefined, undefined, undefined],
  );
  // 32 bits are over in 2106, and begin anew.
  assert.equal(valueOf(timeFromText("21060207062816")), 0);
  assert.equal(timeText(0xffffffff), "21060207062815");
});

Deno.test("types have the numbers that IANA gave them", () => {
  assert.deepEqual({ ...TYPE }, {
    ...{ A: 1, NS: 2, CNAME: 5, SOA: 6, PTR: 12, HINFO: 13, MX: 15, TXT: 16, RP: 17, AFSDB: 18 },
    ...{ AAAA: 28, SRV: 33, DHCID: 49, SMIMEA: 53, OPENPGPKEY: 61, CSYNC: 62, ZONEMD: 63, SPF: 99 },
    ...{
      URI: 256,
      NAPTR: 35,
      KX: 36,
      DNAME: 39,
      OPT: 41,
      DS: 43,
      SSHFP: 44,
      RRSIG: 46,
      NSEC: 47,
      DNSKEY: 48,
    },
    ...{ TLSA: 52, CDS: 59, CDNSKEY: 60, SVCB: 64, HTTPS: 65, TSIG: 250, IXFR: 251, AXFR: 252 },
    ...{ ANY: 255, CAA: 257 },
  });
  assert.deepEqual(["a", "TYPE1", "type65535"].map(typeFromText), [
    { ok: true, value: 1 },
    { ok: true, value: 1 },
    { ok: true, value: 65_535 },
  ]);
  for (const text of ["TYPE65536", "TYPE", "X", "TYPE1x"]) {
    assert.equal(typeFromText(text).ok, false, text);
  }
  assert.deepEqual([1, 65_280].map(typeToText), ["A", "TYPE65280"]);
  assert.deepEqual([0, 1, 41, 127, 128, 255, 256, 65_535, 65_536].map(isDataType), [
    ...[false, true, false, true, false, false, true, true, false],
  ]);
});

Deno.test("bit maps of types have windows in order, of 1 to 32 octets, the last one not zero", () => {
  const types = [1, 6, 46, 255, 256, 1234, 65_535];
  const octets = encodeTypeBits([...types, ...types].reverse());
  assert.deepEqual(decodeTypeBits(octets), types);
  assert.equal(areTypeBits(octets), true);
  // RFC 4034 §4.3, its own example.
  const example = `0006400100000003041b${"00".repeat(26)}20`;
  assert.equal(encodeTypeBits([1, 15, 46, 47, 1234]).toHex(), example);
  const bits = (...all: number[]) => areTypeBits(Uint8Array.from(all));
  assert.equal(bits(), true);
  assert.equal(bits(0, 1, 1), true);
  assert.equal(bits(0, 32, ...new Array<number>(31).fill(0), 1), true);
  assert.equal(bits(0, 33, ...new Array<number>(32).fill(0), 1), false);
  assert.equal(bits(0, 0), false);
  assert.equal(bits(0), false);
  assert.equal(bits(0, 2, 1), false);
  assert.equal(bits(0, 2, 1, 0), false);
  assert.equal(bits(0, 1, 1, 0, 1, 1), false, "twice");
  assert.equal(bits(1, 1, 1, 0, 1, 1), false, "the wrong way round");
});
