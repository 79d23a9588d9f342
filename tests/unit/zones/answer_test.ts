import assert from "node:assert/strict";
import { concat } from "../../../lib/wire/mod.ts";
import { AuthoritativeAnswers, ZoneTable } from "../../../lib/zones/mod.ts";
import { fuzzTest, mutate } from "../../support/fuzz.ts";
import { APEX, ask, queryFor, readAnswer, zoneOf } from "../../support/zone_samples.ts";

/** RFC 4592 §2.2.1, with its names. */
const WILDCARDS = zoneOf(
  "example.",
  `$ORIGIN example.
@ 3600 SOA ns.example.com. h.example. 1 2 3 4 5
@ NS ns.example.com.
@ NS ns.example.net.
*.example. TXT "this is a wildcard"
*.example. MX 10 host1.example.
sub.*.example. TXT "this is not a wildcard"
host1.example. A 192.0.2.1
_ssh._tcp.host1.example. SRV 0 0 22 host1.example.
_ssh._tcp.host2.example. SRV 0 0 22 host2.example.
subdel.example. NS ns.example.com.
subdel.example. NS ns.example.net.
`,
);
const SOA = "example. 5 SOA ns.example.com. h.example. 1 2 3 4 5";
const TXT = 'TXT "this is a wildcard"';

for (
  const [question, code, answer, authority] of [
    ["host3.example. MX", 0, ["host3.example. 300 MX 10 host1.example."], []],
    ["host3.example. A", 0, [], [SOA]],
    ["foo.bar.example. TXT", 0, [`foo.bar.example. 300 ${TXT}`], []],
    ["host1.example. MX", 0, [], [SOA]],
    ["sub.*.example. MX", 0, [], [SOA]],
    ["_telnet._tcp.host1.example. SRV", 3, [], [SOA]],
    ["ghost.*.example. MX", 3, [], [SOA]],
    ["*.example. TXT", 0, [`*.example. 300 ${TXT}`], []],
    ["_tcp.host1.example. TXT", 0, [], [SOA]], // An empty non-terminal.
  ] as const
) {
  Deno.test(`RFC 4592 §2.2.1: ${question}`, () => {
    const found = ask([WILDCARDS], question);
    assert.equal(found.code, code);
    assert.deepEqual(found.flags, ["aa"]);
    assert.deepEqual(found.answer, answer);
    assert.deepEqual(found.authority, authority);
  });
}

Deno.test("RFC 4592 §2.2.1: host.subdel.example. A is a referral, and no wildcard", () => {
  assert.deepEqual(ask([WILDCARDS], "host.subdel.example. A"), {
    code: 0,
    flags: [],
    answer: [],
    authority: [
      "subdel.example. 300 NS ns.example.com.",
      "subdel.example. 300 NS ns.example.net.",
    ],
    additional: [],
  });
});

const ZONE = zoneOf(
  "z.",
  `${APEX}
sub NS ns.sub
sub NS ns.other.
sub DS 1 8 2 ABCD
ns.sub A 192.0.2.2
ns.sub AAAA 2001:db8::2
hidden.sub A 192.0.2.3
c1 CNAME C2
c2 CNAME c3
c3 A 192.0.2.4
loop CNAME loop
l1 CNAME l2
l2 CNAME l1
out CNAME www.other.
dangling CNAME nowhere
tosub CNAME a.sub
d DNAME e
a.e A 192.0.2.5
many TXT a
many A 192.0.2.6
mail MX 1 c3
mail MX 2 mail.other.
large TXT "${"x".repeat(250)}"
large TXT "${"y".repeat(250)}"
large TXT "${"z".repeat(250)}"
`,
);
const NEGATIVE = "z. 60 SOA ns.z. hostmaster.z. 7 3600 600 86400 60";
const REFERRAL = ["sub.z. 300 NS ns.other.", "sub.z. 300 NS ns.sub.z."];
const GLUE = ["ns.sub.z. 300 A 192.0.2.2", "ns.sub.z. 300 AAAA 2001:db8::2"];

