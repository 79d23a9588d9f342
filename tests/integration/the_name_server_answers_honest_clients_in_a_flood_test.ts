import assert from "node:assert/strict";
import { encodeOpt, OPTION, parseMessage, readEdns } from "../../lib/dns/mod.ts";
import { concat } from "../../lib/wire/mod.ts";
import { serveZones, StreamClient, UdpClient } from "../support/served_zones.ts";
import { APEX, queryFor, readAnswer, zoneOf } from "../support/zone_samples.ts";

/** Answers a second and prefix: so few that the flood is over it however slow the machine is. */
const RATE = 2;
const PREFIXES = 60;
const QUESTIONS = 50;
const ZONE = zoneOf("z.example", `${APEX}a A 192.0.2.1\n`);
const QUESTION = queryFor("a.z.example A");

/** A question with EDNS and a cookie. */
function withCookie(cookie: Uint8Array): Uint8Array {
  const option = { code: OPTION.cookie, value: cookie };
  const query = concat(
    QUESTION,
    encodeOpt({ payloadOctets: 1232, isDnssecOk: false, options: [option] }),
  );
  query[11] = 1;
  return query;
}

/** The cookie of an answer. */
function cookieOf(octets: Uint8Array): Uint8Array {
  const message = parseMessage(octets);
  assert(message.ok);
  const edns = readEdns(message.value, octets);
  assert(edns !== undefined && edns !== "invalid");
  const cookie = edns.options.find(({ code }) => code === OPTION.cookie)?.value;
  assert(cookie !== undefined);
  return cookie;
}

Deno.test("a flood from forged prefixes is answered so often, and honest clients as ever", async () => {
  await using served = await serveZones([ZONE], { rate: { responsesPerSecond: RATE } });
  using proved = new UdpClient(served, { from: "127.3.0.9" });
  const client = crypto.getRandomValues(new Uint8Array(8));
  const cookie = cookieOf(await proved.ask(withCookie(client)));
  const before = served.counters.get("udp_messages");
  // Forged are the clients' addresses: the answers go to nobody who reads them.
  for (let prefix = 1; prefix <= PREFIXES; prefix++) {
    using forged = new UdpClient(served, { from: `127.3.${prefix % 5}.${prefix}` });
    for (let i = 0; i < QUESTIONS; i++) await forged.send(QUESTION);
    // When it is answered, what came before was read.
    using honest = new UdpClient(served, { from: `127.9.${prefix}.1` });
    assert.equal(readAnswer(await honest.ask(QUESTION)).answer.length, 1);
  }
  const { counters } = served;
  const taken = counters.get("udp_messages") - before;
  const held = counters.get("rate_dropped") + counters.get("rate_slipped");
  assert.ok(taken > PREFIXES * QUESTIONS / 2, `${taken} were read`);
  assert.ok(held > taken / 2, `${held} of ${taken} were held back`);
  assert.ok(Math.abs(counters.get("rate_dropped") - counters.get("rate_slipped")) <= 1);
  // In the very prefix of the flood who has proved his address is answered each time.
  for (let i = 0; i < 10 * RATE; i++) {
    assert.equal(readAnswer(await proved.ask(withCookie(cookie))).answer.length, 1);
  }
  // And who has not is told to come over TCP, which has no such limit.
  using tcp = await StreamClient.connect(served);
  for (let i = 0; i < 10 * RATE; i++) {
    assert.equal(readAnswer(await tcp.ask(QUESTION)).answer.length, 1);
  }
});
