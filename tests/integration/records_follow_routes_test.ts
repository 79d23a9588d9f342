import assert from "node:assert/strict";
import { join } from "node:path";
import { callDnsRest, type DnsRestOptions } from "../../lib/dns_rest/mod.ts";
import { type AdminFixture, startAdmin } from "../support/admin.ts";
import { createServerIdentity } from "../support/certificates.ts";
import { eventually } from "../support/deadline.ts";
import { type DnsGate, startDnsGate } from "../support/dns_gate.ts";
import { ADMIN_TOKEN, type McnsAdmin, startMcnsAdmin } from "../support/mcns_admin.ts";
import { temporaryFolder } from "../support/temporary_folder.ts";

const PUBLISH = 'publish = { addresses = ["203.0.113.7", "2001:DB8::7"], ttl = "1m" }';
const SERVICE = 'alpn="h2,http/1.1"';

interface NameServer extends AsyncDisposable {
  readonly mcns: McnsAdmin;
  readonly gate: DnsGate;
  readonly server: DnsRestOptions;
}

/** A name server with a zone, behind a gate. */
async function startNameServer(): Promise<NameServer> {
  const mcns = await startMcnsAdmin();
  const server = `https://localhost:${mcns.ports.rest}`;
  const gate = await startDnsGate({ server, caPem: mcns.ca });
  const options = { server, caPem: mcns.ca, token: ADMIN_TOKEN };
  const zone = { name: "a.example", "name_servers": ["ns"] };
  await callDnsRest(options, { method: "POST", path: "/v1/zones", body: zone });
  return {
    ...{ mcns, gate, server: options },
    async [Symbol.asyncDispose]() {
      await gate[Symbol.asyncDispose]();
      await mcns[Symbol.asyncDispose]();
    },
  };
}

/** The control plane beside it, in a folder that stays. */
async function startProxy(
  { gate }: NameServer,
  { folder, publish = PUBLISH, zones = ["a.example"] }: {
    readonly folder: string;
    readonly publish?: string;
    readonly zones?: readonly string[];
  },
): Promise<AdminFixture> {
  await writeFiles(folder, gate);
  const config = `[mcns]
server = "${gate.url}"
dns = "127.0.0.1:53"
ca_cert = "${join(folder, "gate.pem")}"
token_file = "${join(folder, "token")}"
zones = ${JSON.stringify(zones)}
${publish}
`;
  const fixture = await startAdmin({ folder, config });
  fixture.control.nameServer.start();
  return fixture;
}

async function writeFiles(folder: string, gate: DnsGate): Promise<void> {
  const { certPem, keyPem } = await createServerIdentity("www.a.example");
  await Deno.writeTextFile(join(folder, "cert.pem"), certPem);
  await Deno.writeTextFile(join(folder, "key.pem"), keyPem);
  await Deno.writeTextFile(join(folder, "gate.pem"), gate.ca);
  await Deno.writeTextFile(join(folder, "token"), ADMIN_TOKEN);
}

const l4 = (hostname: string) => ({ hostname, backend: "192.0.2.1:443" });
const l7 = ({ folder }: AdminFixture, hostname: string) => ({
  ...{ hostname, backend: "192.0.2.1:80", mode: "l7" },
  ...{ tlsCert: join(folder, "cert.pem"), tlsKey: join(folder, "key.pem") },
});

/** What the zone has beside what it began with. */
async function records({ server }: NameServer): Promise<string[]> {
  const path = "/v1/zones/a.example/records?limit=100";
  const { json } = await callDnsRest(server, { method: "GET", path });
  return (json.records as { name: string; type: string; ttl: number; value: string }[])
    .filter(({ type }) => type !== "SOA" && type !== "NS")
    .map(({ name, type, ttl, value }) => {
      return `${name.replace(/\.?a\.example\.$/, "") || "@"} ${ttl} ${type} ${value}`;
    }).toSorted();
}

