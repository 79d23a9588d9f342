import assert from "node:assert/strict";
import { ipv4 } from "../../../lib/addr/mod.ts";
import { encodeOpt, encodeQuery } from "../../../lib/dns/mod.ts";
import {
  DnsCounters,
  type Forwarder,
  Responder,
  type ZoneServices,
} from "../../../lib/dns_server/mod.ts";
import { ZoneTable } from "../../../lib/zones/mod.ts";
import { nameOf } from "../../support/dns_server.ts";
import { type ServingChanges, servingSettings } from "../../support/served_zones.ts";
import { APEX, queryFor, readAnswer, zoneOf } from "../../support/zone_samples.ts";

const INSIDE = ipv4(0x0a000001);
const OUTSIDE = ipv4(0xc6336401);
const ELSEWHERE = queryFor("www.other.example A");

/** A responder with one zone whose clock stands still; what its forwarder was asked is in `asked`. */
function responder(changes: ServingChanges, resolve?: Forwarder["resolve"]) {
  const asked: { octets: Uint8Array; transport: string; options: unknown }[] = [];
  const faults: unknown[] = [];
  const counters = new DnsCounters();
  const forwarder: Forwarder = {
    isAllowed: ({ w3 }) => w3 >>> 24 === 10,
    resolve: (octets, client) => {
      const { transport, options } = client;
      asked.push({ octets, transport, options });
      return resolve?.(octets, client) ?? Uint8Array.of(0, 0, 0x80, 0, ...new Uint8Array(8));
    },
  };
  const made = new Responder({
    settings: servingSettings(changes),
    counters,
    ...resolve !== undefined && { forwarder },
    onFault: (error) => faults.push(error),
    now: () => 1559731985_000,
  });
  made.zones = new ZoneTable([zoneOf("z.example", `${APEX}a A 192.0.2.1\n`)]);
  return { responder: made, asked, faults, counters };
}

const nothing: Forwarder["resolve"] = () => undefined;

function flagsOf(answer: unknown): { readonly recursion: boolean; readonly code: number } {
  assert(answer instanceof Uint8Array);
  const second = answer[3] as number;
  return { recursion: (second & 0x80) !== 0, code: second & 15 };
}

Deno.test("Responder forwards what no zone has, for those who may, and refuses others", () => {
  const { responder: made, asked, counters } = responder({}, () => new Uint8Array(12));
  assert(made.respond(ELSEWHERE, { ip: INSIDE, transport: "tls" }) instanceof Uint8Array);
  assert.deepEqual(asked, [{ octets: ELSEWHERE, transport: "tcp", options: [] }]);
  const refused = made.respond(ELSEWHERE, { ip: OUTSIDE, transport: "udp" });
  assert.deepEqual(flagsOf(refused), { recursion: false, code: 5 });
  assert.equal(asked.length, 1);
  assert.equal(counters.get("forwarded"), 1);
});

Deno.test("Responder answers from its zones whoever asks, and says whether it would ask others", () => {
  const { responder: made, asked } = responder({}, nothing);
  const question = queryFor("no.z.example A");
  const inside = made.respond(question, { ip: INSIDE, transport: "udp" });
  assert.deepEqual(flagsOf(inside), { recursion: true, code: 3 });
  const outside = made.respond(question, { ip: OUTSIDE, transport: "udp" });
  assert.deepEqual(flagsOf(outside), { recursion: false, code: 3 });
  assert.deepEqual(asked, []);
});

Deno.test("Responder forwards neither without RD, nor transfers, other classes and versions", () => {
  const { responder: made, asked } = responder({}, nothing);
  const edns = queryFor("www.other.example A", 1232);
  const questions: [number, Uint8Array][] = [
    [5, ELSEWHERE.with(2, 0) as Uint8Array],
    [5, queryFor("other.example AXFR")],
    [5, queryFor("other.example IXFR")],
    [5, ELSEWHERE.with(ELSEWHERE.length - 1, 3) as Uint8Array],
    [0, edns.with(edns.length - 5, 1) as Uint8Array],
  ];
  for (const [code, question] of questions) {
    const answer = made.respond(question, { ip: INSIDE, transport: "tcp" });
    assert.equal(flagsOf(answer).code, code);
  }
  assert.deepEqual(asked, []);
});

Deno.test("Responder refuses what is not its own where there is no forwarder", () => {
  const { responder: made } = responder({});
  const answer = made.respond(ELSEWHERE, { ip: INSIDE, transport: "udp" });
  assert.deepEqual(flagsOf(answer), { recursion: false, code: 5 });
});

