import { parseListenEndpoint } from "../addr/mod.ts";
import { CertificateStore, type ReadFile } from "../certificates/mod.ts";
import { type Config, namedFilesOf } from "../config/mod.ts";
import { compileFirewall, createConnectionLimiter, type FirewallRule } from "../firewall/mod.ts";
import { describeError, type LogSink, MAX_WORKERS } from "../observe/mod.ts";
import type { Settings, Snapshot, SourcesSnapshot } from "../plane/mod.ts";
import type { RateLimit } from "../state/mod.ts";
import { countsRequests } from "./auto_bans.ts";
import { BackendBoard } from "./backend_board.ts";
import { compileRateLimit } from "./change_set.ts";
import { type ConnectorFiles, readConnectorFiles } from "./connector_files.ts";
import { ControlError } from "./control_error.ts";
import { type LoadedGeoIp, loadGeoIp } from "./geoip.ts";
import type { IssuanceStore } from "./issuance_store.ts";
import { MemoryGuard } from "./memory_guard.ts";
import { NamedFiles } from "./named_files.ts";
import { readStamp } from "./regular_file.ts";
import { openResolverFiles, type ResolverFiles } from "./resolver_files.ts";
import { ErrorPageFiles } from "./error_page_files.ts";
import { RouteMaterials } from "./route_materials.ts";
import type { StoredRows } from "./stored_rows.ts";
import { pairNameOf, sharedPairOf } from "./shared_kinds.ts";
import { challengesOf } from "./kept_proofs.ts";
import { compileListeners } from "./stored_listeners.ts";

/** Levels at which requests, which are logged as `info`, are written. */
const LOGS_REQUESTS: ReadonlySet<string> = new Set(["debug", "info"]);

/** What the first snapshot is made of. */
export interface StartUp {
  readonly snapshot: Snapshot;
  readonly geoip: LoadedGeoIp | undefined;
  readonly connector: ConnectorFiles | undefined;
  /** Absent: the system's resolver is used. */
  readonly resolver: ResolverFiles | undefined;
  /** The limit in effect. */
  readonly rateLimit: RateLimit;
  /** What reads the files of the state. */
  readonly files: NamedFiles;
  /** What has read the certificates, and reads them again. */
  readonly certificates: CertificateStore;
  readonly materials: RouteMaterials;
  readonly pages: ErrorPageFiles;
  readonly board: BackendBoard;
  /** Absent: no authority is configured. */
  readonly issued: IssuanceStore | undefined;
  /** Absent: there is no limit of memory. */
  readonly memory: MemoryGuard | undefined;
}

/**
 * Compiles the first snapshot from the configuration and the database.
 *
 * @throws {ControlError} if there is nothing to serve, a row that does not parse, or a country rule
 * that cannot be applied.
 * @throws {ConnectorFilesError} if the files of the connector cannot be used.
 */
export async function compileStartUp(
  options: {
    config: Config;
    rows: StoredRows;
    log: LogSink;
    readFile: ReadFile;
    issued?: IssuanceStore | undefined;
    now: () => number;
  },
): Promise<StartUp> {
  const { config, rows: stored, readFile, now, log } = options;
  const rules = stored.firewallRules();
  const geoip = await openConfiguredGeoIp(options, namesCountries(stored, rules));
  const { issued } = options;
  const readIssued = issued && ((name: string) => issued.certificate(name));
  const files = new NamedFiles({ places: namedFilesOf(config), readFile, readStamp });
  const { readFile: read, readStamp: stamp } = files;
  const certificates = new CertificateStore({
    ...{ readFile: read, readStamp: stamp, readIssued, now },
    readShared: issued && ((pair) => sharedPairOf(issued, pairNameOf(pair))),
  });
  const connector = config.connector &&
    await readConnectorFiles(config.connector, { store: certificates, nowMs: now() });
  const rows = stored.listeners();
  if (rows.length === 0) {
    throw new ControlError(
      "no_listeners",
      config.state.source === "file"
        ? "there is no listener: [[listeners]] names none, and the file is the truth"
        : "there is no listener: [[listeners]] names none, and the database holds none",
    );
  }
  const listeners = await compileListeners(rows, stored);
  const materials = new RouteMaterials({ store: certificates, log });
  const { l7: { errorPages: common } } = config;
  const pages = new ErrorPageFiles({ store: certificates, common, log });
  const routes = listeners.flatMap(({ routes }) => routes);
  const board = new BackendBoard({ now, log });
  board.replace(listeners);
  const resolver = await openResolverFiles(options);
  // What was set at run time wins.
  const { rateLimit: limit, rateWindowMs: windowMs } = config.firewall;
  const rateLimit = stored.settings.rateLimit ?? { limit, windowMs };
  const memory = guardMemory(config, log);
  const snapshot: Snapshot = {
    settings: {
      connectTimeoutMs: config.proxy.connectTimeoutMs,
      idleTimeoutMs: config.proxy.idleTimeoutMs,
      ...ownPorts(config),
      ...memory && { pressure: memory.buffer },
      l7: {
        h2Transport: config.l7.h2Transport,
        fields: {
          refuseUnderscores: config.l7.refuseUnderscores,
          trustedForwarding: config.l7.trustedForwarding,
          requestTrailers: config.l7.requestTrailers,
        },
        limits: config.l7.limits,
        ...common.length > 0 && { errorPages: common },
        // Events that nobody writes are not worth their way out of the worker.
        accessLog: config.l7.accessLog && LOGS_REQUESTS.has(config.log.level),
        refusedRequests: countsRequests(config.bans),
      },
    },
    tls: await materials.load(routes),
    pages: await pages.load(routes),
    listeners,
    backends: board.cells,
    firewall: {
      rules: compileFirewall(rules),
      ...geoip && { geoip: geoip.buffer },
      ...compileRateLimit(rateLimit),
      sources: compileSources(config),
    },
    ...connector && { connector: connector.snapshot },
    ...config.state.source === "postgres" && {
      isDrained: stored.settings.drain !== undefined,
    },
    ...resolver && { resolver: resolver.settings },
    ...issued && config.acme && {
      challenges: await challengesOf(issued, {
        ...{ type: config.acme.challenge, directory: config.acme.directory, now: now() },
      }),
    },
  };
  return {
    snapshot,
    files,
    geoip,
    connector,
    resolver,
    rateLimit,
    certificates,
    materials,
    pages,
    board,
    issued,
    memory,
  };
}

