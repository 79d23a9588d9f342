import assert from "node:assert/strict";
import {
  encodeQuery,
  octetsOf,
  octetString,
  parseMessage,
  rdataToText,
  TYPE,
} from "../../lib/dns/mod.ts";
import { fetchSerial, fetchZone, TransferError } from "../../lib/replication/mod.ts";
import { createZoneKey, importZoneKey } from "../../lib/dnssec/mod.ts";
import { type ServicesSettings, ZoneServices } from "../../lib/dns_server/mod.ts";
import { encodeTransferQuery, zoneRecords } from "../../lib/transfer/mod.ts";
import { signMessage } from "../../lib/tsig/mod.ts";
import { ZoneTable } from "../../lib/zones/mod.ts";
import { runCommand, testWithCommands } from "../support/commands.ts";
import { nameOf } from "../support/dns_server.ts";
import { clientAt } from "../support/forwarding.ts";
import { frame, serveZones, StreamClient, UdpClient } from "../support/served_zones.ts";
import { APEX, queryFor, readAnswer, zoneOf } from "../support/zone_samples.ts";
import { keyNamed, TRANSFER_SECRET, zoneOfRecords } from "../support/zone_server.ts";

const NAME = nameOf("z.example");
const ORIGIN = octetString(NAME);
const KEY = keyNamed("xfr-key");
const OPTIONS = { signal: new AbortController().signal, time: () => Math.floor(Date.now() / 1000) };
const STORED = await createZoneKey("active");
const SERVICES: ServicesSettings = {
  keys: [
    { name: "Xfr-Key", algorithm: "hmac-sha256", secret: TRANSFER_SECRET },
    { name: "other-key", algorithm: "hmac-sha512", secret: TRANSFER_SECRET },
  ],
  zones: [{
    ...{ origin: ORIGIN, transferAddresses: [], transferKeys: ["xfr-key"] },
    zoneKeys: [STORED],
  }],
};
const large = () =>
  zoneOf(
    "z.example.",
    APEX +
      Array.from({ length: 9000 }, (_, i) => `host${i} A 10.0.${i >> 8}.${i & 255}\n`).join(""),
  );
const wordsOf = (zone: ReturnType<typeof large>) =>
  Array.from(zoneRecords(zone), (it) => JSON.stringify(it)).sort();

testWithCommands(
  ["dig", "kdig", "delv"],
  "dig, kdig and delv are given zones, signatures of messages and of records",
  async () => {
    const zone = zoneOf("z.example.", `${APEX}www A 192.0.2.1\n`);
    const other = zoneOf("y.example.", `${APEX}www A 192.0.2.2\n`);
    await using served = await serveZones([zone, other], { services: SERVICES });
    const at = ["@127.0.0.1", "-p", String(served.port)];
    const run = async (command: string, ...args: string[]) => {
      const { stdout, stderr } = await runCommand(command, [...at, ...args]);
      return stdout + stderr;
    };
    const sign = ["-y", `hmac-sha256:xfr-key:${TRANSFER_SECRET}`];
    for (const command of ["dig", "kdig"]) {
      const whole = await run(command, ...sign, "z.example", "AXFR");
      assert.match(whole, /www\.z\.example\.\s+300\s+IN\s+A\s+192\.0\.2\.1/);
      assert.doesNotMatch(whole, /DNSKEY|RRSIG/); // What is signed here is signed here alone.
      for (const protocol of ["+notcp", "+tcp"]) {
        const answer = await run(command, ...sign, protocol, "www.z.example", "A");
        assert.match(answer, /192\.0\.2\.1/);
        assert.match(answer, /TSIG/);
        assert.doesNotMatch(answer, /could not be validated|TSIG.*(failed|invalid)/i);
      }
    }
    assert.match(await run("dig", "z.example", "AXFR"), /Transfer failed/);
    assert.match(await run("dig", ...sign, "y.example", "AXFR"), /Transfer failed/);
    const wrong = ["-y", `hmac-sha512:other-key:${TRANSFER_SECRET}`];
    assert.match(await run("dig", ...wrong, "z.example", "AXFR"), /Transfer failed/);
    const unknown = ["-y", `hmac-sha256:unknown:${TRANSFER_SECRET}`];
    assert.match(await run("dig", ...unknown, "www.z.example", "A"), /BADKEY/);
    const key = await importZoneKey(STORED);
    assert(key.ok);
    const anchor = rdataToText(TYPE.DNSKEY, octetsOf(key.value.data)).split(" ");
    const file = await Deno.makeTempFile();
    try {
      const point = anchor.slice(3).join("");
      const words = `"z.example" static-key ${anchor.slice(0, 3).join(" ")} "${point}"`;
      await Deno.writeTextFile(file, `trust-anchors { ${words}; };`);
      for (const question of [["www.z.example", "A"], ["no.z.example", "A"]]) {
        const validated = await run("delv", "-a", file, "+root=z.example", ...question);
        assert.match(validated, /fully validated/);
      }
    } finally {
      await Deno.remove(file);
    }
    // A zone without keys stays as it is.
    const plain = await run("dig", "+dnssec", "www.y.example", "A");
    assert.match(plain, /192\.0\.2\.2/);
    assert.doesNotMatch(plain, /RRSIG/);
  },
);

