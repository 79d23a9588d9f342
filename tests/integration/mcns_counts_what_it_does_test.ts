import assert from "node:assert/strict";
import { join } from "node:path";
import { monitorMcns } from "../../lib/cli/mcns_monitoring.ts";
import { createZoneKey, formatZoneKeys } from "../../lib/dnssec/mod.ts";
import { concat, u16 } from "../../lib/wire/mod.ts";
import { encodeTransferQuery } from "../../lib/transfer/mod.ts";
import { eventually } from "../support/deadline.ts";
import { nameOf } from "../support/dns_server.ts";
import { mcnsConfig, McnsPlane } from "../support/mcns_plane.ts";
import { StreamClient, UdpClient } from "../support/served_zones.ts";
import { APEX, zoneOf } from "../support/zone_samples.ts";
import { ZoneServer } from "../support/zone_server.ts";

Deno.test("a running name server counts its cache, upstreams, signatures, transfers and updates", async () => {
  const stored = await createZoneKey("active");
  await using primary = await ZoneServer.start(zoneOf("z.example.", APEX), {
    addresses: ["127.0.0.1"],
  });
  await using upstream = await McnsPlane.start({ config: "" });
  const file = new TextEncoder().encode(`$TTL 300\n${APEX}www A 192.0.2.1\n`);
  const byHand = { actor: "test", action: "Test" };
  await upstream.mcns.control.zones.import(nameOf("far.example"), file, byHand);
  let config = "";
  await using mcns = await McnsPlane.start({
    config: (folder) => {
      Deno.writeTextFileSync(join(folder, "zone.json"), formatZoneKeys([stored]));
      return config = `upstreams = ["127.0.0.1:${upstream.port}"]
[[dns.secondary]]
zone = "z.example"
primaries = ["127.0.0.1:${primary.port}"]
[[dns.zones]]
zone = "z.example"
allow_transfer = ["127.0.0.1"]
dnssec_keys = "${join(folder, "zone.json")}"
[metrics]
addr = "127.0.0.1:0"
`;
    },
  });
  const ports: unknown[] = [];
  await using _monitoring = await monitorMcns({
    ...{ config: mcnsConfig(mcns.folder, config), mcns: mcns.mcns, lostLines: () => 0 },
    log: ({ fields }) => void ports.push(fields?.port),
  });
  const scrape = async () => await (await fetch(`http://127.0.0.1:${ports[0]}/metrics`)).text();
  await mcns.says("ns.z.example", "A", "192.0.2.53");
  assert.equal((await mcns.ask("www.far.example", "A")).answer.length, 1);
  assert.equal((await mcns.ask("www.far.example", "A")).answer.length, 1);
  const to = { host: "127.0.0.1", port: mcns.port };
  using tcp = await StreamClient.connect(to);
  await tcp.ask(encodeTransferQuery({ id: 1, zone: nameOf("z.example"), serial: undefined }));
  await tcp.ask(encodeTransferQuery({ id: 2, zone: nameOf("y.example"), serial: undefined }));
  using udp = new UdpClient(to);
  const zone = nameOf("z.example");
  await udp.ask(concat(u16(1), u16(0x2800), u16(1), u16(0), u16(0), u16(0), zone, u16(6), u16(1)));
  // With DO: signed.
  const opt = concat(Uint8Array.of(0), u16(41), u16(1232), u16(0), u16(0x8000), u16(0));
  await udp.ask(
    concat(u16(2), u16(0), u16(1), u16(0), u16(0), u16(1), zone, u16(6), u16(1), opt),
  );
  const at = 'address="127.0.0.1"';
  const expected = [
    `mcns_cache_hits_total{${at}} 1`,
    `mcns_cache_misses_total{${at}} 1`,
    `mcns_cache_entries{${at}} 1`,
    `mcns_upstream_up{${at},upstream="127.0.0.1:${upstream.port}"} 1`,
    `mcns_upstream_answers_total{${at},upstream="127.0.0.1:${upstream.port}"} 1`,
    `mcns_signatures_total{${at}} 1`,
    `mcns_transfers_sent_total{${at}} 1`,
    `mcns_transfers_refused_total{${at}} 1`,
    'mcns_transfers_taken_total{result="whole"} 1',
    'mcns_updates_total{code="REFUSED"} 1',
    'mcns_secondary_serial{zone="z.example."} 7',
    'mcns_secondary_expired{zone="z.example."} 0',
    "mcns_records 3",
  ];
  await eventually(async () => {
    const lines = new Set((await scrape()).split("\n"));
    return expected.every((line) => lines.has(line));
  }, "what was done is counted");
});
