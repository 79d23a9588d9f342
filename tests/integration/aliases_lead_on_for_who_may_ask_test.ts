import assert from "node:assert/strict";
import { join } from "node:path";
import { encodeQuery, parseMessage, TYPE, typeFromText } from "../../lib/dns/mod.ts";
import { createZoneKey, formatZoneKeys } from "../../lib/dnssec/mod.ts";
import { nameOf } from "../support/dns_server.ts";
import { McnsPlane } from "../support/mcns_plane.ts";
import { StreamClient, UdpClient } from "../support/served_zones.ts";
import { APEX, readAnswer } from "../support/zone_samples.ts";

const BY_HAND = { actor: "test", action: "Test" };
const AUTHORITATIVE = 0x04;
const RECURSION_AVAILABLE = 0x80;

async function add(mcns: McnsPlane, zone: string, text: string): Promise<void> {
  const file = new TextEncoder().encode(`$TTL 300\n${APEX}${text}`);
  await mcns.mcns.control.zones.import(nameOf(zone), file, BY_HAND);
}

/** What a client at an address is told, and the flags of that. */
async function ask(
  { port }: { readonly port: number },
  name: string,
  { type = "A", from = "127.0.0.1", isRecursive = true, isDnssecOk = false } = {},
) {
  const number = typeFromText(type);
  assert(number.ok);
  const query = encodeQuery({
    ...{ id: 7, name: nameOf(name), type: number.value },
    ...isDnssecOk && { udpPayloadBytes: 1232, isDnssecOk },
  });
  if (!isRecursive) query[2] = 0;
  using client = new UdpClient({ host: "127.0.0.1", port }, { from });
  const octets = await client.ask(query);
  return { octets, ...readAnswer(octets) };
}

const NEAR = `web CNAME www.far.example.
gone CNAME gone.far.example.
other CNAME www.other.example.
*.wild CNAME www.far.example.
loop CNAME loop.other.example.
big CNAME big.far.example.
first CNAME second
second CNAME www.far.example.
`;
const OTHER = "www A 192.0.2.3\nloop CNAME loop.near.example.\n";

