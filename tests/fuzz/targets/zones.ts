import assert from "node:assert/strict";
import {
  type Edns,
  encodeOpt,
  encodeQuery,
  type Message,
  nameFromText,
  octetString,
  parseMessage,
  parseZoneFile,
  readEdns,
  readRdata,
  TYPE,
  zoneRecordText,
} from "../../../lib/dns/mod.ts";
import { joined, u16 } from "../../../lib/wire/mod.ts";
import { AuthoritativeAnswers, compileZone, ZoneTable } from "../../../lib/zones/mod.ts";
import type { Random } from "../../support/fuzz.ts";
import { bytesOf, disturb, type FuzzTarget } from "../../support/fuzz_target.ts";
import { APEX, zoneOf } from "../../support/zone_samples.ts";

const ORIGIN = Uint8Array.of(1, 122, 0); // z.
const ROOT = Uint8Array.of(0);

/** Every sign of the grammar, and data of many kinds. */
const ZONE_FILE_SAMPLE = `$TTL 1h
@ IN SOA ns host\\.master ( 1 ; serial
  2h 1200 2w 1d )
 NS ns
 300 NS ns.other.
ns A 192.0.2.53
 IN 5m AAAA 2001:db8::53
$ORIGIN sub.z.
a.b TXT "two words" one "with \\" and \\059 ;"
 MX 10 @
*.w CNAME \\@x
_443._tcp TLSA 3 1 1 0123456789abcdef
@ CAA 0 issue "ca.test"
@ SVCB 1 . alpn="h2,h3" port=443 ipv4hint=192.0.2.1
@ SRV 0 5 443 ns.z.
d DNAME other.
u TYPE65280 \\# 3 ( 01 02
03 )
`;
const WORDS = [
  ...'();"\\@*.\n\t\r',
  "\n\n",
  "$ORIGIN ",
  "$TTL ",
  "$INCLUDE x",
  "\\000",
  "\\256",
  "\\",
  "IN ",
  "CH ",
  "4294967296 ",
  "1w2d",
  "A ",
  "A 192.0.2.1\n",
  "AAAA ::ffff:1.2.3.4\n",
  "NSEC z. A RRSIG TYPE1234\n",
  "TYPE1 \\# 4 c0000201\n",
  "\\# 0\n",
  "CNAME @\n",
  "NS sub\n",
  "z.",
  "\xff",
  "a".repeat(64),
  "a.".repeat(130),
  '""',
];

const textOfOctets = (bytes: Uint8Array) =>
  Array.from(bytes, (octet) => String.fromCharCode(octet)).join("");

/** Zone files: what is read of one is what its records say when they are written. */
export const ZONE_FILE: FuzzTarget = {
  name: "zone_file",
  rounds: 800,
  make: (random) => bytesOf(disturb(ZONE_FILE_SAMPLE, WORDS, random)),
  check(bytes) {
    const text = textOfOctets(bytes);
    const { records, problems } = parseZoneFile(text, { origin: ORIGIN });
    const lines = text.split("\n");
    for (const { line, column, message } of problems) {
      const length = lines[line - 1]?.length;
      assert.ok(length !== undefined && column >= 1 && column <= length + 1, message);
      assert.notEqual(message, "");
    }
    const written = records.map(zoneRecordText).join("\n");
    assert.deepEqual(parseZoneFile(written, { origin: ROOT }), { records, problems: [] });
    for (const { name, type, ttl, data } of records) {
      assert.ok(name.length <= 255 && ttl <= 0x7fffffff && data.length <= 0xffff);
      assert.deepEqual(readRdata(data, type, { start: 0, end: data.length }), data);
    }
  },
};

function randomEdns(random: Random): Uint8Array {
  const options = Array.from({ length: random.below(4) }, () => ({
    code: random.pick([3, 10, 12, 15, 65_535]),
    value: random.bytes(random.pick([0, 2, 8, 16, 40])),
  }));
  return encodeOpt({
    payloadOctets: random.pick([0, 511, 512, 1232, 4096, 65_535]),
    isDnssecOk: random.below(2) === 0,
    options,
  });
}

/** A question with some records in its last section. */
function questionWith(random: Random, records: readonly Uint8Array[]): Uint8Array {
  const name = nameFromText(random.pick(ASKED));
  assert(name.ok);
  const query = encodeQuery({
    id: random.below(65_536),
    name: name.value,
    type: random.pick([1, 2, 5, 6, 15, 16, 28, 33, 39, 43, 251, 252, 255, 65_280]),
  });
  query.set(u16(records.length), 10);
  return joined([query, ...records]);
}

/** What a message says by EDNS: nothing twice, and nothing beyond its end. */
export const EDNS: FuzzTarget = {
  name: "edns",
  rounds: 3000,
  make: (random) =>
    questionWith(random, Array.from({ length: 1 + random.below(2) }, () => randomEdns(random))),
  check(bytes) {
    const message = parseMessage(bytes);
    if (!message.ok) return;
    const { answers, authorities, additionals } = message.value;
    const count = [...answers, ...authorities, ...additionals]
      .filter(({ type }) => type === TYPE.OPT).length;
    const edns = readEdns(message.value, bytes);
    if (count !== 1) return assert.equal(edns, count === 0 ? undefined : "invalid");
    assert.notEqual(edns, undefined);
    if (edns === undefined || edns === "invalid") return;
    const { version, payloadOctets, options } = edns;
    assert.ok(version >= 0 && version <= 255);
    assert.ok(payloadOctets >= 512 && payloadOctets <= 65_535);
    const head = Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1);
    const again = joined([head, encodeOpt({ ...edns, options })]);
    const parsed = parseMessage(again);
    assert.ok(parsed.ok);
    const reread = readEdns(parsed.value, again) as Edns;
    assert.deepEqual(reread, { ...edns, version: 0 });
  },
};

