/**
 * The connector of the development server: an authority for client certificates, two organisations
 * with their users and teams, and one host that some of them may reach.
 *
 * @module
 */
import { join } from "node:path";
import {
  type DirectoryResult,
  importDirectory,
  openDirectory,
  replaceDirectory,
} from "../lib/connector/mod.ts";
import { createAuthority, issueCertificate } from "./certificates.ts";

/** Hosts are asked for as a label below this name. */
export const CONNECTOR_DOMAIN = "connect.localhost";

/** The one host of the demo. */
export const CONNECTOR_HOST = "host-1";

/** The trust domain of the clients' identities. */
const TRUST_DOMAIN = "demo.example";

/** Who gets a certificate; the directory below says what they may. */
const CLIENTS = [
  { userId: "alice", orgId: "acme" },
  { userId: "bob", orgId: "acme" },
  { userId: "carol", orgId: "acme" },
  { userId: "mallory", orgId: "globex" },
] as const;

/** Keys of clients, readable for their owner alone. */
const FILE_MODE = 0o600;

/** The section of the configuration. */
export function connectorConfig(folder: string): string {
  return `# Clients of mtls routes prove who they are with a certificate of this authority; the database says
# which hosts they may reach. It was filled from ${folder}/connector/directory.toml, by what is also
# a command: mc-proxy connector import.
[connector]
ca_certs = ["${folder}/connector/ca.pem"]
server_cert = "${folder}/certs/${CONNECTOR_DOMAIN}.pem"
server_key = "${folder}/certs/${CONNECTOR_DOMAIN}.key"
issuer = "${TRUST_DOMAIN}"
domain = "${CONNECTOR_DOMAIN}"
# The demo's host is on this machine, where sessions are not led unless told.
allowed_networks = ["127.0.0.0/8"]
db = "sqlite:${folder}/connector/directory.db"
`;
}

/** Makes the authority, the clients' certificates and the database. */
export async function prepareConnector(folder: string, hostPort: number): Promise<void> {
  const path = join(folder, "connector");
  await Deno.mkdir(path, { recursive: true, mode: 0o700 });
  const write = (name: string, text: string) =>
    Deno.writeTextFile(join(path, name), text, { mode: FILE_MODE });
  const authority = await createAuthority({ commonName: "mc-proxy development client CA" });
  await write("ca.pem", authority.certPem);
  await write("ca.key", authority.keyPem);
  for (const { userId, orgId } of CLIENTS) {
    const { certPem, keyPem } = await issueCertificate(authority, {
      commonName: userId,
      uris: [`spiffe://${TRUST_DOMAIN}/orgs/${orgId}/users/${userId}`],
      usages: ["client"],
    });
    await write(`${userId}.pem`, certPem);
    await write(`${userId}.key`, keyPem);
  }
  const directory = directoryToml(hostPort);
  await write("directory.toml", directory);
  importInto(join(path, "directory.db"), importDirectory(directory, "toml"));
}

function importInto(path: string, result: DirectoryResult): void {
  if (!result.ok) throw new Error(result.problems.map(({ message }) => message).join("; "));
  const database = openDirectory(path);
  try {
    replaceDirectory(database, result.directory);
  } finally {
    database.close();
  }
}

function directoryToml(hostPort: number): string {
  const users = CLIENTS.map(({ userId, orgId }) => `
[[users]]
user_id = "${userId}"
org_id = "${orgId}"
`);
  return `# alice may reach the host herself, bob through his team, carol not at all; mallory is of another
# organisation.

[[hosts]]
connect_id = "${CONNECTOR_HOST}"
internal_ip_addr = "127.0.0.1:${hostPort}"
org_id = "acme"
user_ids = ["alice"]
team_ids = ["ops"]

[[teams]]
team_id = "ops"
org_id = "acme"
user_ids = ["bob"]

[[teams]]
team_id = "visitors"
org_id = "globex"
user_ids = ["mallory"]
${users.join("")}`;
}
