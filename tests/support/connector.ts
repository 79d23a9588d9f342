/**
 * A connector in this thread: a data plane with one mtls route, a directory of two organisations,
 * and certificates for its clients.
 *
 * @module
 */
import { DatabaseSync } from "node:sqlite";
import {
  type AdmissionSettings,
  type Authorizer,
  createSqliteAuthorizer,
  DatabaseAdmission,
  type Directory,
  DIRECTORY_SCHEMA,
  replaceDirectory,
} from "../../lib/connector/mod.ts";
import type { LogRecord } from "../../lib/observe/mod.ts";
import type { ConnectorSnapshot } from "../../lib/plane/mod.ts";
import {
  type Authority,
  createAuthority,
  createServerIdentity,
  issueCertificate,
  type IssuedCertificate,
} from "./certificates.ts";
import { connectTls, type TlsPeer, type TlsTarget } from "./clients.ts";
import { type PlaneOptions, startPlane, type TestPlane } from "./plane.ts";

/** The trust domain of clients. */
export const ISSUER = "tinyscale.test";
/** Hosts are below it. */
export const DOMAIN = "connect.test";

/** Made once for each file: certificates cost milliseconds each. */
export const root: Authority = await createAuthority({ commonName: "client root" });
/** The connector's own. */
export const server: Awaited<ReturnType<typeof createServerIdentity>> = await createServerIdentity(
  `*.${DOMAIN}`,
);

/** A certificate for a user, valid unless told otherwise. */
export function issueClient(
  orgId: string,
  userId: string,
  { authority = root, ...options }:
    & Partial<Parameters<typeof issueCertificate>[1]>
    & { authority?: Authority } = {},
): Promise<IssuedCertificate> {
  return issueCertificate(authority, {
    commonName: userId,
    uris: [`spiffe://${ISSUER}/orgs/${orgId}/users/${userId}`],
    usages: ["client"],
    ...options,
  });
}

/** What the data plane is given, with these authorities of clients. */
export function connectorOf(changes: Partial<ConnectorSnapshot> = {}): ConnectorSnapshot {
  return {
    issuer: ISSUER,
    domain: DOMAIN,
    defaultPort: 22,
    // Where the backends of tests are.
    allowedNetworks: ["127.0.0.0/8"],
    authorities: [root.certPem],
    revocationLists: new Map(),
    certPem: server.certPem,
    keyPem: server.keyPem,
    ...changes,
  };
}

/**
 * Two organisations. `alice` is listed for `web`, `bob` reaches it by his team, `carol` not at all;
 * `mallory` belongs to the other one.
 */
export function directoryOf(address: string): Directory {
  const user = (userId: string, orgId: string) => ({ userId, orgId, publicKeys: [] });
  return {
    hosts: [
      {
        connectId: "web",
        internalIpAddr: address,
        orgId: "acme",
        userIds: ["alice"],
        teamIds: ["ops"],
      },
      { connectId: "empty", internalIpAddr: address, orgId: "acme", userIds: [], teamIds: [] },
      {
        connectId: "other",
        internalIpAddr: address,
        orgId: "globex",
        userIds: ["mallory"],
        teamIds: [],
      },
    ],
    teams: [{ teamId: "ops", orgId: "acme", userIds: ["bob"] }],
    users: [
      user("alice", "acme"),
      user("bob", "acme"),
      user("carol", "acme"),
      user("mallory", "globex"),
    ],
  };
}

/** Settings of {@link startConnector}. */
export interface TestConnectorOptions {
  /** Where every host of the directory is. */
  readonly address: string;
  readonly connector?: Partial<ConnectorSnapshot>;
  readonly access?: Partial<AdmissionSettings>;
  /** Instead of the directory in memory. */
  readonly authorizer?: Authorizer;
  readonly plane?: PlaneOptions;
  readonly sendProxyProtocol?: boolean;
}

/** A running connector. */
export class TestConnector implements AsyncDisposable {
  readonly plane: TestPlane;
  readonly access: DatabaseAdmission;
  /** In memory; a change is followed by `access.changed()`. */
  readonly directory: DatabaseSync;

  constructor(plane: TestPlane, access: DatabaseAdmission, directory: DatabaseSync) {
    this.plane = plane;
    this.access = access;
    this.directory = directory;
  }

  /** Connects as a client with this certificate; the handshake completes before it is refused. */
  connect(
    client: IssuedCertificate | undefined,
    { host = "web", ...options }: { host?: string } & Partial<TlsTarget> = {},
  ): Promise<TlsPeer> {
    return connectTls({
      port: this.plane.port,
      servername: `${host}.${DOMAIN}`,
      ca: server.ca,
      ...client && { cert: client.certPem, key: client.keyPem },
      ...options,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.plane[Symbol.asyncDispose]();
    } finally {
      await this.access[Symbol.asyncDispose]();
      this.directory.close();
    }
  }
}

/** Starts a connector whose hosts are all at `address`. */
export async function startConnector(options: TestConnectorOptions): Promise<TestConnector> {
  const directory = new DatabaseSync(":memory:");
  directory.exec(DIRECTORY_SCHEMA);
  replaceDirectory(directory, directoryOf(options.address));
  const logs: LogRecord[] = [];
  const access = new DatabaseAdmission({
    authorizer: options.authorizer ?? createSqliteAuthorizer({ database: directory }),
    settings: {
      authorizationCacheMs: 0,
      revalidateMs: 60_000,
      outageGraceMs: 300_000,
      ...options.access,
    },
    log: (record) => logs.push(record),
  });
  const plane = await startPlane({
    routes: [{
      hostname: `*.${DOMAIN}`,
      backend: "",
      mode: "mtls",
      sendProxyProtocol: options.sendProxyProtocol ?? false,
    }],
    ...options.plane,
    connector: connectorOf(options.connector),
    admission: access,
  });
  return new TestConnector(plane, access, directory);
}