for (
  const [question, code, flags, answer, authority, additional] of [
    ["z. SOA", 0, ["aa"], [NEGATIVE.replace(" 60 ", " 300 ")], [], []],
    ["z. NS", 0, ["aa"], ["z. 300 NS ns.z."], [], ["ns.z. 300 A 192.0.2.53"]],
    ["sub.z. NS", 0, [], [], REFERRAL, GLUE],
    ["hidden.sub.z. A", 0, [], [], REFERRAL, GLUE],
    ["ns.sub.z. A", 0, [], [], REFERRAL, GLUE],
    ["sub.z. DS", 0, ["aa"], ["sub.z. 300 DS 1 8 2 ABCD"], [], []],
    ["a.sub.z. DS", 0, [], [], REFERRAL, GLUE],
    [
      "C1.z. A",
      0,
      ["aa"],
      [
        "C1.z. 300 CNAME C2.z.",
        "C2.z. 300 CNAME c3.z.",
        "c3.z. 300 A 192.0.2.4",
      ],
      [],
      [],
    ],
    ["c1.z. CNAME", 0, ["aa"], ["c1.z. 300 CNAME C2.z."], [], []],
    ["c1.z. MX", 0, ["aa"], ["C2.z. 300 CNAME c3.z.", "c1.z. 300 CNAME C2.z."], [NEGATIVE], []],
    ["loop.z. A", 0, ["aa"], ["loop.z. 300 CNAME loop.z."], [], []],
    ["l1.z. A", 0, ["aa"], ["l1.z. 300 CNAME l2.z.", "l2.z. 300 CNAME l1.z."], [], []],
    ["out.z. A", 0, ["aa"], ["out.z. 300 CNAME www.other."], [], []],
    ["dangling.z. A", 3, ["aa"], ["dangling.z. 300 CNAME nowhere.z."], [NEGATIVE], []],
    ["tosub.z. A", 0, ["aa"], ["tosub.z. 300 CNAME a.sub.z."], REFERRAL, GLUE],
    ["d.z. A", 0, ["aa"], [], [NEGATIVE], []],
    ["d.z. DNAME", 0, ["aa"], ["d.z. 300 DNAME e.z."], [], []],
    [
      "a.d.z. A",
      0,
      ["aa"],
      [
        "a.d.z. 300 CNAME a.e.z.",
        "a.e.z. 300 A 192.0.2.5",
        "d.z. 300 DNAME e.z.",
      ],
      [],
      [],
    ],
    ["many.z. ANY", 0, ["aa"], ['many.z. 300 TXT "a"'], [], []],
    [
      "mail.z. MX",
      0,
      ["aa"],
      [
        "mail.z. 300 MX 1 c3.z.",
        "mail.z. 300 MX 2 mail.other.",
      ],
      [],
      ["c3.z. 300 A 192.0.2.4"],
    ],
    ["nothing.z. A", 3, ["aa"], [], [NEGATIVE], []],
    ["other. A", 5, [], [], [], []],
    ["z. AXFR", 5, [], [], [], []],
  ] as const
) {
  Deno.test(`a zone answers ${question}`, () => {
    assert.deepEqual(ask([ZONE], question), { code, flags, answer, authority, additional });
  });
}

Deno.test("what is too large is cut off as a whole, and is there over TCP and by EDNS", () => {
  const plain = ask([ZONE], "large.z. TXT");
  assert.deepEqual([plain.code, plain.flags, plain.answer.length], [0, ["aa", "tc"], 0]);
  const small = ask([ZONE], "large.z. TXT", { udpPayloadBytes: 800 });
  assert.deepEqual([small.flags, small.answer.length], [["aa", "tc"], 0]);
  const large = ask([ZONE], "large.z. TXT", { udpPayloadBytes: 4096 });
  assert.deepEqual([large.flags, large.answer.length], [["aa"], 3]);
  const tcp = ask([ZONE], "large.z. TXT", { transport: "tcp" });
  assert.deepEqual([tcp.flags, tcp.answer.length], [["aa"], 3]);
});

Deno.test("no answer over UDP is longer than 1,232 octets, whatever the question says", () => {
  const texts = Array.from({ length: 5 }, (_, i) => `t TXT "${i}${"x".repeat(250)}"\n`).join("");
  const zone = zoneOf("z.", APEX + texts);
  assert.deepEqual(ask([zone], "t.z. TXT", { udpPayloadBytes: 4096 }).flags, ["aa", "tc"]);
});

Deno.test("a referral without room for all of its glue is truncated, other addresses are left out", () => {
  const servers = Array.from(
    { length: 16 },
    (_, i) => `sub NS n${i}.sub\nn${i}.sub A 192.0.2.${i}\n`,
  );
  const zone = zoneOf("z.", `${APEX}${servers.join("")}`);
  assert.deepEqual(ask([zone], "a.sub.z. A").flags, ["tc"]);
  const mails = Array.from({ length: 20 }, (_, i) => `m MX 1 n${i}\nn${i} A 192.0.2.${i}\n`);
  const found = ask([zoneOf("z.", `${APEX}${mails.join("")}`)], "m.z. MX");
  assert.deepEqual([found.flags, found.answer.length], [["aa"], 20]);
  assert.ok(found.additional.length < 20);
});