async function write(
  { server }: NameServer,
  body: { readonly name: string; readonly type: string; readonly value: string },
): Promise<void> {
  await callDnsRest(server, { method: "POST", path: "/v1/zones/a.example/records", body });
}

async function removeByHand(
  { server }: NameServer,
  label: string,
  types: readonly string[],
): Promise<void> {
  const id = `by-hand-${types.join("-")}`;
  const name = `${label}.a.example.`;
  const sets = types.map((type) => ({ zone: "a.example", name, type, values: [] }));
  const body = { id, coordinator: "hand", sets };
  await callDnsRest(server, { method: "POST", path: "/v1/changes", body });
  await callDnsRest(server, { method: "POST", path: `/v1/changes/${id}/commit` });
}

/** Until the zone has these records and no others. */
async function has(nameServer: NameServer, ...wanted: readonly string[]): Promise<void> {
  let found: readonly string[] = [];
  const same = async () => {
    found = await records(nameServer);
    return JSON.stringify(found) === JSON.stringify([...wanted].toSorted());
  };
  await eventually(same, "the records").catch(() => assert.deepEqual(found, wanted.toSorted()));
}

const addresses = (name: string) => [`${name} 60 A 203.0.113.7`, `${name} 60 AAAA 2001:db8::7`];

Deno.test("records come, change and go with routes, whoever changes them", async () => {
  await using nameServer = await startNameServer();
  using folder = temporaryFolder();
  await using proxy = await startProxy(nameServer, { folder: folder.path });
  const { client, addr: listenerAddr, port } = proxy;
  const service = (name: string) => `${name} 60 HTTPS 1 . ${SERVICE} port=${port}`;
  await client.addRoute({ listenerAddr, ...l4("one.a.example") });
  await client.addRoute({ listenerAddr, ...l4("*.a.example") });
  await client.addRoute({ listenerAddr, ...l4("one.b.example") });
  await has(nameServer, ...addresses("one"));
  const route = l7(proxy, "one.a.example");
  await client.updateRoute({ listenerAddr, route });
  await has(nameServer, ...addresses("one"), service("one"));
  await client.updateRoute({ listenerAddr, route: l4("one.a.example") });
  await has(nameServer, ...addresses("one"));
  // A whole state: one route goes, two come.
  const routes = [l7(proxy, "two.a.example"), l4("a.example")].map((route) => ({ route }));
  const state = { listeners: { listeners: [{ listener: { addr: listenerAddr }, routes }] } };
  await client.apply({ state });
  await has(nameServer, ...addresses("two"), ...addresses("@"), service("two"));
  await client.removeRoute({ listenerAddr, hostname: "a.example" });
  await has(nameServer, ...addresses("two"), service("two"));
  // Records that are applied with a state, at once: neither is in the other's way.
  const set = { name: "www.a.example", type: "TXT", ttl: 60, values: ["x"] };
  const { gate, mcns } = nameServer;
  const held = Promise.withResolvers<void>();
  gate.watch = (call) => call === "commit" ? held.promise : undefined;
  await client.addRoute({ listenerAddr, ...l4("three.a.example") });
  await eventually(() => mcns.control.prepared.list().length === 1, "ours is decided");
  const applying = client.apply({ state: { records: [set] } });
  applying.catch(() => {}); // Looked at below.
  // Time enough to be refused.
  for (let i = 0; i < 50; i++) await client.getStatus({});
  held.resolve();
  await applying;
  const rest = ['www 60 TXT "x"', ...addresses("three"), ...addresses("two"), service("two")];
  await has(nameServer, ...rest);
  await proxy.control.nameServer.published?.follow();
  assert.deepEqual(proxy.control.nameServer.published?.warnings, []);
  assert.deepEqual(proxy.control.nameServer.changes?.waiting(), []);
});

