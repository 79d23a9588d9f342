import assert from "node:assert/strict";
import { nameToText, octetString, parseMessage, readEdns } from "../../../lib/dns/mod.ts";
import { ExchangeError } from "../../../lib/dns_client/mod.ts";
import { defaultAllowRecursion } from "../../../lib/dns_forward/mod.ts";
import { answerTo, nameOf, soaData } from "../../support/dns_server.ts";
import {
  clientAt,
  INSIDE,
  questionFor,
  type Sent,
  silence,
  TestForwarder,
  upstream,
} from "../../support/forwarding.ts";
import { readAnswer } from "../../support/zone_samples.ts";

const address = ({ name }: Sent, ttl = 300) => ({
  answers: [{ name, type: "A", ttl, data: "192.0.2.80" }],
} as const);
const nothing = (minimum = 60, zone = "test") => ({
  authorities: [{ name: zone, type: "SOA", ttl: 900, data: soaData(minimum) }],
} as const);
const codeOf = (octets: Uint8Array) => (octets[3] as number) & 15;

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

Deno.test("Forwarder remembers an answer until its TTL is over, and counts it down", async () => {
  using it = new TestForwarder((sent) => address(sent, 10));
  assert.deepEqual((await it.ask("a.test A")).answer, ["a.test. 10 A 192.0.2.80"]);
  it.pass(9.999);
  assert.deepEqual((await it.ask("A.TEST A")).answer, ["A.TEST. 1 A 192.0.2.80"]);
  assert.equal(it.sent.length, 1);
  it.pass(0.001);
  assert.deepEqual((await it.ask("a.test A")).answer, ["a.test. 10 A 192.0.2.80"]);
  assert.equal(it.sent.length, 2);
  assert.deepEqual([it.forwarder.status.counts.hits, it.forwarder.status.counts.misses], [1, 2]);
});

Deno.test("Forwarder remembers nothing with a TTL of 0", async () => {
  using it = new TestForwarder((sent) => address(sent, 0));
  await it.ask("a.test A");
  await it.ask("a.test A");
  assert.equal(it.sent.length, 2);
});

Deno.test("Forwarder says no TTL over a day, and none over an hour of what is not there", async () => {
  using it = new TestForwarder((sent) => sent.type === 1 ? address(sent, 86_401) : nothing(86_400));
  assert.deepEqual((await it.ask("a.test A")).answer, ["a.test. 86400 A 192.0.2.80"]);
  it.pass(86_400);
  await it.ask("a.test A");
  assert.equal(it.sent.length, 2);
  it.doing = () => ({
    authorities: [{ name: "test", type: "SOA", ttl: 7200, data: soaData(7201) }],
  });
  assert.match((await it.ask("a.test AAAA")).authority[0] ?? "", /^test\. 3600 SOA/);
});

for (const code of [0, 3]) {
  Deno.test(`Forwarder remembers that nothing is there, with code ${code}, as long as SOA says`, async () => {
    using it = new TestForwarder(() => ({ code, ...nothing(30) }));
    const found = await it.ask("a.test AAAA");
    assert.equal(found.code, code);
    assert.match(found.authority[0] ?? "", /^test\. 30 SOA/); // RFC 2308 §5.
    it.pass(29);
    assert.match((await it.ask("a.test AAAA")).authority[0] ?? "", /^test\. 1 SOA/);
    assert.equal(it.sent.length, 1);
    it.pass(1);
    await it.ask("a.test AAAA");
    assert.equal(it.sent.length, 2);
  });
}

Deno.test("Forwarder does not remember that nothing is there if no SOA says for how long", async () => {
  using it = new TestForwarder(() => ({ code: 3 }));
  assert.equal((await it.ask("a.test A")).code, 3);
  assert.equal((await it.ask("a.test A")).code, 3);
  assert.equal(it.sent.length, 2);
});

Deno.test("Forwarder does not take a SOA record of a zone that the name is not in", async () => {
  using it = new TestForwarder(() => ({ code: 3, ...nothing(30, "b.test") }));
  assert.deepEqual((await it.ask("a.test A")).authority, []);
  await it.ask("a.test A");
  assert.equal(it.sent.length, 2);
});

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