Deno.test("an alias leads out of its zone for who may have names looked up, and for nobody else", async () => {
  const big = Array.from({ length: 60 }, (_, i) => `big TXT "${`${i}`.padStart(60, "x")}"\n`).join(
    "",
  );
  await using upstream = await McnsPlane.start({ config: "" });
  await add(upstream, "far.example", `www A 192.0.2.2\n${big}`);
  const key = await createZoneKey("active");
  await using mcns = await McnsPlane.start({
    config: (folder) => {
      Deno.writeTextFileSync(join(folder, "key.json"), formatZoneKeys([key]));
      return `upstreams = ["127.0.0.1:${upstream.port}"]
allow_recursion = ["127.0.0.1"]
[[dns.zones]]
zone = "near.example"
dnssec_keys = "${join(folder, "key.json")}"
`;
    },
  });
  await add(mcns, "near.example", NEAR);
  await add(mcns, "other.example", OTHER);

  const web = await ask(mcns, "web.near.example");
  const chain = [
    "web.near.example. 300 CNAME www.far.example.",
    "www.far.example. 300 A 192.0.2.2",
  ];
  assert.deepEqual([web.code, web.answer, web.authority], [0, chain, []]);
  assert.equal((web.octets[2] as number) & AUTHORITATIVE, AUTHORITATIVE);
  assert.equal((web.octets[3] as number) & RECURSION_AVAILABLE, RECURSION_AVAILABLE);
  // The second time from the cache.
  assert.deepEqual((await ask(mcns, "WEB.near.example")).answer.length, 2);
  assert.deepEqual((await ask(mcns, "first.near.example")).answer.length, 3);
  assert.deepEqual((await ask(mcns, "x.wild.near.example")).answer.length, 2);

  for (const options of [{ isRecursive: false }, { from: "127.0.0.2" }]) {
    const alone = await ask(mcns, "web.near.example", options);
    assert.deepEqual([alone.code, alone.answer], [0, chain.slice(0, 1)]);
    const other = await ask(mcns, "other.near.example", options);
    assert.equal(other.answer.length, 1);
  }
  // Who asks for the alias has it.
  assert.equal((await ask(mcns, "web.near.example", { type: "CNAME" })).answer.length, 1);

  const gone = await ask(mcns, "gone.near.example");
  assert.deepEqual([gone.code, gone.answer.length, gone.authority.length], [3, 1, 1]);
  assert.match(gone.authority.join(), /^far\.example\. .* SOA /);
  const none = await ask(mcns, "web.near.example", { type: "AAAA" });
  assert.deepEqual([none.code, none.answer.length, none.authority.length], [0, 1, 1]);

  assert.deepEqual((await ask(mcns, "other.near.example")).answer, [
    "other.near.example. 300 CNAME www.other.example.",
    "www.other.example. 300 A 192.0.2.3",
  ]);
  const loop = await ask(mcns, "loop.near.example");
  assert.deepEqual([loop.code, loop.answer.length], [0, 2]);

  const cut = await ask(mcns, "big.near.example", { type: "TXT" });
  assert.ok(cut.flags.includes("tc"), cut.flags.join());
  using tcp = await StreamClient.connect({ host: "127.0.0.1", port: mcns.port });
  const query = encodeQuery({ id: 1, name: nameOf("big.near.example"), type: TYPE.TXT });
  assert.equal(readAnswer(await tcp.ask(query)).answer.length, 61);

  // What is signed here is with its signature, and what is not goes without.
  const signed = await ask(mcns, "web.near.example", { isDnssecOk: true });
  assert.deepEqual(signed.answer.map((line) => line.split(" ")[2]).sort(), ["A", "CNAME", "RRSIG"]);
  const message = parseMessage(signed.octets);
  assert(message.ok);
  assert.equal(message.value.additionals.filter(({ type }) => type === TYPE.OPT).length, 1);
  const explained = mcns.mcns.control.explain({ name: "web.near.example", type: "A" });
  assert.equal(explained.outside, "www.far.example.");
  assert.match(explained.steps.join(), /is looked up for who may have names looked up/);
});

Deno.test("an alias whose target nobody answers for fails, and ways over many zones end", async () => {
  // It refuses whatever it is asked.
  await using upstream = await McnsPlane.start({ config: "" });
  await using mcns = await McnsPlane.start({
    config: `upstreams = ["127.0.0.1:${upstream.port}"]\n`,
  });
  await add(mcns, "near.example", NEAR);
  const web = await ask(mcns, "web.near.example");
  assert.deepEqual([web.code, web.answer.length], [2, 1]);
  for (let i = 0; i < 12; i++) {
    await add(mcns, `z${i}.example`, `a CNAME a.z${i + 1}.example.\n`);
  }
  const far = await ask(mcns, "a.z0.example");
  assert.deepEqual([far.code, far.answer.length], [0, 9]);
});

Deno.test("a question about an alias that comes back from its upstream is known for our own", async () => {
  const relay = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
  const { port } = relay.addr as Deno.NetAddr;
  await using mcns = await McnsPlane.start({ config: `upstreams = ["127.0.0.1:${port}"]\n` });
  await add(mcns, "near.example", NEAR);
  // What it is asked it asks whoever asks, as it came.
  const relaying = (async () => {
    for await (const [octets, from] of relay) {
      using client = new UdpClient({ host: "127.0.0.1", port: mcns.port });
      await relay.send(await client.ask(octets.slice()), from);
    }
  })();
  const web = await ask(mcns, "web.near.example");
  assert.deepEqual([web.code, web.answer.length], [2, 1]);
  const [own] = await mcns.mcns.serverStatus();
  const { loops = 0, misses } = own?.status.forward?.counts ?? {};
  assert.ok(loops > 0, `${loops} loops`);
  assert.equal(misses, 1);
  relay.close();
  await relaying;
});
