import assert from "node:assert/strict";
import { encodeOpt, encodeQuery, parseMessage, TYPE } from "../../../lib/dns/mod.ts";
import { concat } from "../../../lib/wire/mod.ts";
import { AuthoritativeAnswers, type Zone, ZoneTable } from "../../../lib/zones/mod.ts";
import { nameOf } from "../../support/dns_server.ts";
import { APEX, ask, queryFor, zoneOf } from "../../support/zone_samples.ts";

/** The octets of an answer. */
function answered(zone: Zone, query: Uint8Array, transport: "udp" | "tcp" = "udp"): Uint8Array {
  const zones = new ZoneTable([zone]);
  const octets = new AuthoritativeAnswers().answer(query, { zones, transport });
  assert(octets !== undefined);
  return octets.slice();
}

/** A zone of which the answer to `t.z. TXT` has so many octets, with EDNS eleven more. */
function zoneOfSize(octets: number): Zone {
  // Behind head and question, records of a pointer, ten octets, a length and a text.
  let left = octets - 12 - 9;
  const texts: string[] = [];
  for (let i = 0; left > 0; i++) {
    const own = left > 400 ? 200 : left > 260 ? left - 200 : left;
    texts.push(`t TXT "${String(i).padStart(own - 13, "x")}"`);
    left -= own;
  }
  return zoneOf("z.", `${APEX}${texts.join("\n")}\n`);
}

const isTruncated = (octets: Uint8Array) => ((octets[2] as number) & 2) !== 0;

Deno.test.each([
  ["without EDNS", undefined, 512],
  ["with EDNS for less", 100, 512],
  ["with EDNS for 600", 600, 600],
  ["with EDNS for 1232", 1232, 1232],
  ["with EDNS for more", 4096, 1232],
])(
  "an answer over UDP %s is whole up to what may be sent, and says when it is not",
  (_, payload, most) => {
    const query = queryFor("t.z. TXT", payload);
    const opt = payload === undefined ? 0 : 11;
    const whole = answered(zoneOfSize(most - opt), query);
    assert.deepEqual([whole.length, isTruncated(whole)], [most, false]);
    const cut = answered(zoneOfSize(most - opt + 1), query);
    assert.deepEqual([cut.length, isTruncated(cut)], [12 + 9 + opt, true]);
    const tcp = answered(zoneOfSize(most - opt + 1), query, "tcp");
    assert.deepEqual([tcp.length, isTruncated(tcp)], [most + 1, false]);
  },
);

Deno.test("an answer over TCP is whole up to 65,535 octets", () => {
  const query = queryFor("t.z. TXT");
  const whole = answered(zoneOfSize(65_535), query, "tcp");
  assert.deepEqual([whole.length, isTruncated(whole)], [65_535, false]);
  assert.equal(isTruncated(answered(zoneOfSize(65_536), query, "tcp")), true);
});

Deno.test("an answer repeats the question as it was asked, and EDNS only when it was", () => {
  const zone = zoneOf("z.", APEX);
  for (const payload of [undefined, 1232]) {
    const query = queryFor("NS.z. A", payload);
    const octets = answered(zone, query);
    assert.deepEqual(octets.subarray(12, 22), query.subarray(12, 22));
    const message = parseMessage(octets);
    assert(message.ok);
    const { questions, additionals } = message.value;
    assert.equal(questions.length, 1);
    const opts = additionals.filter(({ type }) => type === TYPE.OPT);
    assert.deepEqual(
      opts.map((opt) => [opt.class, opt.ttl]),
      payload === undefined ? [] : [[1232, 0]],
    );
  }
});

