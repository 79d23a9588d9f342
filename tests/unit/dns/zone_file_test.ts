import assert from "node:assert/strict";
import { nameToText, parseZoneFile, zoneRecordText } from "../../../lib/dns/mod.ts";
import { nameOf } from "../../support/dns_server.ts";
import { fuzzTest, mutate } from "../../support/fuzz.ts";

const origin = nameOf("example.com.");

function linesOf(text: string): string[] {
  const { records, problems } = parseZoneFile(text, { origin });
  assert.deepEqual(problems, []);
  return records.map(zoneRecordText);
}

const ZONE = `
$TTL 1h30m ; a comment
@ IN SOA ns1 hostmaster.example.com. (
\t2024010101 ; the serial
\t2h 30m 2w 5m )
\tNS ns1
\t300 IN NS ns2.example.net.
ns1 A 192.0.2.1
$ORIGIN sub
www IN 60 A 192.0.2.2
 AAAA 2001:db8::1
$ORIGIN other.
@ TXT ( "a;b ( c"
 "d" ) ; more
*.w TXT a\\ b"c d"\r
`;

const RECORDS = [
  "example.com. 5400 IN SOA ns1.example.com. hostmaster.example.com. 2024010101 7200 1800 1209600 300",
  "example.com. 5400 IN NS ns1.example.com.",
  "example.com. 300 IN NS ns2.example.net.",
  "ns1.example.com. 5400 IN A 192.0.2.1",
  "www.sub.example.com. 60 IN A 192.0.2.2",
  "www.sub.example.com. 5400 IN AAAA 2001:db8::1",
  'other. 5400 IN TXT "a;b ( c" "d"',
  '*.w.other. 5400 IN TXT "a bc d"',
];

Deno.test("a zone file is read as RFC 1035 says, and read again from what it is written as", () => {
  assert.deepEqual(linesOf(ZONE), RECORDS);
  assert.deepEqual(linesOf(RECORDS.join("\n")), RECORDS);
});

Deno.test("without $TTL a record has the TTL before it, and SOA its own last field", () => {
  assert.deepEqual(linesOf("@ SOA ns h 1 2 3 4 77\n@ NS ns\n@ 5 NS b\n@ NS c\n"), [
    "example.com. 77 IN SOA ns.example.com. h.example.com. 1 2 3 4 77",
    "example.com. 77 IN NS ns.example.com.",
    "example.com. 5 IN NS b.example.com.",
    "example.com. 5 IN NS c.example.com.",
  ]);
});

for (
  const [text, line, column, message] of [
    ["\n  A 192.0.2.1", 2, 3, /no owner/],
    ["a A 192.0.2.1", 1, 3, /no TTL/],
    ["$TTL 5\na A 192.0.2", 2, 5, /A: not an IPv4 address/],
    ["$TTL 5\na A 192.0.2.1 x", 2, 5, /more than the type has/],
    ["$TTL 5\na A", 2, 3, /an IPv4 address is missing/],
    ["$TTL 5\na CH A 192.0.2.1", 2, 3, /only class IN/],
    ["$TTL 5\na BOGUS x", 2, 3, /"BOGUS" is not a type/],
    ["$TTL 5\na ANY x", 2, 3, /ANY is no data/],
    ["$TTL 5\na OPT \\# 0", 2, 3, /OPT is no data/],
    ["$TTL 5\na 5", 2, 3, /no type/],
    ["$TTL 5\na 5 6 A 192.0.2.1", 2, 3, /"6" is not a type/],
    ["$TTL x", 1, 6, /number of seconds/],
    ["$TTL 2147483648", 1, 6, /over 2147483647/],
    ["$TTL", 1, 1, /says nothing/],
    ["$TTL 5 6", 1, 8, /more than one/],
    ["$INCLUDE /etc/passwd", 1, 1, /\$INCLUDE is not allowed/],
    ["$GENERATE 1-9 a$ A 192.0.2.$", 1, 1, /\$GENERATE is not allowed/],
    ["$ORGIN x", 1, 1, /not known/],
    ["$ORIGIN a..b", 1, 9, /a label is empty/],
    ["$TTL 5\na..b A 192.0.2.1", 2, 1, /a label is empty/],
    ['$TTL 5\na TXT "x\nb TXT y', 2, 7, /never closed/],
    ["$TTL 5\na TXT ( x\n\n", 2, 7, /\( is never closed/],
    ["$TTL 5\na TXT x )", 2, 9, /\) has no other/],
    ["$TTL 5\na TXT ( ( x ) )", 2, 9, /\( has no other/],
  ] as const
) {
  Deno.test(`a zone file with ${JSON.stringify(text)} says where it is wrong`, () => {
    const { problems } = parseZoneFile(text, { origin });
    assert.equal(problems.length, 1, JSON.stringify(problems));
    assert.deepEqual([problems[0]?.line, problems[0]?.column], [line, column]);
    assert.match(problems[0]?.message ?? "", message);
  });
}

Deno.test("every problem of a file is told, up to a hundred", () => {
  const { problems } = parseZoneFile("$TTL 5\n" + "a A x\n".repeat(500), { origin });
  assert.equal(problems.length, 100);
  assert.equal(problems[99]?.line, 101);
});

Deno.test("an owner that is not a name is not taken for the next record's", () => {
  const { records, problems } = parseZoneFile(
    "$TTL 5\na A 192.0.2.1\na..b A 192.0.2.2\n A 192.0.2.3",
    {
      origin,
    },
  );
  assert.deepEqual(records.map(({ name }) => nameToText(name)), ["a.example.com."]);
  assert.deepEqual(problems.map(({ line }) => line), [3, 4]);
});

fuzzTest(
  "parseZoneFile() reads or refuses whatever it is given, and reads its own words",
  (random) => {
    const octets = new TextEncoder().encode(ZONE);
    for (let i = 0; i < 300; i++) {
      const text = String.fromCharCode(...mutate(octets, random));
      const { records } = parseZoneFile(text, { origin });
      const lines = records.map(zoneRecordText);
      assert.deepEqual(linesOf(lines.join("\n")), lines);
    }
  },
);