/** Names of the zones below, and of none. */
const ASKED = [
  "z",
  "ns.z",
  "a.wild.z",
  "x.y.alias.z",
  "loop.z",
  "out.z",
  "big.z",
  "below.cut.z",
  "cut.z",
  "nothing.z",
  "inner.z",
  "a.inner.z",
  "other.test",
  ".",
];

const ZONES = new ZoneTable([
  zoneOf(
    "z.",
    `${APEX}*.wild MX 10 ns
alias DNAME ${"l".repeat(60)}.wild
loop CNAME loop
out CNAME other.test.
cut NS ns.cut
cut DS 1 8 2 ABCD
ns.cut A 192.0.2.1
ns.cut AAAA 2001:db8::1
${Array.from({ length: 30 }, (_, i) => `big TXT "${String(i).padStart(200, "x")}"`).join("\n")}
`,
  ),
  zoneOf("inner.z.", `${APEX}a A 192.0.2.9\n`),
]);
const ANSWERS = new AuthoritativeAnswers();

/** What an answer over UDP may be, in octets. */
function roomFor(message: Message, bytes: Uint8Array): number {
  const edns = readEdns(message, bytes);
  return edns === undefined || edns === "invalid" ? 512 : Math.min(edns.payloadOctets, 1232);
}

/** Whatever strangers ask a server of zones. */
export const ZONE_ANSWERS: FuzzTarget = {
  name: "zone_answers",
  rounds: 3000,
  make: (random) => questionWith(random, random.below(2) === 0 ? [] : [randomEdns(random)]),
  check(bytes) {
    const before = bytes.slice();
    const asked = parseMessage(bytes);
    const [udp, tcp] = (["udp", "tcp"] as const)
      .map((transport) => ANSWERS.answer(bytes, { zones: ZONES, transport })?.slice());
    assert.deepEqual(bytes, before, "the input was changed");
    // No question at all gets no answer at all, or two servers could talk for ever.
    const isSilent = bytes.length < 12 || (bytes[2] as number) >= 0x80;
    assert.deepEqual([udp, tcp].map((it) => it === undefined), [isSilent, isSilent]);
    if (udp === undefined || tcp === undefined) return;
    assert.ok(udp.length <= (asked.ok ? roomFor(asked.value, bytes) : 512), `${udp.length} octets`);
    const [short, whole] = [udp, tcp].map((octets) => {
      const answer = parseMessage(octets);
      assert.ok(answer.ok, "the answer is a message");
      const { header, questions } = answer.value;
      assert.deepEqual(octets.subarray(0, 2), bytes.subarray(0, 2), "the id");
      assert.ok(header.isResponse && !header.recursionAvailable);
      assert.equal(header.opcode, (bytes[2] as number) >> 3 & 15);
      assert.equal(header.recursionDesired, ((bytes[2] as number) & 1) === 1);
      if (questions.length > 0) assert.deepEqual(questions, asked.ok && asked.value.questions);
      return answer.value;
    }) as [Message, Message];
    assert.equal(whole.header.isTruncated, false);
    assert.equal(short.header.responseCode, whole.header.responseCode);
    if (short.header.isTruncated) return;
    assert.equal(short.answers.length, whole.answers.length);
    assert.equal(short.authorities.length, whole.authorities.length);
  },
};

/** Zones made of whatever records: each name that is in one is answered for. */
export const ZONE: FuzzTarget = {
  name: "zone",
  rounds: 800,
  make: (random) => bytesOf(disturb(`$TTL 60\n${APEX}${ZONE_SAMPLE}`, ZONE_WORDS, random)),
  check(bytes) {
    const { records } = parseZoneFile(textOfOctets(bytes), { origin: ORIGIN });
    const result = compileZone(ORIGIN, records);
    if (!result.ok) {
      assert.notEqual(result.problems.length, 0);
      return assert.ok(result.problems.every((problem) => problem !== ""));
    }
    const zones = new ZoneTable([result.zone]);
    for (const { name, type } of records) {
      const octets = ANSWERS.answer(encodeQuery({ id: 7, name, type }), {
        zones,
        transport: "tcp",
      });
      const answer = octets === undefined ? undefined : parseMessage(octets);
      assert.ok(answer?.ok, octetString(name));
      const { header, answers, authorities } = answer.value;
      if (type === TYPE.AXFR || type === TYPE.IXFR) continue;
      // It is there: said, or said by whom the zone leaves it to.
      assert.equal(header.responseCode, 0, octetString(name));
      const isSaid = answers.some((record) => record.type === type || record.type === TYPE.CNAME);
      const isReferred = !header.isAuthoritative &&
        authorities.every((record) => record.type === TYPE.NS) && authorities.length > 0;
      assert.ok(isSaid || isReferred, octetString(name));
    }
  },
};

const ZONE_SAMPLE = `a A 192.0.2.1
a.b.c A 192.0.2.2
*.w TXT x
al CNAME a
d DNAME a
cut NS ns.cut
ns.cut A 192.0.2.3
cut DS 1 8 2 ABCD
`;
const ZONE_WORDS = [
  "\n",
  "*.",
  "a.",
  "cut ",
  "d.",
  "@ ",
  "A.z. ",
  "a NS ns\n",
  "x.cut TXT glue\n",
  "al A 192.0.2.9\n",
  "d.d DNAME b\n",
  "* NS ns\n",
  "c CNAME a.b.c\n",
  "@ SOA ns h 1 2 3 4 5\n",
  "out.test. A 192.0.2.1\n",
];
