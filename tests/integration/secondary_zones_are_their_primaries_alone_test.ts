import assert from "node:assert/strict";
import { join } from "node:path";
import { encodeNotify } from "../../lib/transfer/mod.ts";
import { signMessage } from "../../lib/tsig/mod.ts";
import { RefusedError } from "../../lib/queue/mod.ts";
import { fetchZone } from "../../lib/replication/mod.ts";
import { concat, u16 } from "../../lib/wire/mod.ts";
import { eventually } from "../support/deadline.ts";
import { nameOf } from "../support/dns_server.ts";
import { McnsPlane } from "../support/mcns_plane.ts";
import { unusedPort } from "../support/ports.ts";
import { UdpClient } from "../support/served_zones.ts";
import { APEX, zoneOf } from "../support/zone_samples.ts";
import { keyNamed, TRANSFER_SECRET, ZoneServer } from "../support/zone_server.ts";

const ZONE = nameOf("z.example");
const KEY = keyNamed("xfr-key");
const FILE = new TextEncoder().encode(`$TTL 300\n${APEX}www A 192.0.2.1\n`);
const BY_HAND = { actor: "test", action: "Test" };
const OPTIONS = { signal: new AbortController().signal, time: () => Math.floor(Date.now() / 1000) };
const SERVER_FAILURE = 2;
const REFUSED = 5;
const NOT_AUTHORITATIVE = 9;

function keys(folder: string): string {
  Deno.writeTextFileSync(join(folder, "secret"), `${TRANSFER_SECRET}\n`);
  return `[[dns.keys]]\nname = "xfr-key"\nsecret_file = "${join(folder, "secret")}"\n`;
}

const follows = (primaries: readonly number[], more = "") => (folder: string) =>
  `${keys(folder)}[[dns.secondary]]
zone = "z.example"
primaries = [${primaries.map((port) => `"127.0.0.1:${port}"`).join(", ")}]
key = "xfr-key"
${more}`;

const givesTo = (port: number) =>
  `[[dns.zones]]\nzone = "z.example"\ntransfer_keys = ["xfr-key"]\nnotify = ["127.0.0.1:${port}"]\nnotify_key = "xfr-key"\n`;

Deno.test("a change goes from mcns to mcns, and from there to the next one", async () => {
  const [second, third] = [await unusedPort(), await unusedPort()];
  await using first = await McnsPlane.start({
    config: (folder) => keys(folder) + givesTo(second),
  });
  const { control } = first.mcns;
  await control.zones.import(ZONE, FILE, BY_HAND);
  await using middle = await McnsPlane.start({
    config: follows([first.port], givesTo(third)),
    port: second,
  });
  await middle.says("www.z.example", "A", "192.0.2.1");
  await using last = await McnsPlane.start({ config: follows([second]), port: third });
  await last.says("www.z.example", "A", "192.0.2.1");
  const record = { name: "new", type: "A", value: "192.0.2.77" };
  await control.records.add(ZONE, record, BY_HAND);
  await last.says("new.z.example", "A", "192.0.2.77");
  for (const { mcns, database } of [middle, last]) {
    await eventually(() => mcns.followed.counts.transfers.steps === 1, "by its changes");
    assert.equal(mcns.followed.counts.notifies.refused, 0);
    assert.equal(mcns.control.zone(ZONE).serial, 8);
    const [entry] = database.audit.list({ limit: 1 });
    assert.match(entry?.actor ?? "", /^primary 127\.0\.0\.1:/);
    assert.equal(entry?.action, "Transfer");
  }
  assert.equal(middle.mcns.control.zone(ZONE).secondary?.primary, `127.0.0.1:${first.port}`);
});