Deno.test("a zone of 9,000 names is fetched whole, and its SOA record is asked for with the key", async () => {
  const zone = large();
  await using served = await serveZones([zone], { services: SERVICES });
  const primary = { hostname: "127.0.0.1", port: served.port, key: KEY };
  const whole = await fetchZone(primary, { zone: NAME, serial: undefined }, OPTIONS);
  assert(whole.kind === "whole");
  assert.deepEqual(wordsOf(zoneOfRecords(ORIGIN, whole.records)), wordsOf(zone));
  assert.equal(await fetchSerial(primary, NAME, OPTIONS), 7);
  const stranger = { ...primary, key: keyNamed("stranger") };
  const fetching = fetchZone(stranger, { zone: NAME, serial: undefined }, OPTIONS);
  await assert.rejects(fetching, TransferError);
});

Deno.test("zones are sent to 16 at one time, and who leaves gives his place back", async () => {
  const services = await ZoneServices.create(SERVICES, { now: OPTIONS.time });
  const zones = new ZoneTable([large()]);
  const query = encodeTransferQuery({ id: 9, zone: NAME, serial: undefined });
  const { octets } = await signMessage(query, { key: KEY, time: OPTIONS.time() });
  const begin = async () => {
    const { address } = clientAt("192.0.2.1");
    const reply = await services.transfer(octets, { address, transport: "tcp", zones });
    assert(reply !== undefined);
    if (reply === "busy") return undefined;
    const messages = reply.messages[Symbol.asyncIterator]();
    assert.equal((await messages.next()).done, false);
    return messages;
  };
  const all = [];
  for (let i = 0; i < 16; i++) all.push(await begin());
  assert.ok(all.every((messages) => messages !== undefined));
  assert.equal(await begin(), undefined);
  await all[3]?.return?.();
  assert.notEqual(await begin(), undefined);
  assert.equal(await begin(), undefined);
});

Deno.test("questions of one connection are answered beside the zone that it is sent", async () => {
  await using served = await serveZones([large()], { services: SERVICES });
  using client = await StreamClient.connect(served);
  const query = encodeTransferQuery({ id: 9, zone: NAME, serial: undefined });
  const { octets } = await signMessage(query, { key: KEY, time: OPTIONS.time() });
  await client.write(frame(octets));
  await client.write(frame(queryFor("host7.z.example A")));
  let records = 0;
  let answers = 0;
  while (records < 9004 || answers < 1) {
    const message = await client.receive();
    assert(typeof message !== "string", String(message));
    const parsed = parseMessage(message);
    assert(parsed.ok);
    if (parsed.value.header.id === 9) records += parsed.value.answers.length;
    else answers += parsed.value.answers.length;
  }
  assert.deepEqual([records, answers], [9004, 1]);
});

Deno.test("a message that looks signed and is not is answered as ever, and one that is no question is not", async () => {
  await using served = await serveZones([large()], { services: SERVICES });
  using client = new UdpClient(served);
  // The pattern of a signature, within an option of EDNS.
  const query = encodeQuery({
    id: 3,
    name: nameOf("host1.z.example"),
    type: 1,
    udpPayloadBytes: 1232,
  });
  const option = [0xff, 0xff, 0, 12, 0, 0, 250, 0, 255, 0, 0, 0, 0, 0, 0, 0];
  const other = Uint8Array.from([...query, ...option]);
  other[query.length - 1] = option.length;
  assert.equal(readAnswer(await client.ask(other)).code, 0);
  // AXFR over UDP: the zone is not for an address that anybody could have written.
  const whole = encodeTransferQuery({ id: 4, zone: NAME, serial: undefined });
  const { octets } = await signMessage(whole, { key: KEY, time: OPTIONS.time() });
  const refused = parseMessage(await client.ask(octets));
  assert(refused.ok);
  assert.equal(refused.value.header.responseCode, 5);
  assert.equal(refused.value.additionals.length, 1); // Signed, all the same.
  const answer = octets.with(2, 0x80);
  await client.send(answer);
  assert.equal(readAnswer(await client.ask(queryFor("host2.z.example A"))).answer.length, 1);
});