Deno.test("Forwarder forgets that nobody answered with the rest", async () => {
  using it = new TestForwarder(() => ({ code: 2 }));
  await it.ask("a.test A");
  const asked = it.sent.length;
  it.forwarder.forget();
  await it.ask("a.test A");
  assert.ok(it.sent.length > asked);
});

Deno.test("Forwarder remembers so many answers, those that were used last", async () => {
  using it = new TestForwarder(address, { limits: { cacheEntries: 3 } });
  for (const name of ["a", "b", "c"]) await it.ask(`${name}.test A`);
  await it.ask("a.test A");
  await it.ask("d.test A");
  assert.equal(it.forwarder.status.cache.entries, 3);
  await it.ask("a.test A");
  assert.equal(it.sent.length, 4);
  await it.ask("b.test A");
  assert.equal(it.sent.length, 5);
});

Deno.test("Forwarder remembers so many octets, and counts them down to nothing", async () => {
  using it = new TestForwarder(address, { limits: { cacheOctets: 3000 } });
  for (let i = 0; i < 20; i++) await it.ask(`name${i}.test A`);
  const { entries, octets } = it.forwarder.status.cache;
  assert.ok(entries > 2 && entries < 5, `${entries}`);
  assert.ok(octets <= 3000);
  it.forwarder.forget();
  assert.deepEqual(it.forwarder.status.cache, { entries: 0, octets: 0 });
});

Deno.test("Forwarder does not remember an answer that is more than it may, nor forgets others for it", async () => {
  using it = new TestForwarder((sent) =>
    sent.name.startsWith("b") || sent.name.startsWith("B")
      ? {
        answers: Array.from({ length: 200 }, (_, i) => (
          { name: sent.name, type: "A", data: `192.0.2.${i}` } as const
        )),
      }
      : address(sent), { limits: { cacheOctets: 3000 } });
  await it.ask("a.test A");
  await it.ask("b.test A");
  await it.ask("a.test A");
  assert.equal(it.sent.length, 2);
});

Deno.test("Forwarder does not give what it was not to remember, not even while nobody answers", async () => {
  using it = new TestForwarder((sent) => address(sent, 0));
  await it.ask("a.test A");
  it.doing = () => Promise.reject(new ExchangeError("network", "gone"));
  assert.equal((await it.ask("a.test A")).code, 2);
});

Deno.test("Forwarder forgets a name and what is below it", async () => {
  using it = new TestForwarder(address);
  for (const name of ["a.test", "b.a.test", "xa.test"]) await it.ask(`${name} A`);
  assert.equal(it.forwarder.forget(octetString(nameOf("a.test"))), 2);
  assert.equal(it.forwarder.status.cache.entries, 1);
});

