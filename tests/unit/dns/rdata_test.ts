import assert from "node:assert/strict";
import {
  isRdata,
  parseZoneFile,
  rdataFromText,
  rdataToText,
  readRdata,
  typeFromText,
} from "../../../lib/dns/mod.ts";
import { fuzzTest, mutate } from "../../support/fuzz.ts";
import { nameOf } from "../../support/dns_server.ts";
import records from "../../testdata/dns/records.json" with { type: "json" };

const origin = nameOf("example.com.");

function typeOf(text: string): number {
  const type = typeFromText(text);
  assert(type.ok);
  return type.value;
}

function hexOf(octets: Uint8Array): string {
  return Array.from(octets, (octet) => octet.toString(16).padStart(2, "0")).join("");
}

function octetsOf(hex: string): Uint8Array {
  return Uint8Array.from(hex.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

/** The words of a text that has no comments, as a zone file has them. */
function wordsOf(text: string): string[] {
  const words = text.match(/(?:"(?:[^"\\]|\\.)*"|\\.|[^\s"\\])+/g) ?? [];
  return words.map((word) => word.replaceAll(/(?<!\\)"/g, ""));
}

for (const { type, text, hex } of records) {
  Deno.test(`${type} ${text.slice(0, 50)} is what another library puts on the wire, and back`, () => {
    const data = rdataFromText(typeOf(type), wordsOf(text), { origin });
    assert(data.ok, JSON.stringify(data));
    assert.equal(hexOf(data.value), hex);
    assert.ok(isRdata(typeOf(type), data.value));
    const again = rdataFromText(typeOf(type), wordsOf(rdataToText(typeOf(type), data.value)), {
      origin,
    });
    assert(again.ok, JSON.stringify(again));
    assert.equal(hexOf(again.value), hex, rdataToText(typeOf(type), data.value));
  });

  Deno.test(`${type} ${text.slice(0, 50)}: no prefix of its octets, and nothing longer, is read as more`, () => {
    const octets = octetsOf(hex);
    const read = (length: number) => {
      const message = Uint8Array.of(...octets, 0, 0, 0);
      return readRdata(message, typeOf(type), { start: 0, end: length });
    };
    assert.equal(hexOf(read(octets.length) as Uint8Array), hex);
    for (let length = 0; length <= octets.length + 3; length++) {
      const found = read(length);
      // What is cut off may be a whole of its own, but never reaches beyond what it was given.
      assert.ok(found === undefined || found.length === length, `${length} octets`);
    }
    assert.equal(readRdata(octets, typeOf(type), { start: 0, end: octets.length + 1 }), undefined);
  });
}

for (
  const [type, text] of [
    ["A", "192.0.2"],
    ["A", "192.0.2.01"],
    ["A", "2001:db8::1"],
    ["A", "192.0.2.1 192.0.2.2"],
    ["A", ""],
    ["AAAA", "192.0.2.1"],
    ["AAAA", "2001:db8::1%eth0"],
    ["MX", "mail"],
    ["MX", "65536 mail"],
    ["MX", "-1 mail"],
    ["MX", "1e1 mail"],
    ["NS", "a..b"],
    ["NS", `${"a".repeat(64)}`],
    ["SOA", "ns1 host 1 2 3 4"],
    ["SOA", "ns1 host 4294967296 2 3 4 5"],
    ["SOA", "ns1 host 1 4294967296 3 4 5"],
    ["TXT", ""],
    ["TXT", `"${"x".repeat(256)}"`],
    ["CAA", '0 is-sue "x"'],
    ["CAA", '0 "" "x"'],
    ["CAA", '256 issue "x"'],
    ["DS", "1 1 1 abc"],
    ["DS", "1 1 1 xy"],
    ["DNSKEY", "256 3 8 A"],
    ["RRSIG", "A 5 3 86400 20300231173103 20300220173103 2642 example.com. AAAA"],
    ["SVCB", "1 . alpn="],
    ["SVCB", "1 . alpn=h2,,h3"],
    ["SVCB", "1 . alpn=h2 alpn=h3"],
    ["SVCB", "1 . no-default-alpn"],
    ["SVCB", "1 . port=65536"],
    ["SVCB", "1 . mandatory=alpn"],
    ["SVCB", "1 . mandatory=mandatory,alpn alpn=h2"],
    ["SVCB", "1 . mandatory=alpn,alpn alpn=h2"],
    ["SVCB", "1 . ipv4hint=2001:db8::1"],
    ["SVCB", "1 . ALPN=h2"],
    ["SVCB", "1 . key65535=x"],
    ["SVCB", "1 . key01=x"],
    ["A", "\\# 3 0A0000"],
    ["A", "\\# 4 0A0000"],
    ["NS", "\\# 2 C000"],
    ["TYPE65280", "abc"],
    ["TYPE65280", "\\# 1"],
  ] as const
) {
  Deno.test(`${type} ${JSON.stringify(text.slice(0, 40))} is refused`, () => {
    assert.equal(rdataFromText(typeOf(type), wordsOf(text), { origin }).ok, false);
  });
}

Deno.test("readRdata() writes names of a message out, and takes none from after the data", () => {
  // 0: b.  3: MX 10 a + pointer to 0.
  const message = Uint8Array.of(1, 98, 0, 0, 10, 1, 97, 0xc0, 0);
  assert.equal(hexOf(readRdata(message, 15, { start: 3, end: 9 }) as Uint8Array), "000a0161016200");
  assert.equal(readRdata(message, 15, { start: 3, end: 8 }), undefined, "half a pointer is inside");
});

fuzzTest(
  "readRdata() takes octets apart or refuses them, and what it takes has a text",
  (random) => {
    for (let i = 0; i < 2000; i++) {
      const { type, hex } = random.pick(records);
      const octets = mutate(octetsOf(hex), random);
      const place = { start: 0, end: octets.length };
      const data = readRdata(octets, typeOf(type), place);
      if (data === undefined) continue;
      const text = rdataToText(typeOf(type), data);
      const again = parseZoneFile(`x 0 IN ${type} ${text}`, { origin });
      assert.deepEqual(again.problems, [], `${type} ${text}`);
      assert.equal(hexOf(again.records[0]?.data as Uint8Array), hexOf(data), `${type} ${text}`);
    }
  },
);