/** Whether a rule or a route names a country. */
function namesCountries(stored: StoredRows, rules: readonly FirewallRule[]): boolean {
  return rules.some((rule) => rule.type === "country") ||
    stored.listeners().some(({ id }) =>
      stored.routes(id).some(({ allowedCountries = [] }) => allowedCountries.length > 0)
    );
}

/** What counts as one source of connections, and memory to count those that are open. */
function compileSources({ firewall }: Config): SourcesSnapshot {
  const { ipv6Prefix, ipv6SiteFactor: siteFactor, maxConnectionsPerSource: limit } = firewall;
  if (limit === 0) return { ipv6Prefix, siteFactor };
  const key = crypto.getRandomValues(new Uint32Array(4));
  const { buffer } = createConnectionLimiter({ limit, key, workers: MAX_WORKERS });
  return { ipv6Prefix, siteFactor, connections: { limit, buffer } };
}

function guardMemory(config: Config, log: LogSink): MemoryGuard | undefined {
  const { memoryLimitMib } = config.server;
  if (memoryLimitMib === 0) return undefined;
  const resident = () => Deno.memoryUsage().rss;
  return new MemoryGuard({ limit: memoryLimitMib * 1024 * 1024, resident, log });
}

/** The metrics' port: no session is to be led there. */
function ownPorts({ metrics }: Config): Pick<Settings, "ownPorts"> {
  const endpoint = parseListenEndpoint(metrics?.addr ?? "");
  return endpoint.ok ? { ownPorts: [endpoint.value.port] } : {};
}

/** What logs say of a GeoIP database. */
export function geoipFields(path: string, { geoip }: LoadedGeoIp): Record<string, unknown> {
  const built = new Date(geoip.buildEpoch * 1000).toISOString();
  return { path, type: geoip.databaseType, built };
}

/**
 * With country rules a missing or broken database is fatal: starting without it would let in
 * everybody the operator wants kept out, or keep out everybody who is to be let in.
 */
async function openConfiguredGeoIp(
  { config, log, readFile }: { config: Config; log: LogSink; readFile: ReadFile },
  needed: boolean,
): Promise<LoadedGeoIp | undefined> {
  const path = config.firewall.geoipDb;
  if (path === undefined) {
    if (!needed) return undefined;
    const message = "there are country rules, but firewall.geoip_db names no database";
    throw new ControlError("geoip_unavailable", message);
  }
  try {
    const loaded = await loadGeoIp(path, readFile);
    log({ level: "info", message: "GeoIP database loaded", fields: geoipFields(path, loaded) });
    return loaded;
  } catch (error) {
    const message = `the GeoIP database ${path} cannot be used`;
    if (needed) throw new ControlError("geoip_unavailable", message, { cause: error });
    const fields = { path, error: describeError(error) };
    log({ level: "warn", message: "GeoIP database not loaded", fields });
    return undefined;
  }
}
