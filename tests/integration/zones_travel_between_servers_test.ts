import assert from "node:assert/strict";
import { octetString, parseMessage, TYPE } from "../../lib/dns/mod.ts";
import { askTcp } from "../../lib/dns_client/mod.ts";
import { fetchSerial, fetchZone, Notifier, TransferError } from "../../lib/replication/mod.ts";
import { encodeTransferQuery, zoneRecords } from "../../lib/transfer/mod.ts";
import type { Zone } from "../../lib/zones/mod.ts";
import { runCommand, testWithCommands } from "../support/commands.ts";
import { eventually, withinDeadline } from "../support/deadline.ts";
import {
  type DnsPeer,
  knotConfig,
  namedConfig,
  nsdConfig,
  startDnsPeer,
} from "../support/dns_peers.ts";
import { nameOf } from "../support/dns_server.ts";
import { zoneOf } from "../support/zone_samples.ts";
import { keyNamed, TRANSFER_SECRET, zoneOfRecords, ZoneServer } from "../support/zone_server.ts";

const ORIGIN = "z.example.";
const NAME = nameOf(ORIGIN);
const KEY = keyNamed("xfr-key");
const SHA512 = keyNamed("key-512", "hmac-sha512");
const OPTIONS = { signal: new AbortController().signal, time: () => Math.floor(Date.now() / 1000) };
const TEXT = `@ SOA ns hostmaster 7 3600 600 86400 60
@ NS ns
ns A 192.0.2.53
www A 192.0.2.1
www AAAA 2001:db8::1
*.wild TXT "some text" "more"
sub NS ns.sub
ns.sub A 192.0.2.99
a.b.c.d MX 10 www
alias CNAME www
odd TYPE65280 \\# 3 010203
`;
const small = () => zoneOf(ORIGIN, TEXT);
/** More than fits into one message. */
const large = () =>
  zoneOf(
    ORIGIN,
    TEXT +
      Array.from({ length: 6000 }, (_, i) => `host${i} A 10.0.${i >> 8}.${i & 255}\n`).join(""),
  );
const record = (name: string, ip: readonly number[]) => ({
  ...{ name: octetString(nameOf(`${name}.${ORIGIN}`)), type: TYPE.A, ttl: 300 },
  data: String.fromCharCode(...ip),
});
const adding = (name: string) => ({
  ...{ removed: [], added: [record(name, [192, 0, 2, 77])], hasSerial: false },
});

/** A zone's records in one order. */
const wordsOf = (zone: Zone) => Array.from(zoneRecords(zone), (it) => JSON.stringify(it)).sort();

/** Lines of records that dig printed, in one form and order. */
function linesOf(printed: string): string[] {
  return printed.split("\n").filter((line) => line !== "" && !line.startsWith(";"))
    .map((line) => line.replaceAll(/\s+/g, " ").trim());
}

testWithCommands(
  ["dig", "kdig"],
  "dig and kdig take whole zones, signed and by their address",
  async () => {
    await using server = await ZoneServer.start(large(), { keys: [KEY, SHA512] });
    const at = ["@127.0.0.1", "-p", String(server.port), "z.example", "AXFR"];
    const expected = [...zoneRecords(server.zone)].length + 1;
    const one = await runCommand("dig", [...at, "-y", `hmac-sha256:xfr-key:${TRANSFER_SECRET}`]);
    assert.equal(linesOf(one.stdout).filter((line) => !line.includes("TSIG")).length, expected);
    assert.match(one.stdout, /messages [3-9], /); // More than one.
    const two = await runCommand("kdig", [...at, "-y", `hmac-sha512:key-512:${TRANSFER_SECRET}`]);
    assert.equal(
      linesOf(two.stdout).filter((line) => !line.includes("TSIG")).length,
      expected,
      two.stderr,
    );
    const none = await runCommand("dig", at);
    assert.match(none.stdout, /Transfer failed/);
    const wrong = await runCommand("dig", [...at, "-y", `hmac-sha256:other:${TRANSFER_SECRET}`]);
    assert.match(wrong.stdout + wrong.stderr, /BADKEY/);
    const other = btoa("x".repeat(32));
    const bad = await runCommand("dig", [...at, "-y", `hmac-sha256:xfr-key:${other}`]);
    assert.match(bad.stdout + bad.stderr, /BADSIG|NOTAUTH/);
    assert.equal(server.transfers.length, 2);
  },
);

testWithCommands(
  ["dig", "kdig"],
  "dig and kdig take what changed since a serial, or the zone where that is not known",
  async () => {
    await using server = await ZoneServer.start(small(), { addresses: ["127.0.0.0/8"] });
    server.change(adding("new1"));
    server.change({ ...adding("new2"), removed: [record("new1", [192, 0, 2, 77])] });
    const at = ["@127.0.0.1", "-p", String(server.port), "z.example"];
    for (const command of ["dig", "kdig"]) {
      const since = async (serial: number) =>
        linesOf((await runCommand(command, [...at, "+tcp", `IXFR=${serial}`])).stdout);
      const difference = await since(7);
      assert.equal(difference.filter((line) => line.includes(" SOA ")).length, 6, command);
      assert.equal(difference.filter((line) => line.includes("new1")).length, 2);
      assert.equal((await since(9)).length, 1);
      assert.equal((await since(10)).length, 1); // Newer than ours.
      assert.equal((await since(3)).length, [...zoneRecords(server.zone)].length + 1);
    }
  },
);

