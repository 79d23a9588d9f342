/**
 * The whole program as a connector, in a process of its own.
 *
 * @module
 */
import { join } from "node:path";
import type { Directory, PostgresServer } from "../../lib/connector/mod.ts";
import { openDirectory, replaceDirectory } from "../../lib/connector/mod.ts";
import type { IssuedCertificate } from "./certificates.ts";
import { connectTls, type TlsPeer, type TlsTarget } from "./clients.ts";
import { DOMAIN, ISSUER, root, server } from "./connector.ts";
import { type Proxy, startProxy } from "./proxy.ts";

/** Settings of {@link startConnectorProcess}. */
export interface ConnectorProcessOptions {
  /** Its rows; an SQLite directory in the folder. */
  readonly directory?: Directory;
  readonly postgres?: PostgresServer;
  /** Revocation lists that it starts with. */
  readonly crls?: readonly string[];
  /** More settings of `[connector]`. */
  readonly connector?: Readonly<Record<string, unknown>>;
  /** More sections. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** Runs `mc-proxy connector -c` instead of `mc-proxy server -c` with an mtls route. */
  readonly asCommand?: boolean;
}

/** A running connector. */
export class ConnectorProcess implements AsyncDisposable {
  readonly proxy: Proxy;

  constructor(proxy: Proxy) {
    this.proxy = proxy;
  }

  /** A file in the folder of the configuration. */
  path(name: string): string {
    return join(this.proxy.folder, name);
  }

  /** Connects with this certificate. */
  connect(
    client: IssuedCertificate | undefined,
    { host = "web", ...options }: { host?: string } & Partial<TlsTarget> = {},
  ): Promise<TlsPeer> {
    return connectTls({
      port: this.proxy.port(),
      servername: `${host}.${DOMAIN}`,
      ca: server.ca,
      ...client && { cert: client.certPem, key: client.keyPem },
      ...options,
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.proxy[Symbol.asyncDispose]();
  }
}

/** Starts it and waits until it is ready. */
export async function startConnectorProcess(
  options: ConnectorProcessOptions,
): Promise<ConnectorProcess> {
  const folder = await Deno.makeTempDir({ prefix: "mc-proxy-connector-" });
  if (options.directory) writeDirectory(join(folder, "directory.db"), options.directory);
  const listen = "127.0.0.1:0";
  const lists = (options.crls ?? []).map((text, i) => [`list-${i}.crl`, text] as const);
  const proxy = await startProxy({
    folder,
    files: {
      "ca.pem": root.certPem,
      "server.pem": server.certPem,
      "server.key": server.keyPem,
      ...Object.fromEntries(lists),
      ...options.postgres && { "db.password": `${options.postgres.password}\n` },
    },
    config: (folder) => ({
      connector: {
        listen,
        ca_certs: [join(folder, "ca.pem")],
        server_cert: join(folder, "server.pem"),
        server_key: join(folder, "server.key"),
        issuer: ISSUER,
        domain: DOMAIN,
        allowed_networks: ["127.0.0.0/8"],
        ...lists.length > 0 && { crls: lists.map(([name]) => join(folder, name)) },
        ...options.postgres
          ? postgresSettings(options.postgres, join(folder, "db.password"))
          : { db: `sqlite:${join(folder, "directory.db")}` },
        ...options.connector,
      },
      ...!options.asCommand && {
        listeners: [{ addr: listen, routes: [{ hostname: `*.${DOMAIN}`, mode: "mtls" }] }],
      },
      ...options.config,
    }),
    ...options.asCommand && { command: (_, configPath) => ["connector", "-c", configPath] },
  });
  return new OwnFolder(proxy);
}

/** Removes the folder when it is over. */
class OwnFolder extends ConnectorProcess {
  override async [Symbol.asyncDispose](): Promise<void> {
    try {
      await super[Symbol.asyncDispose]();
    } finally {
      await Deno.remove(this.proxy.folder, { recursive: true });
    }
  }
}

/** Replaces every row of an SQLite directory, as another process would. */
export function writeDirectory(path: string, directory: Directory): void {
  const database = openDirectory(path);
  replaceDirectory(database, directory);
  database.close();
}

function postgresSettings(server: PostgresServer, passwordFile: string) {
  return {
    db_host: server.host,
    db_port: server.port,
    db_user: server.user,
    db_password_file: passwordFile,
    db_name: server.database,
  };
}
