import assert from "node:assert/strict";
import { nameToText, parseMessage } from "../../../lib/dns/mod.ts";
import { nameOf } from "../../support/dns_server.ts";
import {
  clientAt,
  INSIDE,
  questionFor,
  TestForwarder,
  upstream,
} from "../../support/forwarding.ts";
import { readAnswer } from "../../support/zone_samples.ts";
import { address, codeOf } from "../../support/forwarder_answers.ts";

for (
  const [source, may] of [
    ["127.0.0.1", true],
    ["::1", true],
    ["10.255.0.1", true],
    ["172.16.0.1", true],
    ["172.32.0.1", false],
    ["192.168.4.4", true],
    ["100.64.0.1", true],
    ["100.128.0.1", false],
    ["169.254.1.1", true],
    ["fd00::1", true],
    ["fe80::1", true],
    ["2001:db8::1", false],
    ["203.0.113.1", false],
    ["9.255.255.255", false],
  ] as const
) {
  Deno.test(`Forwarder asks for ${source} ${may ? "by default" : "never by default"}`, async () => {
    using it = new TestForwarder(address);
    assert.equal((await it.ask("a.test A", clientAt(source))).code, may ? 0 : 5);
    assert.equal(it.sent.length, may ? 1 : 0);
    assert.equal(it.forwarder.status.counts.refused, may ? 0 : 1);
  });
}

Deno.test("Forwarder tells nobody outside what it remembers", async () => {
  using it = new TestForwarder(address);
  await it.ask("a.test A");
  const refused = await it.ask("a.test A", clientAt("203.0.113.1"));
  assert.deepEqual(refused, { code: 5, flags: [], answer: [], authority: [], additional: [] });
});

for (
  const [what, query] of [
    ["ANY", questionFor("a.test ANY")],
    ["AXFR", questionFor("a.test AXFR")],
    ["IXFR", questionFor("a.test IXFR")],
    ["OPT", questionFor("a.test OPT")],
    ["the type 0", questionFor("a.test TYPE0")],
    ["a question without RD", questionFor("a.test A").with(2, 0)],
    ["CHAOS", questionFor("version.bind TXT").with(-1, 3)],
  ] as const
) {
  Deno.test(`Forwarder refuses ${what}`, async () => {
    using it = new TestForwarder(address);
    const octets = await it.raw(query);
    assert.equal(codeOf(octets), 5);
    assert.equal((octets[2] as number) & 0x80, 0x80);
    assert.equal(it.sent.length, 0);
  });
}

Deno.test("Forwarder does not answer answers, and says what is no question", async () => {
  using it = new TestForwarder(address);
  assert.equal(it.forwarder.resolve(questionFor("a.test").with(2, 0x81), INSIDE), undefined);
  assert.equal(it.forwarder.resolve(new Uint8Array(11), INSIDE), undefined);
  const twice = questionFor("a.test").with(5, 2);
  assert.equal(codeOf(await it.raw(twice)), 1);
  assert.equal(codeOf(await it.raw(questionFor("a.test").with(2, 0x11))), 4); // STATUS.
  const version1 = questionFor("a.test", { udpPayloadBytes: 1232 });
  version1[version1.length - 5] = 1;
  const octets = await it.raw(version1);
  const message = parseMessage(octets);
  assert(message.ok);
  assert.equal(codeOf(octets), 0);
  assert.equal((message.value.additionals[0]?.ttl ?? 0) >>> 24, 1); // BADVERS is 16.
  assert.equal(it.sent.length, 0);
});

Deno.test("Forwarder asks in mixed case with an id of its own, and answers in the client's", async () => {
  using it = new TestForwarder((sent) => ({
    ...address(sent),
    question: { name: sent.name, type: sent.type },
  }));
  const name = "Www.Some-Long-Name-Of-Letters.Example";
  const octets = await it.raw(questionFor(`${name} A`));
  assert.equal(octets[0] as number << 8 | octets[1] as number, 0x1234);
  const message = parseMessage(octets);
  assert(message.ok);
  assert.equal(nameToText(message.value.questions[0]?.name ?? nameOf(".")), `${name}.`);
  assert.equal(nameToText(message.value.answers[0]?.name ?? nameOf(".")), `${name}.`);
  assert.equal(message.value.header.recursionAvailable, true);
  assert.equal(message.value.header.recursionDesired, true);
  const [sent] = it.sent;
  assert.notEqual(sent?.name, name);
  assert.equal(sent?.name.toLowerCase(), name.toLowerCase());
  assert.equal(sent?.asked.isCaseKept, true);
});