Deno.test("a question over UDP is answered with the SOA record alone if there is more to say", async () => {
  await using server = await ZoneServer.start(small(), { addresses: ["127.0.0.1"] });
  for (let i = 0; i < 20; i++) server.change(adding(`host${i}`));
  const ask = async (serial: number | undefined) => {
    const socket = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
    try {
      const query = encodeTransferQuery({ id: 1, zone: NAME, serial });
      await socket.send(query, { transport: "udp", hostname: "127.0.0.1", port: server.port });
      const [octets] = await withinDeadline(socket.receive(), "an answer");
      const message = parseMessage(octets);
      assert(message.ok);
      return message.value;
    } finally {
      socket.close();
    }
  };
  assert.equal((await ask(7)).answers.length, 1);
  assert.equal((await ask(26)).answers.length, 5); // SOA, SOA, SOA, A, SOA.
  assert.equal((await ask(undefined)).header.responseCode, 5); // No AXFR over UDP.
});

Deno.test("who is no secondary gets no zone, and is not told whether there is one", async () => {
  await using server = await ZoneServer.start(small(), { keys: [KEY] });
  const to = { hostname: "127.0.0.1", port: server.port };
  const code = async (zone: string) => {
    const name = nameOf(zone);
    const query = encodeTransferQuery({ id: 1, zone: name, serial: undefined });
    const question = { name, type: TYPE.AXFR, class: 1 };
    const answer = await askTcp({
      ...{ server: to, query, id: 1, question },
      signal: OPTIONS.signal,
    });
    return answer.message.header.responseCode;
  };
  assert.equal(await code("z.example"), 5);
  assert.equal(await code("other.example"), 9);
  assert.equal(server.transfers.length, 0);
});

Deno.test("a zone is fetched whole, by changes, or not at all, with and without a key", async () => {
  await using server = await ZoneServer.start(large(), { keys: [KEY] });
  const primary = { hostname: "127.0.0.1", port: server.port, key: KEY };
  const whole = await fetchZone(primary, { zone: NAME, serial: undefined }, OPTIONS);
  assert(whole.kind === "whole");
  const copy = zoneOfRecords(server.zone.origin, whole.records);
  assert.deepEqual(wordsOf(copy), wordsOf(server.zone));
  assert.equal(await fetchSerial(primary, NAME, OPTIONS), 7);
  assert.equal((await fetchZone(primary, { zone: NAME, serial: 7 }, OPTIONS)).kind, "current");
  server.change(adding("new1"));
  server.change(adding("new2"));
  const steps = await fetchZone(primary, { zone: NAME, serial: 7 }, OPTIONS);
  assert(steps.kind === "steps");
  assert.deepEqual(steps.steps, server.steps);
  // From a serial that it never had.
  assert.equal((await fetchZone(primary, { zone: NAME, serial: 3 }, OPTIONS)).kind, "whole");
  const { hostname, port } = primary;
  for (const [key, code] of [[undefined, "refused"], [SHA512, "refused"]] as const) {
    const fetching = fetchZone({ hostname, port, key }, { zone: NAME, serial: undefined }, OPTIONS);
    await assert.rejects(
      fetching,
      (error) => error instanceof TransferError && error.code === code,
    );
  }
});

Deno.test("a secondary with a key takes no zone that is not signed with it", async () => {
  await using server = await ZoneServer.start(small(), { addresses: ["127.0.0.1"] });
  // It does not know the key, and says so without a signature; a liar would not say so.
  const primary = { hostname: "127.0.0.1", port: server.port, key: KEY };
  const fetching = fetchZone(primary, { zone: NAME, serial: undefined }, OPTIONS);
  await assert.rejects(fetching, TransferError);
  await assert.rejects(fetchSerial(primary, NAME, OPTIONS), TransferError);
});

interface Peer {
  readonly secondary: (primaryPort: number) => Promise<DnsPeer>;
  readonly primary: () => Promise<DnsPeer>;
}

const SECRET = TRANSFER_SECRET;
const ZONE_FILE = `$ORIGIN ${ORIGIN}\n$TTL 300\n${TEXT}`;

