import assert from "node:assert/strict";
import { eventually } from "../support/deadline.ts";
import { serveZones, StreamClient, UdpClient } from "../support/served_zones.ts";
import { APEX, queryFor, readAnswer, zoneOf } from "../support/zone_samples.ts";

const LIMIT = 20;
const TEXT = Array.from({ length: 8 }, (_, i) => `big TXT "${i}${"x".repeat(60)}"`).join("\n");
const ZONE = zoneOf("z.example", `${APEX}a A 192.0.2.1\n${TEXT}\n`);

Deno.test("a flood from forged prefixes gets little, and honest clients all of theirs", async () => {
  await using served = await serveZones([ZONE], {
    rate: { responsesPerSecond: LIMIT, slip: 2 },
  });
  const flood = queryFor("big.z.example TXT", 1232);
  using stack = new DisposableStack();
  // Two prefixes of several addresses each: what is forged is anything.
  const forgers = ["127.1.0.1", "127.1.0.2", "127.1.0.3", "127.2.0.1", "127.2.0.2"]
    .map((from) => stack.use(new UdpClient(served, { from })));
  const received = { answers: 0, octets: 0, longest: 0 };
  const reading = forgers.map(async (forger) => {
    for (;;) {
      const octets = await forger.receiveUntilClosed();
      if (octets === undefined) return;
      received.answers++;
      received.octets += octets.length;
      if (readAnswer(octets).flags.includes("tc")) {
        received.longest = Math.max(received.longest, octets.length);
      }
    }
  });
  using honest = new UdpClient(served, { from: "127.9.0.1" });
  const started = performance.now();
  let sent = 0;
  for (let round = 0; round < 15; round++) {
    for (let i = 0; i < 20; i++) {
      for (const forger of forgers) await forger.send(flood);
      sent += forgers.length;
    }
    // The kernel drops what finds the socket's queue full, so whoever asks asks again, as clients do.
    const answer = honest.receive();
    const question = queryFor("a.z.example A", 1232).with(0, round) as Uint8Array;
    await honest.send(question);
    const again = setInterval(() => honest.send(question).catch(() => {}), 1000);
    assert.equal(readAnswer(await answer).answer.length, 1, `round ${round}`);
    clearInterval(again);
  }
  await eventually(
    () => served.counters.get("udp_messages") >= sent * 0.5,
    "the flood has come",
  );
  // Whoever shares a prefix with a victim is told to come over TCP, and is answered there.
  using tcp = await StreamClient.connect(served);
  assert.equal(readAnswer(await tcp.ask(flood)).answer.length, 8);
  const seconds = Math.ceil((performance.now() - started) / 1000) + 1;
  const whole = served.counters.get("udp_messages") - served.counters.get("rate_dropped") -
    served.counters.get("rate_slipped");
  assert(whole <= 40 + 2 * LIMIT * seconds, `${whole} whole answers in ${seconds} s`);
  assert(served.counters.get("rate_slipped") > 0);
  assert(served.counters.get("rate_dropped") > 0);
  assert(received.longest <= flood.length, "what slips is no longer than the question");
  for (const forger of forgers) forger[Symbol.dispose]();
  await Promise.all(reading);
});
