/** Questions that wait, and upstreams that do not answer. */
import assert from "node:assert/strict";
import { parseMessage, readEdns } from "../../../lib/dns/mod.ts";
import { ExchangeError } from "../../../lib/dns_client/mod.ts";
import { clientAt, questionFor, silence, TestForwarder } from "../../support/forwarding.ts";
import { readAnswer } from "../../support/zone_samples.ts";
import { address } from "../../support/forwarder_answers.ts";

Deno.test("Forwarder asks once for all who ask the same at the same time", async () => {
  const gate = Promise.withResolvers<void>();
  using it = new TestForwarder(async (sent) => {
    await gate.promise;
    return address(sent);
  });
  const all = Array.from({ length: 50 }, (_, i) => it.ask(`${i % 2 ? "a" : "A"}.test A`));
  assert.equal(it.forwarder.status.waiting, 50);
  assert.equal(it.forwarder.status.questions, 1);
  gate.resolve();
  const answers = await Promise.all(all);
  assert.equal(it.sent.length, 1);
  assert.deepEqual(answers[1]?.answer, ["a.test. 300 A 192.0.2.80"]);
  assert.deepEqual(answers[2]?.answer, ["A.test. 300 A 192.0.2.80"]);
  assert.equal(it.forwarder.status.waiting, 0);
  assert.equal(it.forwarder.status.questions, 0);
});

Deno.test("Forwarder has one source wait so often, and all together so often", async () => {
  const limits = { waiting: 5, waitingPerSource: 3 };
  const gate = Promise.withResolvers<void>();
  using it = new TestForwarder(async (sent) => {
    await gate.promise;
    return address(sent);
  }, { limits });
  const first = [1, 2, 3].map((i) => it.ask(`a${i}.test A`));
  assert.equal((await it.ask("a4.test A")).code, 2);
  const other = [1, 2].map((i) => it.ask(`b${i}.test A`, clientAt("10.0.0.8")));
  assert.equal((await it.ask("b3.test A", clientAt("10.0.0.8"))).code, 2);
  assert.equal(it.forwarder.status.counts.busy, 2);
  gate.resolve();
  for (const { code } of await Promise.all([...first, ...other])) assert.equal(code, 0);
  assert.equal((await it.ask("a4.test A")).code, 0); // Places are given back.
});

Deno.test("Forwarder takes an IPv6 network of 64 bits for one source", async () => {
  using it = new TestForwarder(silence, { limits: { waitingPerSource: 1 } });
  const one = it.ask("a.test A", clientAt("fd00::1"));
  assert.equal((await it.ask("b.test A", clientAt("fd00::2"))).code, 2);
  it.forwarder[Symbol.dispose]();
  assert.equal((await one).code, 2);
});

Deno.test("Forwarder has so many questions under way", async () => {
  using it = new TestForwarder(silence, { limits: { questions: 2 } });
  const two = [it.ask("a.test A"), it.ask("b.test A")];
  const joined = it.ask("a.test A");
  assert.equal((await it.ask("c.test A")).code, 2);
  assert.equal(it.sent.length, 2);
  it.forwarder[Symbol.dispose]();
  for (const { code } of await Promise.all([...two, joined])) assert.equal(code, 2);
});

Deno.test("Forwarder gives what ended while nobody answers, with a TTL of 30 s, and says so", async () => {
  using it = new TestForwarder((sent) => address(sent, 60));
  await it.ask("a.test A");
  it.pass(61);
  it.doing = () => Promise.reject(new ExchangeError("network", "gone"));
  const octets = await it.raw(questionFor("a.test A", { udpPayloadBytes: 1232 }));
  assert.deepEqual(readAnswer(octets).answer, ["a.test. 30 A 192.0.2.80"]);
  const message = parseMessage(octets);
  assert(message.ok);
  const edns = readEdns(message.value, octets);
  assert(edns !== undefined && edns !== "invalid");
  assert.deepEqual(edns.options, [{ code: 15, value: Uint8Array.of(0, 3) }]);
  const asked = it.sent.length;
  it.pass(29);
  assert.equal((await it.ask("a.test A")).code, 0);
  assert.equal(it.sent.length, asked); // RFC 8767 §5: not asked again for 30 s.
  it.pass(1);
  await it.ask("a.test A");
  assert.ok(it.sent.length > asked);
  it.doing = (sent) => address(sent, 60);
  it.pass(31);
  assert.deepEqual((await it.ask("a.test A")).answer, ["a.test. 60 A 192.0.2.80"]);
});

Deno.test("Forwarder gives nothing that ended longer ago than it may", async () => {
  using it = new TestForwarder((sent) => address(sent, 60), { limits: { staleSeconds: 100 } });
  await it.ask("a.test A");
  it.doing = () => Promise.reject(new ExchangeError("network", "gone"));
  it.pass(159);
  assert.equal((await it.ask("a.test A")).code, 0);
  it.pass(1);
  assert.equal((await it.ask("a.test A")).code, 2);
});

Deno.test("Forwarder gives what ended if the answer takes too long, and the answer to the next", async () => {
  using it = new TestForwarder((sent) => address(sent, 60), {}, { staleAnswerMs: 1 });
  await it.ask("a.test A");
  it.pass(61);
  const gate = Promise.withResolvers<void>();
  it.doing = async (sent) => {
    await gate.promise;
    return address(sent, 77);
  };
  assert.deepEqual((await it.ask("a.test A")).answer, ["a.test. 30 A 192.0.2.80"]);
  gate.resolve();
  while (it.forwarder.status.questions > 0) await Promise.resolve();
  assert.deepEqual((await it.ask("a.test A")).answer, ["a.test. 77 A 192.0.2.80"]);
  assert.equal(it.sent.length, 2);
});

Deno.test("Forwarder remembers for 2 s that nobody answered", async () => {
  using it = new TestForwarder(() => ({ code: 2 }));
  assert.equal((await it.ask("a.test A")).code, 2);
  const asked = it.sent.length;
  it.pass(1.999);
  assert.equal((await it.ask("a.test A")).code, 2);
  assert.equal(it.sent.length, asked);
  assert.equal(it.forwarder.status.counts.busy, 0);
  it.pass(0.001);
  await it.ask("a.test A");
  assert.ok(it.sent.length > asked);
});
