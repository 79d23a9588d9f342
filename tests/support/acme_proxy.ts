/**
 * A proxy whose routes have their certificates from a CA of a test.
 *
 * @module
 */
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { eventually } from "./deadline.ts";
import { type Pebble, type PebbleOptions, startPebble } from "./pebble.ts";
import { unusedPorts } from "./ports.ts";
import { type Proxy, startProxy } from "./proxy.ts";

/** A CA, and where it looks for proofs: what the proxy listens at. */
export interface ProvedAt {
  readonly directory: string;
  readonly caPem: string;
  /** Of TLS. */
  readonly port: number;
  /** Of plain HTTP. */
  readonly httpPort: number;
}

/** Pebble, which looks for proofs where the proxy will listen. */
export async function startCa(
  options: PebbleOptions = {},
): Promise<ProvedAt & { readonly pebble: Pebble }> {
  const [port, httpPort] = await unusedPorts(2) as [number, number];
  const pebble = await startPebble({ tlsPort: port, httpPort, badNonces: 20, ...options });
  return { pebble, port, httpPort, directory: pebble.directory, caPem: pebble.caPem };
}

/** How a proxy is started with a CA. */
export interface WithCa {
  readonly folder: string;
  readonly routes: readonly Record<string, unknown>[];
  readonly acme?: Record<string, unknown>;
  readonly more?: Record<string, unknown>;
  /** Adds a listener that redirects. */
  readonly redirects?: boolean;
  readonly takeOver?: boolean;
}

/** Starts the program. */
export function startWithCa(ca: ProvedAt, options: WithCa): Promise<Proxy> {
  return startProxy({
    folder: options.folder,
    ...options.takeOver && { takeOver: true },
    config: (folder) => ({
      listeners: [
        { addr: `127.0.0.1:${ca.port}`, routes: options.routes },
        ...options.redirects ? [{ addr: `127.0.0.1:${ca.httpPort}`, kind: "redirect" }] : [],
      ],
      grpc: { addr: join(folder, "admin.sock") },
      acme: {
        ...{ directory: ca.directory, email: "admin@a.example", agree_tos: true },
        ca_cert: join(folder, "acme-ca.pem"),
        ...options.acme,
      },
      log: { level: "debug", format: "json" },
      ...options.more,
    }),
    files: { "acme-ca.pem": ca.caPem },
  });
}

/** An l7 route, but for its name. */
export const L7 = { backend: "127.0.0.1:9", mode: "l7", tls_cert: "acme" } as const;

/** Names of the certificates that a proxy says it got, in order. */
export function issuedNames(proxy: Proxy): unknown[] {
  return proxy.events("certificate issued").map((it) => it.hostname);
}

/**
 * Longer than two failures keep an order waiting, one and two minutes: on a machine that is busy for
 * seconds the authority may meet nobody. Only a test in which that happens ever waits so long.
 */
const ISSUED_MS = 240_000;

/** Waits until a proxy has got so many certificates; says what it has said of those that do not come. */
export async function untilIssued(proxy: Proxy, count: number, what: string): Promise<void> {
  try {
    await eventually(() => issuedNames(proxy).length === count, what, ISSUED_MS);
  } catch (error) {
    const refused = proxy.events("certificate could not be obtained").map((it) =>
      JSON.stringify(it)
    );
    throw new Error([`${error}; issued: ${issuedNames(proxy)}`, ...refused].join("\n"));
  }
}

/** A folder that is there while `body` runs. */
export async function withFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "mc-proxy-test-" });
  try {
    await body(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** The first value that a statement finds in a database that somebody writes; nothing while it is made. */
export function readOne(path: string, sql: string): unknown {
  try {
    using db = new DatabaseSync(path, { readOnly: true });
    return Object.values(db.prepare(sql).get() ?? {})[0];
  } catch {
    return undefined;
  }
}
