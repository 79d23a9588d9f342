import { join } from "node:path";
import { serverFlags } from "../../deploy/runtime.ts";
import {
  type Directory,
  openDirectory,
  type PostgresServer,
  replaceDirectory,
} from "../../lib/connector/mod.ts";
import { ROOT } from "../../tests/support/module_graph.ts";
import { exists, startTarget, type Target } from "../l4/target.ts";

/** Hosts are below it. */
export const DOMAIN = "connect.test";
/** The trust domain of clients. */
export const ISSUER = "bench.test";

/** What every target of a comparison is given. */
export interface Setup {
  /** Holds `ca.pem`, `server.pem` and `server.key`. */
  readonly folder: string;
  readonly directory: Directory;
}

/** Starts the connector of this checkout with one worker, under its real permissions. */
export async function startConnector(
  name: string,
  port: number,
  { folder, directory, postgres }: Setup & { readonly postgres?: PostgresServer },
): Promise<Target> {
  const database = join(folder, `${name}.db`);
  if (postgres === undefined) {
    const store = openDirectory(database);
    replaceDirectory(store, directory);
    store.close();
  }
  const config = join(folder, `${name}.toml`);
  await Deno.writeTextFile(
    config,
    `[connector]
listen = "127.0.0.1:${port}"
ca_certs = ["${folder}/ca.pem"]
server_cert = "${folder}/server.pem"
server_key = "${folder}/server.key"
issuer = "${ISSUER}"
domain = "${DOMAIN}"
allowed_networks = ["127.0.0.0/8"]
# Every session asks the database.
authorization_cache = "0s"
${postgres === undefined ? `db = "sqlite:${database}"` : postgresSettings(postgres)}
[server]
workers = 1
`,
  );
  const flags = serverFlags({ source: ROOT, data: folder });
  const args = ["run", ...flags, join(ROOT, "main.ts"), "connector", "-c", config];
  return await startTarget(name, port, Deno.execPath(), args);
}

/** Starts HAProxy with the same TLS in TCP mode, or nothing where it is not installed. */
export async function startHaproxy(
  port: number,
  { folder, directory }: Setup,
): Promise<Target | undefined> {
  if (!await exists("/usr/sbin/haproxy")) return undefined;
  const [cert, key] = await Promise.all(
    ["server.pem", "server.key"].map((name) => Deno.readTextFile(join(folder, name))),
  );
  await Deno.writeTextFile(join(folder, "haproxy.pem"), `${cert}${key}`);
  const config = join(folder, "haproxy.cfg");
  const hosts = directory.hosts.map(({ connectId }) => connectId);
  await Deno.writeTextFile(
    config,
    `global
  nbthread 1
  maxconn 4000
defaults
  mode tcp
  timeout connect 5s
  timeout client 300s
  timeout server 300s
frontend connector
  bind 127.0.0.1:${port} ssl crt ${folder}/haproxy.pem ca-file ${folder}/ca.pem verify required
${hosts.map((host) => `  use_backend ${host} if { ssl_fc_sni -i ${host}.${DOMAIN} }`).join("\n")}
${
      directory.hosts.map(({ connectId, internalIpAddr }) =>
        `backend ${connectId}\n  server s1 ${internalIpAddr}`
      ).join("\n")
    }
`,
  );
  return await startTarget("haproxy", port, "/usr/sbin/haproxy", ["-db", "-f", config]);
}

function postgresSettings({ host, port, user, password, database }: PostgresServer): string {
  return `db_host = ${JSON.stringify(host)}
db_port = ${port}
db_user = ${JSON.stringify(user)}
db_password = ${JSON.stringify(password)}
db_name = ${JSON.stringify(database)}`;
}