Deno.test("a secondary zone takes no change from here, and says where it is changed", async () => {
  await using primary = await ZoneServer.start(zoneOf("z.example.", APEX), { keys: [KEY] });
  await using mcns = await McnsPlane.start({ config: follows([primary.port]) });
  const { control } = mcns.mcns;
  await mcns.says("ns.z.example", "A", "192.0.2.53");
  const record = { name: "own", type: "A", value: "192.0.2.9" };
  const changes: Record<string, () => Promise<unknown>> = {
    add: () => control.records.add(ZONE, record, BY_HAND),
    replace: () => control.records.replace(ZONE, 1, record, BY_HAND),
    remove: () => control.records.remove(ZONE, 1, BY_HAND),
    replaceSet: () =>
      control.records.replaceSet(ZONE, { name: "own", type: "A" }, { values: [] }, BY_HAND),
    removeSet: () => control.records.removeSet(ZONE, { name: "ns", type: "A" }, BY_HAND),
    create: () => control.zones.create(ZONE, { nameServers: ["ns"] }, BY_HAND),
    import: () => control.zones.import(ZONE, FILE, BY_HAND),
    removeZone: () => control.zones.remove(ZONE, BY_HAND),
  };
  for (const [name, change] of Object.entries(changes)) {
    await assert.rejects(change(), (error) => {
      return error instanceof RefusedError && error.code === "failed_precondition" &&
        error.message.includes(`127.0.0.1:${primary.port}`);
    }, name);
  }
  // RFC 2136: an update of the zone, unsigned.
  const update = concat(u16(1), u16(0x2800), u16(1), u16(0), u16(0), u16(0), ZONE, u16(6), u16(1));
  using client = new UdpClient({ host: "127.0.0.1", port: mcns.port });
  assert.equal((await client.ask(update))[3], REFUSED);
  const { secondary, records, serial } = control.zone(ZONE);
  assert.deepEqual([records, serial, secondary?.failures, secondary?.lastError], [3, 7, 0, ""]);
  assert.equal((secondary?.expiresAt ?? 0) - (secondary?.refreshedAt ?? 0), 86_400_000);
});

Deno.test("a zone that has never come answers SERVFAIL, is no primary's, and comes when it can", async () => {
  const port = await unusedPort();
  await using mcns = await McnsPlane.start({ config: follows([port]) });
  assert.equal((await mcns.ask("www.z.example", "A")).code, SERVER_FAILURE);
  assert.equal((await mcns.ask("www.other.example", "A")).code, REFUSED);
  const { control } = mcns.mcns;
  assert.deepEqual(control.listZones().map(({ name, problem }) => [name, problem]), [
    ["z.example.", "it has not come from its primary yet"],
  ]);
  await assert.rejects(
    control.zones.create(ZONE, { nameServers: ["ns"] }, BY_HAND),
    /is changed at its primary/,
  );
  await assert.rejects(control.secondaries.refresh(ZONE, { isWhole: false }), /no primary has it/);
  await using _primary = await ZoneServer.start(zoneOf("z.example.", APEX), { keys: [KEY], port });
  await control.secondaries.refresh(ZONE, { isWhole: false });
  assert.equal((await mcns.ask("ns.z.example", "A")).code, 0);
});