Deno.test("a question with EDNS that is not valid is a format error, and nothing else is said", () => {
  const zone = zoneOf("z.", APEX);
  const query = encodeQuery({ id: 0x1234, name: nameOf("z"), type: TYPE.SOA });
  const opt = encodeOpt({ payloadOctets: 1232, isDnssecOk: false });
  query[11] = 2;
  const twice = answered(zone, concat(concat(query, opt), opt));
  assert.deepEqual([...twice], [0x12, 0x34, 0x81, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
  const cut = answered(zone, query.subarray(0, 20));
  assert.deepEqual([...cut], [0x12, 0x34, 0x81, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
});

Deno.test("transfers are refused, all of a zone and what has changed", () => {
  const zone = zoneOf("z.", APEX);
  for (const type of ["AXFR", "IXFR"]) assert.equal(ask([zone], `z. ${type}`).code, 5, type);
});

Deno.test("sixteen aliases are followed, and a ring once around", () => {
  const chain = Array.from({ length: 20 }, (_, i) => `c${i} CNAME c${i + 1}`).join("\n");
  const zone = zoneOf("z.", `${APEX}${chain}\nc20 A 192.0.2.1\na CNAME b\nb CNAME c\nc CNAME b\n`);
  assert.equal(ask([zone], "c0.z. A", { transport: "tcp" }).answer.length, 17);
  assert.equal(ask([zone], "c4.z. A").answer.at(-1), "c9.z. 300 CNAME c10.z.");
  assert.equal(ask([zone], "c4.z. A").answer.filter((it) => it.includes(" A ")).length, 1);
  assert.deepEqual(ask([zone], "a.z. A").answer, [
    "a.z. 300 CNAME b.z.",
    "b.z. 300 CNAME c.z.",
    "c.z. 300 CNAME b.z.",
  ]);
});

Deno.test("an alias is followed for no question about itself, or about anything at all", () => {
  const zone = zoneOf("z.", `${APEX}a CNAME ns\n`);
  for (const type of ["CNAME", "ANY"]) {
    assert.deepEqual(ask([zone], `a.z. ${type}`).answer, ["a.z. 300 CNAME ns.z."], type);
  }
});

Deno.test("names below an alias are as long as names may be, and not one octet longer", () => {
  const label = (octets: number, char: string) => char.repeat(octets);
  const target = `${label(63, "t")}.${label(63, "u")}.`;
  const zone = zoneOf("z.", `${APEX}d DNAME ${target}\n`);
  // What is before d.z. and the target: 255 octets and one more.
  const before = (octets: number) => `${label(63, "a")}.${label(octets - 65, "b")}.d.z.`;
  const fits = ask([zone], `${before(255 - 129)} A`, { transport: "tcp" });
  assert.deepEqual([fits.code, fits.flags, fits.answer.length], [0, ["aa"], 2]);
  const long = ask([zone], `${before(256 - 129)} A`, { transport: "tcp" });
  assert.deepEqual([long.code, long.flags, long.answer.length], [6, ["aa"], 1]);
});

Deno.test("a referral that does not fit is cut, and so is one without the glue that it needs", () => {
  const many = Array.from({ length: 20 }, (_, i) => `big NS ${String(i).padStart(30, "x")}.test.`);
  const glue = Array.from({ length: 25 }, (_, i) => `ns.cut AAAA 2001:db8::${i + 1}`);
  const other = Array.from({ length: 25 }, (_, i) => `ns.else AAAA 2001:db8::${i + 1}`);
  const zone = zoneOf(
    "z.",
    `${APEX}${many.join("\n")}\ncut NS ns.cut\n${glue.join("\n")}
far NS ns.else\n${other.join("\n")}\n`,
  );
  const big = ask([zone], "a.big.z. A");
  assert.deepEqual([big.flags, big.authority.length], [["tc"], 0]);
  assert.deepEqual(ask([zone], "a.cut.z. A", { transport: "tcp" }).flags, []);
  assert.deepEqual(ask([zone], "a.cut.z. A").flags, ["tc"], "its addresses are only here");
  const far = ask([zone], "a.far.z. A");
  assert.deepEqual([far.flags, far.additional.length], [[], 0], "others can be asked for these");
});

Deno.test("an answer that there is none is cut when its SOA does not fit", () => {
  const long = (chars: string) => `${[...chars].map((char) => char.repeat(63)).join(".")}.test.`;
  const soa = `@ SOA ${long("mno")} ${long("pqr")} 7 3600 600 86400 60\n@ NS ns.test.\n`;
  const zone = zoneOf("z.", soa);
  const name = `${"s".repeat(63)}.${"t".repeat(63)}.z.`;
  assert.deepEqual(ask([zone], `${name} A`).flags, ["aa", "tc"]);
  assert.deepEqual(ask([zone], `${name} A`, { transport: "tcp" }).flags, ["aa"]);
});

Deno.test("addresses are added of the names that services name, or of their own", () => {
  const zone = zoneOf(
    "z.",
    `${APEX}m MX 0 .\nm A 10.0.0.1\n` +
      "h HTTPS 1 . alpn=h2\nh AAAA 2001:db8::1\na SVCB 0 ns\nb HTTPS 2 NS port=8443\n" +
      "*.w HTTPS 1 .\n*.w A 10.0.0.2\nno HTTPS 0 .\nno A 10.0.0.3\n",
  );
  const additional = (question: string) => ask([zone], question).additional;
  assert.deepEqual(additional("a.z. SVCB"), ["ns.z. 300 A 192.0.2.53"]);
  assert.deepEqual(additional("b.z. HTTPS"), ["NS.z. 300 A 192.0.2.53"]);
  assert.deepEqual(additional("h.z. HTTPS"), ["h.z. 300 AAAA 2001:db8::1"]);
  assert.deepEqual(additional("x.w.z. HTTPS"), []); // Of wildcards there are no addresses to find.
  // Nothing is there, says an alias of the root, and so does the MX record of it (RFC 7505).
  assert.deepEqual(additional("no.z. HTTPS"), []);
  assert.deepEqual(additional("m.z. MX"), []);
});

Deno.test("addresses are added of the names that NS, MX and SRV name", () => {
  const zone = zoneOf("z.", `${APEX}m MX 10 ns\ns SRV 1 2 443 ns\nt TXT ns\n`);
  for (const question of ["z. NS", "m.z. MX", "s.z. SRV"]) {
    assert.deepEqual(ask([zone], question).additional, ["ns.z. 300 A 192.0.2.53"], question);
  }
  assert.deepEqual(ask([zone], "t.z. TXT").additional, []);
});