const PEERS: Readonly<Record<string, Peer>> = {
  nsd: {
    secondary: (primaryPort) =>
      startNsd(
        `  request-xfr: 127.0.0.1@${primaryPort} xfr-key
  allow-notify: 127.0.0.1 NOKEY
`,
        {},
      ),
    primary: () =>
      startNsd("  zonefile: zone\n  provide-xfr: 127.0.0.1 xfr-key\n", { zone: ZONE_FILE }),
  },
  knotd: {
    secondary: (primaryPort) =>
      startKnot(
        `remote:
  - id: primary
    address: 127.0.0.1@${primaryPort}
    key: xfr-key
acl:
  - id: notify
    address: 127.0.0.1
    action: notify
`,
        "    master: primary\n    acl: notify\n",
        {},
      ),
    primary: () =>
      startKnot(
        `acl:
  - id: transfer
    key: xfr-key
    action: transfer
`,
        "    file: zone\n    acl: transfer\n",
        { zone: ZONE_FILE },
      ),
  },
  named: {
    secondary: (primaryPort) =>
      startNamed(
        `type secondary; file "copy"; masterfile-format text;
  primaries { 127.0.0.1 port ${primaryPort} key xfr-key; };`,
        {},
      ),
    primary: () =>
      startNamed(`type primary; file "zone"; allow-transfer { key xfr-key; };`, {
        zone: ZONE_FILE,
      }),
  },
};

function startNsd(zone: string, files: Record<string, string>): Promise<DnsPeer> {
  return startDnsPeer({
    ...{ command: "nsd", question: [ORIGIN, "SOA"] },
    args: ({ folder }) => ["-d", "-c", `${folder}/nsd.conf`],
    files: (place) => ({
      ...files,
      "nsd.conf": nsdConfig(
        place,
        `key:
  name: xfr-key
  algorithm: hmac-sha256
  secret: "${SECRET}"
zone:
  name: ${ORIGIN}
${zone}`,
      ),
    }),
  });
}

function startKnot(more: string, zone: string, files: Record<string, string>): Promise<DnsPeer> {
  return startDnsPeer({
    ...{ command: "knotd", question: [ORIGIN, "SOA"] },
    args: ({ folder }) => ["-c", `${folder}/knot.conf`],
    files: (place) => ({
      ...files,
      "knot.conf": knotConfig(
        place,
        `key:
  - id: xfr-key
    algorithm: hmac-sha256
    secret: ${SECRET}
${more}zone:
  - domain: ${ORIGIN}
    storage: ${place.folder}
${zone}`,
      ),
    }),
  });
}

function startNamed(zone: string, files: Record<string, string>): Promise<DnsPeer> {
  return startDnsPeer({
    ...{ command: "named", question: [ORIGIN, "SOA"] },
    args: ({ folder, port }) => ["-g", "-c", `${folder}/named.conf`, "-p", String(port)],
    files: (place) => ({
      ...files,
      "named.conf": namedConfig(
        place,
        `key xfr-key { algorithm hmac-sha256; secret "${SECRET}"; };
zone "z.example" { ${zone} };
`,
      ),
    }),
  });
}

for (const [command, peer] of Object.entries(PEERS)) {
  testWithCommands(
    [command, "dig"],
    `${command} follows our zone: whole first, then by changes when it is told`,
    async () => {
      await using server = await ZoneServer.start(small(), { keys: [KEY] });
      await using secondary = await peer.secondary(server.port);
      const short = async (name: string, type: string) =>
        (await secondary.dig("+short", `${name}.${ORIGIN}`, type)).trim();
      // One that reloads may have an old process for a moment more.
      const says = (name: string, type: string, text: string) =>
        eventually(async () => await short(name, type) === text, `${command} has ${name} ${type}`);
      await says("www", "AAAA", "2001:db8::1");
      await says("x.wild", "TXT", '"some text" "more"');
      assert.equal(server.transfers.length, 1);
      server.change(adding("new1"));
      using notifier = new Notifier({ settleMs: 1 });
      notifier.notify(NAME, [{ hostname: "127.0.0.1", port: secondary.port }]);
      await says("new1", "A", "192.0.2.77");
      await eventually(() => notifier.size === 0, "the news is heard");
      assert.equal(server.transfers.length, 2, secondary.output());
    },
  );

  testWithCommands(
    [command, "dig"],
    `we take the zone of ${command}, and the same when nothing has changed`,
    async () => {
      await using primary = await peer.primary();
      const at = { hostname: "127.0.0.1", port: primary.port, key: KEY };
      const whole = await fetchZone(at, { zone: NAME, serial: undefined }, OPTIONS);
      assert(whole.kind === "whole");
      const copy = zoneOfRecords(octetString(NAME), whole.records);
      assert.deepEqual(wordsOf(copy), wordsOf(small()));
      assert.equal(await fetchSerial(at, NAME, OPTIONS), 7);
      assert.equal((await fetchZone(at, { zone: NAME, serial: 7 }, OPTIONS)).kind, "current");
      assert.equal((await fetchZone(at, { zone: NAME, serial: 6 }, OPTIONS)).kind, "whole");
      const other = { ...at, key: keyNamed("other-key") };
      await assert.rejects(
        fetchZone(other, { zone: NAME, serial: undefined }, OPTIONS),
        TransferError,
      );
    },
  );
}