Deno.test("the innermost of two zones answers, and its parent what belongs to the cut", () => {
  const child = zoneOf("sub.z.", `${APEX}www A 192.0.2.9\n`);
  assert.deepEqual(ask([ZONE, child], "www.sub.z. A").answer, ["www.sub.z. 300 A 192.0.2.9"]);
  assert.deepEqual(ask([ZONE, child], "sub.z. DS").answer, ["sub.z. 300 DS 1 8 2 ABCD"]);
  assert.deepEqual(ask([child], "sub.z. DS").authority.length, 1);
});

Deno.test("who asks for the alias below a DNAME gets it, whatever its target is", () => {
  const zone = zoneOf("z.", `${APEX}d DNAME z.\nwww CNAME ns\n`);
  for (const name of ["gone", "ns", "www"]) {
    const found = ask([zone], `${name}.d.z. CNAME`);
    const made = `${name}.d.z. 300 CNAME ${name}.z.`;
    assert.deepEqual([found.code, found.answer], [0, ["d.z. 300 DNAME z.", made]]);
    assert.deepEqual(found.authority, []);
  }
  assert.equal(ask([zone], "gone.d.z. A").code, 3);
});

Deno.test("an alias of a name that would be too long is YXDOMAIN", () => {
  const long = `${"a".repeat(60)}.`.repeat(3);
  const zone = zoneOf("z.", `${APEX}d DNAME ${long}other.\n`);
  const found = ask([zone], `${"b".repeat(60)}.${"c".repeat(60)}.d.z. A`);
  assert.deepEqual([found.code, found.answer.length], [6, 1]);
  assert.equal(ask([zone], "b.d.z. A").answer.length, 2);
});

/** What comes back for octets, in words; undefined: nothing. */
function reply(octets: Uint8Array) {
  return new AuthoritativeAnswers().answer(octets, {
    zones: new ZoneTable([ZONE]),
    transport: "udp",
  });
}

function changed(octets: Uint8Array, ...changes: (readonly [number, number])[]): Uint8Array {
  const copy = octets.slice();
  for (const [at, value] of changes) copy[at] = value;
  return copy;
}

Deno.test("an answer is never answered, nor what is no message", () => {
  const query = queryFor("z. SOA");
  assert.equal(reply(changed(query, [2, 0x81])), undefined);
  for (let length = 0; length < 12; length++) {
    assert.equal(reply(query.subarray(0, length)), undefined);
  }
});

for (
  const [what, octets, code] of [
    ["cut off", queryFor("z. SOA").subarray(0, 15), 1],
    ["followed by octets", concat(queryFor("z. SOA"), Uint8Array.of(0)), 1],
    [
      "with two questions",
      concat(changed(queryFor("z. SOA"), [5, 2]), queryFor("z. SOA").subarray(12)),
      1,
    ],
    ["without one", changed(queryFor("z. SOA"), [5, 0]).subarray(0, 12), 1],
    [
      "with 65,535 of them in twelve octets",
      changed(queryFor("z. SOA"), [4, 255], [5, 255]).subarray(0, 12),
      1,
    ],
    ["that wants a status", changed(queryFor("z. SOA"), [2, 0x11]), 4],
    ["of class CHAOS", changed(queryFor("z. SOA"), [18, 3]), 5],
  ] as const
) {
  Deno.test(`a question ${what} gets code ${code} and no records`, () => {
    const octetsBack = reply(octets);
    assert(octetsBack !== undefined);
    const found = readAnswer(octetsBack);
    assert.deepEqual([found.code, found.flags, found.answer, found.authority], [code, [], [], []]);
    assert.equal((octetsBack[2] as number) & 0x79, (octets[2] as number) & 0x79, "opcode and RD");
    assert.deepEqual([octetsBack[0], octetsBack[1]], [octets[0], octets[1]], "the id");
  });
}

Deno.test("the question comes back as it was, in its case, and another version of EDNS is refused", () => {
  const query = queryFor("C3.Z. A", 1232);
  const octets = reply(query) as Uint8Array;
  assert.deepEqual(octets.subarray(12, 22), query.subarray(12, 22));
  const future = reply(changed(query, [query.length - 5, 1])) as Uint8Array;
  assert.equal((future[3] as number) & 15, 0, "the lower bits of 16");
  assert.equal(future[future.length - 6], 1, "the upper bits of 16");
});

fuzzTest("whatever is asked, the answer is a message that fits", (random) => {
  const answers = new AuthoritativeAnswers();
  const zones = new ZoneTable([ZONE, WILDCARDS]);
  const questions = ["c1.z. A", "a.d.z. A", "large.z. TXT", "a.sub.z. A", "x.example. MX"];
  for (let i = 0; i < 2000; i++) {
    const query = mutate(queryFor(random.pick(questions), 512 + random.below(3000)), random);
    const octets = answers.answer(query, { zones, transport: "udp" });
    if (octets === undefined) continue;
    assert.ok(octets.length <= 1232);
    readAnswer(octets);
  }
});
