import assert from "node:assert/strict";
import { join } from "node:path";
import { testWithCommands } from "../support/commands.ts";
import { eventually } from "../support/deadline.ts";
import { type DnsPeer, knotConfig, nsdConfig, startDnsPeer } from "../support/dns_peers.ts";
import { McnsPlane } from "../support/mcns_plane.ts";
import { unusedPort } from "../support/ports.ts";
import { APEX } from "../support/zone_samples.ts";
import { TRANSFER_SECRET } from "../support/zone_server.ts";

const ORIGIN = "z.example.";
const zoneFile = (serial: number, more = "") =>
  `$ORIGIN ${ORIGIN}\n$TTL 300\n${APEX.replace(" 7 ", ` ${serial} `)}www A 192.0.2.1
*.wild TXT "some text"
sub NS ns.sub
ns.sub A 192.0.2.99
${more}`;

/** A server that has the zone first, and tells the server of a port when it changes. */
const PRIMARIES: Readonly<Record<string, (secondary: number) => Promise<DnsPeer>>> = {
  nsd: (secondary) =>
    startDnsPeer({
      ...{ command: "nsd", question: [ORIGIN, "SOA"] },
      args: ({ folder }) => ["-d", "-c", `${folder}/nsd.conf`],
      files: (place) => ({
        zone: zoneFile(7),
        "nsd.conf": nsdConfig(
          place,
          `key:
  name: xfr-key
  algorithm: hmac-sha256
  secret: "${TRANSFER_SECRET}"
zone:
  name: ${ORIGIN}
  zonefile: zone
  provide-xfr: 127.0.0.1 xfr-key
  notify: 127.0.0.1@${secondary} xfr-key
`,
        ),
      }),
    }),
  knotd: (secondary) =>
    startDnsPeer({
      ...{ command: "knotd", question: [ORIGIN, "SOA"] },
      args: ({ folder }) => ["-c", `${folder}/knot.conf`],
      files: (place) => ({
        zone: zoneFile(7),
        "knot.conf": knotConfig(
          place,
          `key:
  - id: xfr-key
    algorithm: hmac-sha256
    secret: ${TRANSFER_SECRET}
remote:
  - id: secondary
    address: 127.0.0.1@${secondary}
    key: xfr-key
acl:
  - id: transfer
    key: xfr-key
    action: transfer
zone:
  - domain: ${ORIGIN}
    storage: ${place.folder}
    file: zone
    acl: transfer
    notify: secondary
    zonefile-load: difference
    journal-content: changes
`,
        ),
      }),
    }),
  named: (secondary) =>
    startDnsPeer({
      ...{ command: "named", question: [ORIGIN, "SOA"] },
      args: ({ folder, port }) => ["-g", "-c", `${folder}/named.conf`, "-p", String(port)],
      files: ({ folder, port }) => ({
        zone: zoneFile(7),
        "named.conf": `options { directory "${folder}"; listen-on port ${port} { 127.0.0.1; };
  listen-on-v6 { none; }; recursion no; pid-file "${folder}/pid";
  session-keyfile "${folder}/session"; notify explicit; notify-delay 0; ixfr-from-differences yes; };
controls { };
key xfr-key { algorithm hmac-sha256; secret "${TRANSFER_SECRET}"; };
zone "z.example" { type primary; file "zone"; allow-transfer { key xfr-key; };
  also-notify { 127.0.0.1 port ${secondary} key xfr-key; }; };
`,
      }),
    }),
};

const secondary = (primary: number) => (folder: string) => {
  Deno.writeTextFileSync(join(folder, "secret"), `${TRANSFER_SECRET}\n`);
  return `[[dns.keys]]
name = "xfr-key"
secret_file = "${join(folder, "secret")}"
[[dns.secondary]]
zone = "${ORIGIN}"
primaries = ["127.0.0.1:${primary}"]
key = "xfr-key"
`;
};

for (const [command, start] of Object.entries(PRIMARIES)) {
  testWithCommands(
    [command, "dig"],
    `mcns follows a zone of ${command}: it comes whole, and again when the primary says so`,
    async () => {
      const port = await unusedPort();
      await using primary = await start(port);
      await using mcns = await McnsPlane.start({ config: secondary(primary.port), port });
      await mcns.says(`www.${ORIGIN}`, "A", "192.0.2.1");
      const referral = await mcns.ask(`x.sub.${ORIGIN}`, "A");
      assert.deepEqual([referral.authority.length, referral.additional.length], [1, 1]);
      await mcns.says(`x.wild.${ORIGIN}`, "TXT", '"some text"');
      const { followed } = mcns.mcns;
      await Deno.writeTextFile(join(primary.folder, "zone"), zoneFile(8, "new A 192.0.2.77\n"));
      primary.kill("SIGHUP");
      await mcns.says(`new.${ORIGIN}`, "A", "192.0.2.77");
      await mcns.says(ORIGIN, "SOA", " 8 3600 600 86400 60");
      // Its own start may have been news, too.
      await eventually(() => followed.counts.notifies.believed > 0, "the news was believed");
      assert.equal(followed.counts.notifies.refused, 0);
      // NSD 4.6 gives zones as wholes.
      const expected = command === "nsd" ? [2, 0] : [1, 1];
      await eventually(() => {
        const { whole, steps } = followed.counts.transfers;
        return whole === expected[0] && steps === expected[1];
      }, `${expected} transfers`);
      assert.deepEqual(mcns.mcns.problems, []);
    },
  );
}