Deno.test("Responder survives what throws, now or later, and says so", async () => {
  const thrown = new Error("mistake");
  const now = responder({}, () => {
    throw thrown;
  });
  assert.equal(now.responder.respond(ELSEWHERE, { ip: INSIDE, transport: "udp" }), undefined);
  const later = responder({}, () => Promise.reject(thrown));
  assert.equal(
    await later.responder.respond(ELSEWHERE, { ip: INSIDE, transport: "udp" }),
    undefined,
  );
  for (const { faults, counters } of [now, later]) {
    assert.deepEqual(faults, [thrown]);
    assert.equal(counters.get("faults"), 1);
  }
});

/** A question with the client's cookie of RFC 9018 A.1, or with the whole one. */
function withCookie(hex: string): Uint8Array {
  const query = encodeQuery({ id: 7, name: nameOf("a.z.example"), type: 1 });
  const options = [{ code: 10, value: Uint8Array.fromHex(hex) }];
  const opt = encodeOpt({ payloadOctets: 1232, isDnssecOk: false, options });
  return Uint8Array.of(...query.with(11, 1), ...opt);
}

Deno.test("Responder limits answers over UDP alone, and not to who shows a cookie", () => {
  const limited = { rate: { responsesPerSecond: 2, slip: 2 } };
  const { responder: made, counters } = responder(limited);
  const ask = (octets: Uint8Array, transport: "udp" | "tcp" = "udp") => {
    const answer = made.respond(octets, { ip: ipv4(0xc6336464), transport });
    assert(!(answer instanceof Promise));
    if (answer === undefined) return "nothing";
    const { answer: records, flags } = readAnswer(answer);
    return `${records.length} ${flags.join(" ")}`.trim();
  };
  const plain = queryFor("a.z.example A");
  const whole = ["1 aa", "1 aa", "nothing", "0 tc", "nothing", "0 tc"];
  assert.deepEqual(whole.map(() => ask(plain)), whole);
  assert.equal(ask(plain, "tcp"), "1 aa");
  assert.equal(ask(withCookie("2464c4abcf10c957010000005cf79f111f8130c3eee29480")), "1 aa");
  assert.equal(ask(withCookie("2464c4abcf10c957")), "nothing");
  // What cannot be read is limited as well, and never slips.
  const broken = plain.with(5, 9) as Uint8Array;
  assert.deepEqual([1, 2, 3].map(() => made.respond(broken, { ip: OUTSIDE, transport: "udp" })), [
    undefined,
    undefined,
    undefined,
  ]);
  assert.equal(counters.get("rate_slipped"), 2);
  assert.equal(counters.get("rate_dropped"), 6);
});

Deno.test("Responder limits what is relayed, too, and hands over octets of its own", async () => {
  const relayed: Uint8Array[] = [];
  const services = {
    withKeys: (zones: ZoneTable) => zones,
    relay: (octets: Uint8Array) => {
      relayed.push(octets);
      return Promise.resolve(new Uint8Array(12));
    },
  } as unknown as ZoneServices;
  const counters = new DnsCounters();
  const made = new Responder({
    ...{ settings: servingSettings({ rate: { responsesPerSecond: 2 } }), counters, services },
    onFault: (error) => {
      throw error;
    },
    now: () => 1559731985_000,
  });
  const notify = queryFor("z.example SOA").with(2, 0x24) as Uint8Array;
  const said = notify.slice();
  for (let i = 0; i < 5; i++) await made.respond(notify, { ip: OUTSIDE, transport: "udp" });
  assert.equal(relayed.length, 2);
  assert.equal(counters.get("rate_dropped"), 3);
  await made.respond(notify, { ip: OUTSIDE, transport: "tcp" });
  assert.equal(relayed.length, 3);
  notify.fill(0);
  for (const octets of relayed) assert.deepEqual(octets, said);
});

Deno.test("Responder gives cookies to so many who have none, and to all who have one", () => {
  const { responder: made } = responder({ rate: { responsesPerSecond: 1 } });
  const asking = (value: Uint8Array) => {
    const option = { code: 10, value };
    const opt = encodeOpt({ payloadOctets: 1232, isDnssecOk: false, options: [option] });
    const head = new Uint8Array(12);
    head[11] = 1;
    return made.respond(Uint8Array.of(...head, ...opt), { ip: OUTSIDE, transport: "udp" });
  };
  const client = new Uint8Array(8).fill(7);
  const first = asking(client);
  assert(first instanceof Uint8Array);
  assert.equal(asking(client), undefined);
  const cookie = first.slice(-24);
  for (let i = 0; i < 5; i++) assert(asking(cookie) instanceof Uint8Array);
});