Deno.test("a zone is kept over a restart, expires after it, comes back, and becomes our own", async () => {
  const zone = zoneOf("z.example.", APEX);
  const primary = await ZoneServer.start(zone, { keys: [KEY] });
  const { port } = primary;
  using folder = await (async () => {
    await using mcns = await McnsPlane.start({ config: follows([port]) });
    await mcns.says("ns.z.example", "A", "192.0.2.53");
    const kept = Deno.makeTempDirSync();
    await mcns.database.snapshot(join(kept, "mcns.db"));
    return { path: kept, [Symbol.dispose]: () => Deno.removeSync(kept, { recursive: true }) };
  })();
  await primary[Symbol.asyncDispose]();
  const config = follows([port], givesTo(port));
  {
    await using mcns = await McnsPlane.start({ config, folder: folder.path });
    // Nobody to be asked, and all that is needed is here.
    assert.equal((await mcns.ask("ns.z.example", "A")).code, 0);
    const row = mcns.database.zones.find(ZONE);
    assert(row !== undefined);
    const refreshedAt = Date.now() - 86_400_000;
    mcns.database.transaction(() =>
      mcns.database.secondaries.set(row.id, { primary: "x", refreshedAt })
    );
    mcns.database.safekeeping?.acknowledge();
  }
  {
    await using mcns = await McnsPlane.start({ config, folder: folder.path });
    assert.equal((await mcns.ask("ns.z.example", "A")).code, SERVER_FAILURE);
    assert.equal((await mcns.ask("z.example", "SOA")).code, SERVER_FAILURE);
    assert.match(mcns.mcns.problems.join(), /the zone z\.example\. has expired/);
    const { control } = mcns.mcns;
    assert.equal(control.zone(ZONE).secondary?.isExpired, true);
    assert.equal(control.explain({ name: "ns.z.example", type: "A" }).verdict, "expired");
    // What nobody vouches for is not passed on.
    const own = { hostname: "127.0.0.1", port: mcns.port, key: KEY };
    await assert.rejects(fetchZone(own, { zone: ZONE, serial: undefined }, OPTIONS), /code 2/);
    await using _back = await ZoneServer.start(zone, { keys: [KEY], port });
    await control.secondaries.refresh(ZONE, { isWhole: false });
    await mcns.says("ns.z.example", "A", "192.0.2.53");
    assert.deepEqual(mcns.mcns.problems, []);
  }
  // Whoever takes it out of the configuration has it from then on.
  await using own = await McnsPlane.start({ config: keys, folder: folder.path });
  assert.equal((await own.ask("ns.z.example", "A")).code, 0);
  assert.equal(own.mcns.control.zone(ZONE).secondary, undefined);
  const record = { name: "own", type: "A", value: "192.0.2.9" };
  assert.equal((await own.mcns.control.records.add(ZONE, record, BY_HAND)).serial, 8);
});

Deno.test("a zone of our own is not overwritten by a primary", async () => {
  await using primary = await ZoneServer.start(zoneOf("z.example.", APEX), { keys: [KEY] });
  using folder = (() => {
    const path = Deno.makeTempDirSync();
    return { path, [Symbol.dispose]: () => Deno.removeSync(path, { recursive: true }) };
  })();
  {
    await using own = await McnsPlane.start({ config: "", folder: folder.path });
    await own.mcns.control.zones.import(ZONE, FILE, BY_HAND);
  }
  await using mcns = await McnsPlane.start({
    config: follows([primary.port]),
    folder: folder.path,
  });
  assert.match(mcns.mcns.problems.join(), /managed here: remove it/);
  assert.equal((await mcns.ask("www.z.example", "A")).code, 0);
  assert.deepEqual([primary.transfers.length, mcns.mcns.followed.origins.length], [0, 0]);
});

Deno.test("news is believed from a primary that signs it, and from nobody else", async () => {
  await using primary = await ZoneServer.start(zoneOf("z.example.", APEX), { keys: [KEY] });
  const more = 'allow_notify = ["127.0.0.2"]\n';
  await using mcns = await McnsPlane.start({ config: follows([primary.port], more) });
  await mcns.says("ns.z.example", "A", "192.0.2.53");
  const time = () => Math.floor(Date.now() / 1000);
  const other = keyNamed("other-key");
  const to = { host: "127.0.0.1", port: mcns.port };
  const told = async (zone: string, key: typeof KEY | undefined, from: string) => {
    const plain = encodeNotify(77, nameOf(zone));
    const octets = key === undefined
      ? plain
      : (await signMessage(plain, { key, time: time() })).octets;
    using client = new UdpClient(to, { from });
    const answer = await client.ask(octets);
    assert.deepEqual([answer[0], answer[1], (answer[2] as number) >> 3], [0, 77, 0x14]);
    return (answer[3] as number) & 15;
  };
  const { counts } = mcns.mcns.followed;
  assert.equal(await told("z.example", undefined, "127.0.0.1"), REFUSED);
  assert.equal(await told("z.example", other, "127.0.0.1"), NOT_AUTHORITATIVE);
  assert.equal(await told("z.example", KEY, "127.0.0.3"), REFUSED);
  assert.equal(await told("other.example", KEY, "127.0.0.1"), NOT_AUTHORITATIVE);
  assert.deepEqual(counts.notifies, { believed: 0, refused: 4 });
  assert.equal(await told("z.example", KEY, "127.0.0.1"), 0);
  assert.equal(await told("Z.Example", KEY, "127.0.0.2"), 0);
  assert.deepEqual(counts.notifies, { believed: 2, refused: 4 });
});
