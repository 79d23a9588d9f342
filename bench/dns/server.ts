/**
 * The server of one address in a process of one thread, for what is beside it in `main.ts`:
 * `server.ts ZONEFILE ORIGIN PORT`.
 *
 * @module
 */
import { nameFromText, parseZoneFile, sipKey } from "../../lib/dns/mod.ts";
import { AddressServer, createRateBuffer, DnsCounters } from "../../lib/dns_server/mod.ts";
import { compileZone, ZoneTable } from "../../lib/zones/mod.ts";

const [file = "", originText = "", port = ""] = Deno.args;
const origin = nameFromText(originText);
if (!origin.ok) throw new Error(origin.reason);
const { records, problems } = parseZoneFile(await Deno.readTextFile(file), {
  origin: origin.value,
});
if (problems.length > 0) throw new Error(JSON.stringify(problems[0]));
const result = compileZone(origin.value, records);
if (!result.ok) throw new Error(result.problems[0]);
await AddressServer.open({
  address: { host: "127.0.0.1", port: Number(port) },
  settings: {
    udpPayload: 1232,
    cookieSecret: sipKey(crypto.getRandomValues(new Uint8Array(16))),
    rate: {
      responsesPerSecond: 65_535,
      slip: 2,
      ipv4Prefix: 24,
      ipv6Prefix: 56,
      exempt: ["127.0.0.0/8"],
      buffer: createRateBuffer(65_535),
    },
    limits: { tcpConnections: 1000, tcpPerSource: 1000, tcpIdleMs: 10_000, tcpPipeline: 64 },
  },
  sockets: "handles",
  zones: new ZoneTable([result.zone]),
  counters: new DnsCounters(),
  onFault: (error) => {
    throw error;
  },
  onFailure: (error) => {
    throw error;
  },
});
