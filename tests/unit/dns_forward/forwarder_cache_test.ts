/** What a forwarder remembers, for how long, and how much of it. */
import assert from "node:assert/strict";
import { octetString } from "../../../lib/dns/mod.ts";
import { ExchangeError } from "../../../lib/dns_client/mod.ts";
import { nameOf, soaData } from "../../support/dns_server.ts";
import { questionFor, TestForwarder } from "../../support/forwarding.ts";
import { address, nothing } from "../../support/forwarder_answers.ts";

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
