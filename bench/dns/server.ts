/**
 * The server of one address in a process of one thread, for what is beside it in `main.ts`:
 * `server.ts FOLDER ORIGIN PORT MODE UPSTREAM`.
 *
 * @module
 */
import { join } from "node:path";
import { nameFromText, parseZoneFile, sipKey } from "../../lib/dns/mod.ts";
import { defaultAllowRecursion } from "../../lib/dns_forward/mod.ts";
import { AddressServer, createRateBuffer, DnsCounters } from "../../lib/dns_server/mod.ts";
import { compileZone, type Zone, ZoneTable } from "../../lib/zones/mod.ts";

const [folder = "", origin = "", port = "", mode = "", upstream = ""] = Deno.args;
await AddressServer.open({
  address: mode === "dot"
    ? { host: "127.0.0.1", port: 0, tlsPort: Number(port) }
    : { host: "127.0.0.1", port: Number(port) },
  tls: {
    certPem: await Deno.readTextFile(join(folder, "cert.pem")),
    keyPem: await Deno.readTextFile(join(folder, "key.pem")),
  },
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
    ...mode === "forward" && {
      forward: {
        allowRecursion: defaultAllowRecursion(),
        upstreams: [{ hostname: "127.0.0.1", port: Number(upstream), isTrusted: false }],
      },
    },
    limits: { tcpConnections: 1000, tcpPerSource: 1000, tcpIdleMs: 10_000, tcpPipeline: 64 },
  },
  sockets: "handles",
  zones: mode === "forward" ? new ZoneTable() : new ZoneTable([await readZone()]),
  counters: new DnsCounters(),
  onFault: (error) => {
    throw error;
  },
  onFailure: (error) => {
    throw error;
  },
});

async function readZone(): Promise<Zone> {
  const name = nameFromText(origin);
  if (!name.ok) throw new Error(name.reason);
  const text = await Deno.readTextFile(join(folder, "zone"));
  const { records, problems } = parseZoneFile(text, { origin: name.value });
  if (problems.length > 0) throw new Error(JSON.stringify(problems[0]));
  const result = compileZone(name.value, records);
  if (!result.ok) throw new Error(result.problems[0]);
  return result.zone;
}