Deno.test("Forwarder draws ids and cases by lot", async () => {
  using it = new TestForwarder((sent) => address(sent, 0));
  for (let i = 0; i < 64; i++) await it.ask("some.long.name.of.letters.test A");
  assert.ok(new Set(it.sent.map(({ asked }) => asked.id)).size > 60);
  assert.ok(new Set(it.sent.map(({ name }) => name)).size > 60);
});

for (
  const [what, isTrusted, query, flag] of [
    ["of an upstream that is trusted, for DO", true, { isDnssecOk: true }, 0x20],
    ["of an upstream that is trusted, for AD", true, { flags: 0x20 }, 0x20],
    ["for nobody who did not ask for it", true, {}, 0],
    ["of nobody else", false, { isDnssecOk: true }, 0],
  ] as const
) {
  Deno.test(`Forwarder passes AD on ${what}`, async () => {
    using it = new TestForwarder((sent) => ({ ...address(sent), flags: 0x81a0 }), {
      upstreams: [upstream(1, isTrusted)],
    });
    for (let i = 0; i < 2; i++) { // Remembered, too.
      const octets = await it.raw(questionFor("a.test A", { udpPayloadBytes: 1232, ...query }));
      assert.equal((octets[3] as number) & 0x20, flag);
    }
    assert.equal((it.sent[0]?.asked.query[3] ?? 0) & 0x20, isTrusted ? 0x20 : 0);
  });
}

Deno.test("Forwarder cuts answers that are too long for UDP down to the question", async () => {
  using it = new TestForwarder(({ name }) => ({
    answers: Array.from({ length: 40 }, (_, i) => (
      { name, type: "A", data: `192.0.2.${i}` } as const
    )),
  }));
  const udp = clientAt("10.0.0.7", "udp");
  const short = readAnswer(await it.raw(questionFor("a.test A"), udp));
  assert.deepEqual([short.flags, short.answer], [["tc"], []]);
  const edns = await it.raw(questionFor("a.test A", { udpPayloadBytes: 700 }), udp);
  assert.equal(readAnswer(edns).answer.length, 40);
  const most = await it.raw(questionFor("a.test A", { udpPayloadBytes: edns.length }), udp);
  assert.equal(readAnswer(most).flags.length, 0);
  const cut = await it.raw(questionFor("a.test A", { udpPayloadBytes: edns.length - 1 }), udp);
  assert.deepEqual(readAnswer(cut).flags, ["tc"]);
  assert.equal(parseMessage(cut).ok, true);
  assert.equal((await it.ask("a.test A")).answer.length, 40); // TCP.
});

Deno.test("Forwarder sends no more than 1,232 octets over UDP, whatever the client says that it takes", async () => {
  using it = new TestForwarder(({ name }) => ({
    answers: Array.from({ length: 80 }, (_, i) => (
      { name, type: "A", data: `192.0.2.${i}` } as const
    )),
  }));
  const query = questionFor("a.test A", { udpPayloadBytes: 4096 });
  assert.deepEqual(readAnswer(await it.raw(query, clientAt("10.0.0.7", "udp"))).flags, ["tc"]);
});

Deno.test("Forwarder answers FORMERR to a question with octets behind it, or cut off", async () => {
  using it = new TestForwarder(address);
  const query = questionFor("a.test A", { udpPayloadBytes: 1232 });
  assert.equal(codeOf(await it.raw(Uint8Array.from([...query, 0]))), 1);
  for (let length = 12; length < query.length; length++) {
    assert.equal(codeOf(await it.raw(query.slice(0, length))), 1, `${length}`);
  }
  assert.equal(it.sent.length, 0);
});
