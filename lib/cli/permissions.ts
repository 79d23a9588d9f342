import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { ACME, locateFile } from "../state/mod.ts";
import { type Config, type ConnectorConfig, namedFilesOf } from "../config/mod.ts";
import { sqlitePath } from "../connector/mod.ts";
import { CommandError } from "./command_error.ts";

/** Asks Deno for one permission; `Deno.permissions.querySync` is one. */
export type QueryPermission = (
  descriptor: Deno.PermissionDescriptor,
) => { readonly state: Deno.PermissionState };

/** What {@link checkPermissions} looks at. */
export interface PermissionCheck {
  readonly config: Config;
  /** systemd's socket, if there is one: an absolute path, or `@` and an abstract name. */
  readonly notifySocket?: string | undefined;
  /** A module that workers are started from; absent in a compiled program, which contains it. */
  readonly workerModule?: URL | undefined;
  readonly query?: QueryPermission;
}

/** One thing that the program has to be allowed, and the flag that allows it. */
export interface Need {
  readonly flag: string;
  readonly purpose: string;
  readonly descriptor: Deno.PermissionDescriptor;
}

/**
 * Compares the permissions that the process holds with those that its configuration needs, before
 * anything is opened: a proxy that finds out in the middle of a connection has failed already.
 *
 * @returns what it holds and does not need, as flags; each is a way out of the sandbox.
 * @throws {CommandError} with one line that names every missing flag.
 *
 * @example
 * ```ts
 * import { checkPermissions } from "./permissions.ts";
 * import { loadConfig } from "../config/mod.ts";
 * import assert from "node:assert/strict";
 *
 * const loaded = loadConfig('[database]\npath = "/srv/mc-proxy/a.db"\n');
 * assert(loaded.ok);
 * const query = ({ name }: { name: string }) => ({
 *   state: name === "net" ? "granted" as const : "prompt" as const,
 * });
 * assert.throws(
 *   () => checkPermissions({ config: loaded.config, query }),
 *   /--allow-read=\/srv\/mc-proxy \(the database\)/,
 * );
 * ```
 */
export function checkPermissions(check: PermissionCheck): string[] {
  return requirePermissions(needs(check), check.query);
}

/**
 * {@link checkPermissions} for whatever a program needs.
 *
 * @throws {CommandError}
 */
export function requirePermissions(
  needed: Iterable<Need>,
  query: QueryPermission = Deno.permissions.querySync,
): string[] {
  const granted = (descriptor: Deno.PermissionDescriptor) => query(descriptor).state === "granted";
  const missing = new Map<string, string>();
  for (const { flag, purpose, descriptor } of needed) {
    if (!granted(descriptor) && !missing.has(flag)) missing.set(flag, purpose);
  }
  if (missing.size > 0) {
    const flags = [...missing].map(([flag, purpose]) => `${flag} (${purpose})`).join(", ");
    throw new CommandError(
      `Deno was not given the permissions that this configuration needs: add ${flags}`,
    );
  }
  return EXCESSIVE.filter(([, descriptor]) => granted(descriptor)).map(([flag]) => flag);
}

/** What nothing in the program needs. Reading or writing `/` is reading or writing everything. */
const EXCESSIVE: readonly (readonly [flag: string, Deno.PermissionDescriptor])[] = [
  ["--allow-run", { name: "run" }],
  ["--allow-ffi", { name: "ffi" }],
  ["--allow-read of everything", { name: "read", path: "/" }],
  ["--allow-write of everything", { name: "write", path: "/" }],
  // The name stands for every variable: no program has this one.
  ["--allow-env of everything", { name: "env", variable: "MC_PROXY_NO_SUCH_VARIABLE" }],
];

function* needs({ config, notifySocket, workerModule }: PermissionCheck): Generator<Need> {
  // Whole: routes name their backends while the program runs.
  yield { flag: "--allow-net", purpose: "listeners and backends", descriptor: { name: "net" } };
  // Without a path it is in memory.
  if (config.database.path !== "") yield* folderNeeds(config.database.path, "the database");
  if (config.history !== undefined) yield* folderNeeds(config.history.path, "the history");
  if (config.connector !== undefined) yield* connectorNeeds(config.connector);
  const { passwordFile, ca, cert, key, shareKeyFile } = config.state.postgres ?? {};
  for (const path of [passwordFile, ca, cert, key, shareKeyFile]) {
    if (path !== undefined) yield fileNeed("read", path, "the group's PostgreSQL");
  }
  for (const { path } of namedFilesOf(config)) yield fileNeed("read", path, "files of the group");
  if (config.grpc !== undefined) yield* folderNeeds(config.grpc.addr, "the admin socket");
  if (config.metrics?.addr.includes("/")) {
    yield* folderNeeds(config.metrics.addr, "the metrics socket");
  }
  const { geoipDb } = config.firewall;
  if (geoipDb !== undefined) yield fileNeed("read", geoipDb, "the GeoIP database");
  const { caCert, eabKeyFile, dns } = config.acme ?? {};
  for (const path of [caCert, eabKeyFile, dns?.keyFile]) {
    if (path !== undefined) yield fileNeed("read", path, "the authority's files");
  }
  for (const { tlsCert, tlsKey } of config.listeners.flatMap(({ routes }) => routes)) {
    if (tlsCert === ACME) continue;
    for (const file of [tlsCert, tlsKey]) {
      const place = locateFile(file, namedFilesOf(config));
      if (file !== "" && place.ok) yield fileNeed("read", place.value, "certificates");
    }
  }
  if (notifySocket?.startsWith("/")) yield fileNeed("write", notifySocket, "systemd's socket");
  if (workerModule?.protocol === "file:") {
    yield fileNeed("read", fileURLToPath(workerModule), "the program's own workers");
  }
}

function* connectorNeeds(connector: ConnectorConfig): Generator<Need> {
  const { caCerts, crls, serverCert, serverKey, db, dbCa, dbPasswordFile } = connector;
  const pair = serverCert === ACME ? [] : [serverCert, serverKey];
  const files = [...caCerts, ...crls, ...pair];
  for (const path of files) yield fileNeed("read", path, "the connector's certificates");
  for (const path of [dbCa, dbPasswordFile]) {
    if (path !== undefined) yield fileNeed("read", path, "the connector's database");
  }
  const path = sqlitePath(db);
  if (path !== undefined) yield* folderNeeds(path, "the connector's database");
}

/** A file that gets companions beside it: SQLite's journal, a socket before it is renamed. */
export function* folderNeeds(path: string, purpose: string): Generator<Need> {
  yield fileNeed("read", dirname(resolve(path)), purpose);
  yield fileNeed("write", dirname(resolve(path)), purpose);
}

/** A file, by the flag that allows it. */
export function fileNeed(name: "read" | "write", path: string, purpose: string): Need {
  const absolute = resolve(path);
  return { flag: `--allow-${name}=${absolute}`, purpose, descriptor: { name, path: absolute } };
}
