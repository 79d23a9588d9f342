/**
 * The name server of the development server: one zone, who may change it, and questions to try.
 *
 * @module
 */
import { createHash, randomBytes } from "node:crypto";
import { join } from "node:path";
import { nameFromText, parseZoneFile } from "../lib/dns/mod.ts";
import { openDnsDatabase } from "../lib/dns_store/mod.ts";
import type { DemoCommand, DemoPorts } from "./demo.ts";

/** The one zone. */
export const DEMO_ZONE = "demo.test";

/** Whom its certificate is for. */
export const NAMES_HOST = "localhost";

const FILE_MODE = 0o600;

const ZONE_FILE = `$ORIGIN ${DEMO_ZONE}.
$TTL 300
@     SOA  ns hostmaster 1 3600 600 604800 60
@     NS   ns
ns    A    127.0.0.1
www   A    192.0.2.80
*.dev A    192.0.2.81
@     TXT  "imported from ${DEMO_ZONE}.zone when the folder was made"
`;

/** Makes the name server's configuration, its token and a database with the zone. */
export async function prepareNames(folder: string, { names }: DemoPorts): Promise<void> {
  const write = (name: string, text: string) =>
    Deno.writeTextFile(join(folder, name), text, { mode: FILE_MODE });
  const token = randomBytes(24).toString("base64url");
  await write("mcns.token", token);
  await write(`${DEMO_ZONE}.zone`, ZONE_FILE);
  const hash = createHash("sha256").update(token).digest("hex");
  await write(
    "mcns.toml",
    `# The name server beside the proxy, made by the development server. Its zones are in the database.

[server]
listen_addr = "127.0.0.1:${names.rest}"
grpc_addr = "127.0.0.1:${names.grpc}"
tls_cert = "${folder}/certs/${NAMES_HOST}.pem"
tls_key = "${folder}/certs/${NAMES_HOST}.key"

[database]
path = "${folder}/mcns.db"

[auth]
token_hashes = ["sha256:${hash}"]

[dns]
listen_addr = "127.0.0.1:${names.dns}"
upstreams = []
`,
  );
  const origin = nameFromText(DEMO_ZONE);
  if (!origin.ok) throw new TypeError(origin.reason);
  using database = openDnsDatabase(join(folder, "mcns.db"));
  if (database.zones.find(origin.value) !== undefined) return;
  const { records } = parseZoneFile(ZONE_FILE, { origin: origin.value });
  const author = { actor: "devserver", action: "CreateZone", time: Date.now() };
  database.createZone(origin.value, records, author);
}

/** The section of the proxy's configuration that names it. */
export function namesConfig({ names }: DemoPorts, folder: string): string {
  return `# The name server beside the proxy. What \`mcproxyctl apply\` names as [[records]] it changes there.
[mcns]
server = "https://${NAMES_HOST}:${names.rest}"
dns = "127.0.0.1:${names.dns}"
ca_cert = "${folder}/ca.pem"
token_file = "${folder}/mcns.token"
zones = ["${DEMO_ZONE}"]
`;
}

/** Questions and changes to try, in this order. */
export function namesCommands({ names }: DemoPorts, folder: string): DemoCommand[] {
  const dig = (name: string) => `dig +short @127.0.0.1 -p ${names.dns} ${name}.${DEMO_ZONE} A`;
  const record = `{"name":"new","type":"A","value":"192.0.2.82","ttl":60}`;
  return [
    {
      about: "dns: the name server beside the proxy answers for its zone",
      command: dig("www"),
      prints: "192.0.2.80\n",
    },
    {
      about: "dns: a record is added over REST, and is there at once",
      command: `curl -sS --cacert ${folder}/ca.pem ` +
        `-H "Authorization: Bearer $(cat ${folder}/mcns.token)" -d '${record}' ` +
        `https://${NAMES_HOST}:${names.rest}/v1/zones/${DEMO_ZONE}/records`,
      prints: '{"id":',
    },
    { about: "dns: it answers", command: dig("new"), prints: "192.0.2.82\n" },
  ];
}
