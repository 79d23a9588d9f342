import assert from "node:assert/strict";
import { ExchangeError } from "../../../lib/dns_client/mod.ts";
import { leadsToItself } from "../../../lib/dns_forward/mod.ts";
import { answerTo } from "../../support/dns_server.ts";
import {
  type Doing,
  type Sent,
  silence,
  TestForwarder,
  upstream,
} from "../../support/forwarding.ts";

const THREE = { upstreams: [upstream(1), upstream(2), upstream(3)] };
const good = ({ name }: Sent) => ({ answers: [{ name, type: "A", data: "192.0.2.80" }] } as const);
const gone = () => Promise.reject(new ExchangeError("network", "gone"));

/** Upstreams by their ports; what is not named answers. */
function each(doings: Readonly<Record<number, Doing>>): Doing {
  return (sent) => (doings[sent.port] ?? good)(sent);
}

const portsOf = (it: TestForwarder) => it.sent.map(({ port }) => port);
const upOf = (it: TestForwarder) => it.forwarder.status.zones[0]?.upstreams.map(({ isUp }) => isUp);

for (
  const [what, doing] of [
    ["cannot be reached", gone],
    ["says SERVFAIL", () => ({ code: 2 })],
    ["says REFUSED", () => ({ code: 5 })],
    ["only refers", ({ name }) => ({
      flags: 0x8000,
      authorities: [{ name, type: "CNAME", data: "ns.test" }],
    })],
  ] as [string, Doing][]
) {
  Deno.test(`Forwarder asks the next upstream at once if one ${what}`, async () => {
    using it = new TestForwarder(each({ 1: what === "only refers" ? referral : doing }), THREE, {
      patienceMs: 60_000, // Nothing waits for it.
    });
    assert.equal((await it.ask("a.test A")).code, 0);
    assert.deepEqual(portsOf(it), [1, 2]);
  });
}

/** An NS record where a CNAME record was; they look alike. */
function referral({ message, name }: Sent): Uint8Array {
  const parts = { flags: 0x8000, authorities: [{ name, type: "CNAME", data: "ns.test" }] } as const;
  const octets = answerTo(message, parts);
  const typeAt = octets.length - "ns.test".length - 2 - 10;
  octets[typeAt + 1] = 2;
  return octets;
}

Deno.test("Forwarder asks the next upstream beside one that is silent, and takes what comes first", async () => {
  using it = new TestForwarder(each({ 1: silence, 2: silence }), THREE, { patienceMs: 5 });
  assert.equal((await it.ask("a.test A")).code, 0);
  assert.deepEqual(portsOf(it), [1, 2, 3]);
});

Deno.test("Forwarder takes the answer of a slow upstream that was asked first", async () => {
  const gate = Promise.withResolvers<void>();
  using it = new TestForwarder(
    each({
      1: async (sent) => {
        await gate.promise;
        return good(sent);
      },
      2: (sent) => {
        gate.resolve();
        return silence(sent);
      },
    }),
    { upstreams: [upstream(1), upstream(2)] },
    { patienceMs: 5 },
  );
  assert.equal((await it.ask("a.test A")).code, 0);
  assert.deepEqual(portsOf(it).slice(0, 2), [1, 2]);
});

Deno.test("Forwarder asks a single upstream twice, from anew", async () => {
  let asked = 0;
  using it = new TestForwarder((sent) => ++asked === 1 ? silence(sent) : good(sent), {}, {
    patienceMs: 5,
  });
  assert.equal((await it.ask("a.some.long.name.test A")).code, 0);
  assert.equal(asked, 2);
  const [first, second] = it.sent;
  assert.notEqual(first?.name, second?.name);
});

Deno.test("Forwarder asks upstreams four times at most", async () => {
  using it = new TestForwarder(gone, { upstreams: [1, 2, 3, 4, 5, 6].map((i) => upstream(i)) });
  assert.equal((await it.ask("a.test A")).code, 2);
  assert.deepEqual(portsOf(it), [1, 2, 3, 4]);
});

Deno.test("Forwarder gives up after its deadline, and closes every question", async () => {
  using it = new TestForwarder(silence, THREE, { patienceMs: 2, deadlineMs: 20 });
  assert.equal((await it.ask("a.test A")).code, 2);
  assert.ok(it.sent.length >= 1);
  for (const { asked } of it.sent) assert.equal(asked.signal.aborted, true);
});

Deno.test("Forwarder closes questions that nobody waits for any more", async () => {
  using it = new TestForwarder(each({ 1: silence }), THREE, { patienceMs: 5 });
  await it.ask("a.test A");
  assert.equal(it.sent[0]?.asked.signal.aborted, true);
});

Deno.test("Forwarder asks an upstream last after two failures, and tries it beside others once it has rested", async () => {
  using it = new TestForwarder(each({ 1: gone }), { upstreams: [upstream(1), upstream(2)] });
  await it.ask("a.test A");
  assert.deepEqual(upOf(it), [true, true]);
  await it.ask("b.test A");
  assert.deepEqual(upOf(it), [false, true]);
  it.sent.length = 0;
  await it.ask("c.test A");
  assert.deepEqual(portsOf(it), [2]);
  it.pass(0.499);
  await it.ask("d.test A");
  assert.deepEqual(portsOf(it), [2, 2]);
  it.pass(0.001);
  await it.ask("e.test A"); // Tried beside, and still down: it rests twice as long.
  assert.deepEqual(portsOf(it).slice(2).sort(), [1, 2]);
  it.pass(0.999);
  await it.ask("f.test A");
  assert.equal(it.sent.length, 5);
  it.doing = good;
  it.pass(0.001);
  await it.ask("g.test A");
  assert.deepEqual(upOf(it), [true, true]);
  await it.ask("h.test A");
  assert.equal(it.sent.at(-1)?.port, 1);
});