Deno.test("what was made by hand is left alone and said, until it goes", async () => {
  await using nameServer = await startNameServer();
  using folder = temporaryFolder();
  await write(nameServer, { name: "own", type: "A", value: "198.51.100.1" });
  await write(nameServer, { name: "alias", type: "CNAME", value: "elsewhere.example." });
  await write(nameServer, { name: "same", type: "A", value: "203.0.113.7" });
  const byHand = await records(nameServer);
  const zones = ["a.example", "nowhere.example"];
  await using proxy = await startProxy(nameServer, { folder: folder.path, zones });
  const { client, addr: listenerAddr, control: { nameServer: { published } } } = proxy;
  const names = ["own", "alias", "same", "good"].map((name) => `${name}.a.example`);
  for (const hostname of [...names, "www.nowhere.example"]) {
    await client.addRoute({ listenerAddr, ...l4(hostname) });
  }
  const same = "same 60 AAAA 2001:db8::7";
  await has(nameServer, ...byHand, same, ...addresses("good"));
  await published?.follow();
  const words = [...published?.warnings ?? []].toSorted();
  assert.equal(words.length, 3, words.join("\n"));
  assert.match(words[0] ?? "", /^alias\.a\.example\.: .* refuses: .*/);
  assert.match(words[1] ?? "", /^own\.a\.example\. A was made by hand and is left alone/);
  assert.match(words[2] ?? "", /^www\.nowhere\.example\.: .* refuses: /);
  const said = proxy.logs.filter(({ message }) => message === "records of a route are not made");
  assert.equal(said.length, 3, "each once");

  // One of ours that somebody changes is theirs.
  const path = "/v1/zones/a.example/records?name=good&type=A";
  const { json } = await callDnsRest(nameServer.server, { method: "GET", path });
  const [{ id } = { id: 0 }] = json.records as { id: number }[];
  await callDnsRest(nameServer.server, {
    ...{ method: "PUT", path: `/v1/zones/a.example/records/${id}` },
    body: { name: "good", type: "A", ttl: 60, value: "198.51.100.2" },
  });
  for (const hostname of names) await client.removeRoute({ listenerAddr, hostname });
  await has(nameServer, ...byHand, "good 60 A 198.51.100.2");
  await client.removeRoute({ listenerAddr, hostname: "www.nowhere.example" });
  await published?.follow();
  assert.deepEqual(proxy.database.published.list(), [], "what is theirs is forgotten");
  assert.deepEqual(published?.warnings, []);

  // What was in the way goes: ours comes.
  await client.addRoute({ listenerAddr, ...l4("own.a.example") });
  await published?.follow();
  assert.equal(published?.warnings.length, 1);
  await removeByHand(nameServer, "own", ["A"]);
  await published?.follow();
  assert.deepEqual(published?.warnings, []);
  const rest = byHand.filter((it) => !it.startsWith("own "));
  await has(nameServer, ...rest, "good 60 A 198.51.100.2", ...addresses("own"));

  // All of ours goes by hand, and then the route: there is nothing to do, and nothing is ours.
  await removeByHand(nameServer, "own", ["A", "AAAA"]);
  await client.removeRoute({ listenerAddr, hostname: "own.a.example" });
  await published?.follow();
  assert.deepEqual(proxy.database.published.list(), []);

  // A hand that comes between our look and our change.
  const { gate, mcns } = nameServer;
  let calls = 0;
  gate.watch = async (call, when) => {
    if (call !== "prepare" || when !== "before" || ++calls !== 2) return;
    await write(nameServer, { name: "late", type: "A", value: "198.51.100.3" });
  };
  await client.addRoute({ listenerAddr, ...l4("late.a.example") });
  const late = () => published?.warnings.join().startsWith("late.a.example. A was made by hand");
  await eventually(() => late() === true, "the hand was seen");
  assert.deepEqual(mcns.control.prepared.list(), []);
  assert.ok((await records(nameServer)).includes("late 3600 A 198.51.100.3"));
});