Deno.test("Forwarder keeps answers with DNSSEC, without, and unchecked ones apart", async () => {
  using it = new TestForwarder(address);
  await it.raw(questionFor("a.test A"));
  await it.raw(questionFor("a.test A", { udpPayloadBytes: 1232 }));
  assert.equal(it.sent.length, 1);
  await it.raw(questionFor("a.test A", { udpPayloadBytes: 1232, isDnssecOk: true }));
  assert.equal(it.sent.length, 2);
  await it.raw(questionFor("a.test A", { flags: 0x10 }));
  assert.equal(it.sent.length, 3);
  const flags = it.sent.map(({ asked }) => asked.query[3]);
  assert.deepEqual(flags, [0, 0, 0x10]); // CD only for whoever sets it.
  const flagsOfOpt = it.sent.map(({ message: { additionals: [opt] } }) => (opt?.ttl ?? 0) & 0x8000);
  assert.deepEqual(flagsOfOpt, [0, 0x8000, 0]);
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

Deno.test("Forwarder gives the records of a set the least of their TTLs", async () => {
  using it = new TestForwarder(({ name }) => ({
    answers: [300, 10, 200].map((ttl, i) => (
      { name, type: "A", ttl, data: `192.0.2.${i}` } as const
    )),
  }));
  assert.deepEqual((await it.ask("a.test A")).answer, [
    "a.test. 10 A 192.0.2.0",
    "a.test. 10 A 192.0.2.1",
    "a.test. 10 A 192.0.2.2",
  ]);
  it.pass(10);
  await it.ask("a.test A");
  assert.equal(it.sent.length, 2);
});

for (
  const [trusted, flag] of [[[true, true], 0x20], [[true, false], 0], [[false, true], 0]] as const
) {
  Deno.test(`Forwarder passes AD on over two zones if both are trusted: ${trusted}`, async () => {
    using it = new TestForwarder(({ port, name }) => ({
      flags: 0x81a0,
      answers: [
        port === 1
          ? { name, type: "CNAME", data: "a.corp.test" }
          : { name, type: "A", data: "10.1.1.1" },
      ],
    }), {
      upstreams: [upstream(1, trusted[0])],
      zones: [{ zone: nameOf("corp.test"), upstreams: [upstream(2, trusted[1])] }],
    });
    const octets = await it.raw(questionFor("www.test A", { flags: 0x20 }));
    assert.equal((octets[3] as number) & 0x20, flag);
    assert.equal(readAnswer(octets).answer.length, 2);
  });
}

Deno.test("Forwarder answers FORMERR to a question with octets behind it, or cut off", async () => {
  using it = new TestForwarder(address);
  const query = questionFor("a.test A", { udpPayloadBytes: 1232 });
  assert.equal(codeOf(await it.raw(Uint8Array.from([...query, 0]))), 1);
  for (let length = 12; length < query.length; length++) {
    assert.equal(codeOf(await it.raw(query.slice(0, length))), 1, `${length}`);
  }
  assert.equal(it.sent.length, 0);
});

Deno.test("Forwarder asks servers of the longest zone", async () => {
  using it = new TestForwarder(address, {
    zones: [
      { zone: nameOf("corp.test"), upstreams: [upstream(2)] },
      { zone: nameOf("x.Corp.test"), upstreams: [upstream(3)] },
    ],
  });
  const ports = [];
  for (const name of ["test", "corp.test", "a.CORP.test", "a.x.corp.test", "xcorp.test"]) {
    await it.ask(`${name} A`);
    ports.push(it.sent.at(-1)?.port);
  }
  assert.deepEqual(ports, [1, 2, 2, 3, 1]);
});

Deno.test("Forwarder refuses what it has no upstream for", async () => {
  const zones = [{ zone: nameOf("corp.test"), upstreams: [upstream(2)] }];
  using it = new TestForwarder(address, { upstreams: [], zones });
  assert.equal((await it.ask("a.test A")).code, 5);
  assert.equal((await it.ask("a.corp.test A")).code, 0);
});

Deno.test("Forwarder believes nobody about names of other servers' zones", async () => {
  using it = new TestForwarder(({ port, name }) => {
    if (port === 2) return { answers: [{ name, type: "A", data: "10.1.1.1" }] };
    return {
      answers: [
        { name, type: "CNAME", data: "bank.corp.test" },
        { name: "bank.corp.test", type: "A", data: "203.0.113.66" },
      ],
    };
  }, { zones: [{ zone: nameOf("corp.test"), upstreams: [upstream(2)] }] });
  assert.deepEqual((await it.ask("www.test A")).answer, [
    "bank.corp.test. 60 A 10.1.1.1",
    "www.test. 60 CNAME bank.corp.test.",
  ]);
  assert.deepEqual(it.sent.map(({ port }) => port), [1, 2]);
});

Deno.test("Forwarder asks on where an upstream leaves an alias open", async () => {
  using it = new TestForwarder(({ name }) =>
    name.toLowerCase() === "www.test"
      ? { answers: [{ name, type: "CNAME", ttl: 20, data: "host.test" }] }
      : { code: 3, ...nothing(30) }
  );
  const found = await it.ask("www.test A");
  assert.equal(found.code, 3);
  assert.deepEqual(found.answer, ["www.test. 20 CNAME host.test."]);
  assert.match(found.authority[0] ?? "", /^test\. 30 SOA/);
  it.pass(19);
  await it.ask("www.test A");
  assert.equal(it.sent.length, 2);
  it.pass(1); // As long as its shortest part.
  await it.ask("www.test A");
  assert.equal(it.sent.length, 4);
});

Deno.test("Forwarder ends aliases that lead to each other over two servers' zones", async () => {
  using it = new TestForwarder(({ port, name }) => ({
    answers: [{ name, type: "CNAME", data: port === 1 ? "b.corp.test" : "a.test" }],
  }), { zones: [{ zone: nameOf("corp.test"), upstreams: [upstream(2)] }] });
  const found = await Promise.all([it.ask("a.test A"), it.ask("b.corp.test A")]);
  assert.deepEqual(found.map(({ code }) => code), [0, 0]);
  assert.equal(it.sent.length, 4);
});

Deno.test("Forwarder follows eight aliases with questions of their own, and no more", async () => {
  using it = new TestForwarder(({ name }) => {
    const next = `n${Number(/[0-9]+/.exec(name)?.[0]) + 1}.test`;
    return { answers: [{ name, type: "CNAME", data: next }] };
  });
  assert.equal((await it.ask("n1.test A")).answer.length, 8);
  assert.equal(it.sent.length, 8);
});

Deno.test("Forwarder drops what has nothing to do with the question", async () => {
  using it = new TestForwarder(({ name }) => ({
    answers: [
      { name, type: "A", data: "192.0.2.1" },
      { name: "other.test", type: "A", data: "203.0.113.66" },
      { name, type: "AAAA", data: "2001:db8::66" },
    ],
    authorities: [{ name: "test", type: "A", data: "203.0.113.66" }],
    additionals: [{ name: "ns.test", type: "A", data: "203.0.113.66" }],
  }));
  assert.deepEqual(await it.ask("a.test A"), {
    code: 0,
    flags: [],
    answer: ["a.test. 60 A 192.0.2.1"],
    authority: [],
    additional: [],
  });
});

Deno.test("Forwarder takes no answer whose data is not what its type says", async () => {
  using it = new TestForwarder(({ name }) => ({
    answers: [{ name, type: "A", data: Uint8Array.of(1, 2, 3) }],
  }));
  assert.equal((await it.ask("a.test A")).code, 2);
});

Deno.test("Forwarder ends aliases without end", async () => {
  using it = new TestForwarder(({ name }) => ({
    answers: [
      { name, type: "CNAME", data: "b.test" },
      { name: "b.test", type: "CNAME", data: "a.test" },
    ],
  }));
  assert.equal((await it.ask("a.test A")).code, 2);
});

Deno.test("Forwarder turns away a question of its own that comes back", async () => {
  const back = Promise.withResolvers<number>();
  using it = new TestForwarder(async (sent) => {
    const query = answerTo(sent.message, { question: sent, flags: 0x0100 });
    // It has come round: the upstream asks us.
    back.resolve(codeOf(await it.raw(query, clientAt("10.9.9.9"))));
    return { code: 2 };
  }, { upstreams: [{ hostname: "10.9.9.9", port: 53, isTrusted: false }] });
  const first = it.ask("a.very.long.name.with.letters.test A");
  assert.equal(await back.promise, 5);
  assert.equal((await first).code, 2);
  assert.ok(it.forwarder.status.counts.loops >= 1);
  assert.equal(it.forwarder.status.waiting, 0);
});

Deno.test("Forwarder.update() forgets answers of other upstreams, and keeps what it knows of those that stay", async () => {
  using it = new TestForwarder(address);
  const allowRecursion = defaultAllowRecursion();
  await it.ask("a.test A");
  it.forwarder.update({ allowRecursion: [], upstreams: [upstream(1)] });
  assert.equal(it.forwarder.status.cache.entries, 1);
  assert.equal((await it.ask("a.test A")).code, 5);
  it.forwarder.update({ allowRecursion, upstreams: [upstream(2), upstream(1)] });
  assert.equal(it.forwarder.status.cache.entries, 0);
  assert.deepEqual(it.forwarder.status.zones[0]?.upstreams.map(({ questions }) => questions), [
    0,
    1,
  ]);
  await it.ask("a.test A");
  assert.equal(it.sent.at(-1)?.port, 2);
});
