/** Which servers a forwarder asks, what it believes of them, and where aliases lead. */
import assert from "node:assert/strict";
import { defaultAllowRecursion } from "../../../lib/dns_forward/mod.ts";
import { answerTo, nameOf } from "../../support/dns_server.ts";
import { clientAt, questionFor, TestForwarder, upstream } from "../../support/forwarding.ts";
import { readAnswer } from "../../support/zone_samples.ts";
import { address, codeOf, nothing } from "../../support/forwarder_answers.ts";

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