Deno.test("a name server that is away keeps no route waiting, and is told when it is back", async () => {
  await using nameServer = await startNameServer();
  using folder = temporaryFolder();
  const { gate } = nameServer;
  await using proxy = await startProxy(nameServer, { folder: folder.path });
  proxy.expectedErrors.push("the name server could not be told");
  const { client, addr: listenerAddr, control: { nameServer: { published, changes: dns } } } =
    proxy;
  // It does not answer at first, and then it is cut off.
  const hung = Promise.withResolvers<"cut">();
  gate.watch = () => hung.promise;
  await client.addRoute({ listenerAddr, ...l4("one.a.example") });
  await client.addRoute({ listenerAddr, ...l4("two.a.example") });
  await client.removeRoute({ listenerAddr, hostname: "one.a.example" });
  hung.resolve("cut");
  await published?.follow();
  assert.match(published?.warnings.join() ?? "", /^records of routes wait for the name server: .*/);
  gate.watch = () => {};
  // Without anybody's doing.
  await has(nameServer, ...addresses("two"));
  await published?.follow();
  assert.deepEqual(published?.warnings, []);
  // Cut at each message of a change, before it and after.
  const cuts = (["prepare", "commit"] as const).flatMap((call) =>
    (["before", "after"] as const).map((when) => [call, when] as const)
  );
  for (const [i, cut] of cuts.entries()) {
    gate.watch = (...at) => at[0] === cut[0] && at[1] === cut[1] ? "cut" : undefined;
    await client.addRoute({ listenerAddr, ...l4(`n${i}.a.example`) });
    await published?.follow();
    gate.watch = () => {};
    await dns?.settle();
    await published?.follow();
    assert.deepEqual([dns?.waiting(), nameServer.mcns.control.prepared.list()], [[], []], `${cut}`);
  }
  await has(nameServer, ...addresses("two"), ...cuts.flatMap((_, i) => addresses(`n${i}`)));
});

Deno.test("a start finds what has changed meanwhile; without the option all of ours goes", async () => {
  await using nameServer = await startNameServer();
  using folder = temporaryFolder();
  const { gate } = nameServer;
  const options = { folder: folder.path };
  await write(nameServer, { name: "hand", type: "A", value: "198.51.100.1" });
  const [byHand = ""] = await records(nameServer);
  {
    await using proxy = await startProxy(nameServer, options);
    proxy.expectedErrors.push("the name server could not be told");
    const { client, addr: listenerAddr } = proxy;
    await client.addRoute({ listenerAddr, ...l4("one.a.example") });
    await has(nameServer, byHand, ...addresses("one"));
    // It ends with a route that nobody has been told of, and one that is decided alone.
    gate.watch = (call) => call === "commit" ? "cut" : undefined;
    await client.addRoute({ listenerAddr, ...l4("two.a.example") });
    await proxy.control.nameServer.published?.follow();
    gate.watch = () => "cut";
    await client.addRoute({ listenerAddr, ...l4("three.a.example") });
    await client.removeRoute({ listenerAddr, hostname: "one.a.example" });
  }
  gate.watch = () => {};
  {
    await using _proxy = await startProxy(nameServer, options);
    await has(nameServer, byHand, ...addresses("two"), ...addresses("three"));
  }
  {
    const publish = 'publish.addresses = ["203.0.113.8"]';
    await using _proxy = await startProxy(nameServer, { ...options, publish });
    await has(nameServer, byHand, "two 300 A 203.0.113.8", "three 300 A 203.0.113.8");
  }
  {
    // Nobody can be told any more.
    await using proxy = await startAdmin(options);
    const words = "2 sets of records stay at the name server, made of routes: [mcns] is gone";
    assert.deepEqual(proxy.control.nameServer.warnings, [words]);
  }
  await using proxy = await startProxy(nameServer, { ...options, publish: "" });
  await has(nameServer, byHand);
  await eventually(() => proxy.database.published.list().length === 0, "nothing is ours");
  assert.deepEqual(proxy.control.nameServer.warnings, []);
});