Deno.test("Forwarder lets an upstream that was back rest as briefly as at first", async () => {
  using it = new TestForwarder(each({ 1: gone }), { upstreams: [upstream(1), upstream(2)] });
  for (let i = 0; i < 2; i++) await it.ask(`a${i}.test A`);
  it.pass(0.5);
  await it.ask("b.test A"); // Still down: a second.
  it.doing = good;
  it.pass(1);
  await it.ask("c.test A");
  it.doing = each({ 1: gone });
  for (let i = 0; i < 2; i++) await it.ask(`d${i}.test A`);
  assert.deepEqual(upOf(it), [false, true]);
  it.sent.length = 0;
  it.pass(0.5);
  await it.ask("e.test A");
  assert.deepEqual(portsOf(it).sort(), [1, 2]);
});

Deno.test("Forwarder lets an upstream that is down rest for 30 s at most", async () => {
  using it = new TestForwarder(each({ 1: gone }), { upstreams: [upstream(1), upstream(2)] });
  for (let i = 0; i < 2; i++) await it.ask(`a${i}.test A`);
  for (let i = 0; i < 12; i++) {
    it.pass(30);
    it.sent.length = 0;
    await it.ask(`b${i}.test A`);
    assert.deepEqual(portsOf(it).sort(), [1, 2]);
  }
});

Deno.test("Forwarder asks all the same when none is up, the one that has rested longest first", async () => {
  using it = new TestForwarder(gone, { upstreams: [upstream(1), upstream(2)] });
  for (let i = 0; i < 2; i++) await it.ask(`a${i}.test A`);
  assert.deepEqual(upOf(it), [false, false]);
  it.doing = each({});
  assert.equal((await it.ask("b.test A")).code, 0);
});

Deno.test("Forwarder counts an upstream that is silent beside another as one that fails", async () => {
  using it = new TestForwarder(
    (sent) => {
      if (sent.port === 1) return silence(sent);
      it.pass(1); // Longer than patience.
      return good(sent);
    },
    { upstreams: [upstream(1), upstream(2)] },
    { patienceMs: 5 },
  );
  for (let i = 0; i < 2; i++) await it.ask(`a${i}.test A`);
  assert.deepEqual(upOf(it), [false, true]);
});

Deno.test("Forwarder takes SERVFAIL for the name's fault, not the upstream's", async () => {
  using it = new TestForwarder(each({ 1: () => ({ code: 2 }) }), THREE);
  for (let i = 0; i < 5; i++) await it.ask(`a${i}.test A`);
  assert.deepEqual(upOf(it), [true, true, true]);
});

for (const code of [1, 4]) {
  Deno.test(`Forwarder asks without EDNS an upstream that answers ${code}, and remembers it`, async () => {
    using it = new TestForwarder((sent) =>
      sent.message.additionals.length > 0 ? { code } : good(sent)
    );
    assert.equal((await it.ask("a.test A")).code, 0);
    assert.equal((await it.ask("b.test A")).code, 0);
    const edns = it.sent.map(({ message }) => message.additionals.length);
    assert.deepEqual(edns, [1, 0, 0]);
    it.pass(3600);
    await it.ask("c.test A");
    assert.equal(it.sent.at(-2)?.message.additionals.length, 1);
  });
}

Deno.test("Forwarder does not take an upstream for one without EDNS that fails either way", async () => {
  using it = new TestForwarder(() => ({ code: 1 }));
  await it.ask("a.test A");
  it.doing = good;
  await it.ask("b.test A");
  assert.equal(it.sent.at(-1)?.message.additionals.length, 1);
});

Deno.test("Forwarder asks in lower case for an hour when an upstream showed that it does not keep case", async () => {
  using it = new TestForwarder((sent) => {
    const name = sent.name.toLowerCase();
    return { ...good({ ...sent, name }), question: { name, type: sent.type } };
  });
  const keeps = () => it.forwarder.status.zones[0]?.upstreams[0]?.keepsCase;
  assert.equal((await it.ask("a.name.of.many.letters.test A")).code, 0);
  assert.equal(keeps(), false);
  await it.ask("another.name.of.many.letters.test A");
  assert.equal(it.sent[1]?.name, "another.name.of.many.letters.test");
  assert.equal(it.sent[1]?.asked.isCaseKept, false);
  it.pass(3600);
  assert.equal(keeps(), true);
});

for (
  const [text, listen, leads] of [
    ["127.0.0.1:53", "127.0.0.1:53", true],
    ["127.0.0.1:54", "127.0.0.1:53", false],
    ["127.0.0.1:53", ":53", true],
    ["127.0.0.53:53", "0.0.0.0:53", true],
    ["::1:53", "::1:53", true],
    ["192.0.2.1:53", ":53", false],
    ["192.0.2.1:53", "127.0.0.1:53", false],
    ["0.0.0.0:53", "192.0.2.1:53", true],
  ] as const
) {
  Deno.test(`leadsToItself(): ${text} ${leads ? "is" : "is not"} who listens at ${listen}`, () => {
    const parse = (text: string) => {
      const colon = text.lastIndexOf(":");
      return { host: text.slice(0, colon), port: Number(text.slice(colon + 1)) };
    };
    const { host: hostname, port } = parse(text);
    assert.equal(leadsToItself({ hostname, port }, parse(listen)), leads);
  });
}
