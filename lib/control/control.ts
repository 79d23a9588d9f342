import { parseListenEndpoint } from "../addr/mod.ts";
import type { Config } from "../config/mod.ts";
import type { Database, ListenerRow } from "../db/mod.ts";
import {
  compileFirewall,
  createRateLimiter,
  type FirewallRule,
  type RateLimiter,
} from "../firewall/mod.ts";
import { type ConnectionEvent, describeError, GAUGE_BYTES, type LogSink } from "../observe/mod.ts";
import type { FirewallSnapshot, ListenerSnapshot, Plane, Snapshot } from "../server/mod.ts";
import { findFreePort } from "./free_port.ts";
import { type LoadedGeoIp, loadGeoIp } from "./geoip.ts";

/** What the control plane is given from outside. */
export interface ControlOptions {
  readonly config: Config;
  /** Open and migrated; stays the caller's to close. */
  readonly database: Database;
  readonly log: LogSink;
  readonly onEvent: (event: ConnectionEvent) => void;
  /** Starts the data plane, in workers or in this thread. */
  readonly startPlane: (snapshot: Snapshot, sinks: PlaneSinks) => Promise<Plane>;
  readonly readFile?: (path: string) => Promise<Uint8Array>;
}

/** Where the data plane reports to. */
export interface PlaneSinks {
  readonly onEvent: (event: ConnectionEvent) => void;
  readonly log: LogSink;
}

/** The configuration and the database do not make a servable whole; the message says why. */
export class ControlError extends Error {
  override readonly name = "ControlError";
  readonly code: "no_listeners" | "geoip_unavailable";

  constructor(code: ControlError["code"], message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/**
 * The control plane: the single writer. It turns database rows and settings into the snapshot that
 * the data plane serves, and is the only one that changes either.
 */
export class Control {
  readonly #options: ControlOptions;
  readonly #rateLimiter: RateLimiter | undefined;
  #snapshot: Snapshot;
  #geoip: LoadedGeoIp | undefined;
  #plane: Plane;

  private constructor(options: ControlOptions, parts: {
    snapshot: Snapshot;
    geoip: LoadedGeoIp | undefined;
    rateLimiter: RateLimiter | undefined;
    plane: Plane;
  }) {
    this.#options = options;
    this.#snapshot = parts.snapshot;
    this.#geoip = parts.geoip;
    this.#rateLimiter = parts.rateLimiter;
    this.#plane = parts.plane;
  }

  /**
   * Compiles the first snapshot and starts the data plane; resolves when every listener is bound.
   *
   * @throws {ControlError} if there is nothing to serve, or a country rule that cannot be applied.
   * @throws {Error} if a listener cannot be bound.
   */
  static async start(options: ControlOptions): Promise<Control> {
    const { config, database, log, onEvent } = options;
    const rules = database.firewallRules();
    const geoip = await openConfiguredGeoIp(options, rules);
    const rateLimiter = createConfiguredRateLimiter(config);
    const rows = database.listeners();
    if (rows.length === 0) {
      throw new ControlError("no_listeners", "the database holds no listener");
    }
    const listeners: ListenerSnapshot[] = [];
    for (const row of rows) listeners.push(await compileListener(row, database));
    const snapshot: Snapshot = {
      settings: {
        connectTimeoutMs: config.proxy.connectTimeoutMs,
        idleTimeoutMs: config.proxy.idleTimeoutMs,
      },
      listeners,
      firewall: compileFirewallSnapshot(config, rules, geoip, rateLimiter),
    };
    const plane = await options.startPlane(snapshot, { onEvent, log });
    return new Control(options, { snapshot, geoip, rateLimiter, plane });
  }

  /** Where the listeners are bound, in the order of the snapshot. */
  get listeners(): readonly ListenerSnapshot[] {
    return this.#snapshot.listeners;
  }

  /** When the GeoIP database in use was built, in milliseconds since 1970. */
  get geoipBuiltMs(): number | undefined {
    return this.#geoip && this.#geoip.geoip.buildEpoch * 1000;
  }

  /** The data plane, for questions. */
  get plane(): Plane {
    return this.#plane;
  }

  /**
   * Reads the GeoIP file again and swaps it in. A broken file changes nothing: look-ups go on in
   * the database that was loaded before.
   *
   * @returns whether a new database is in use.
   */
  async reloadGeoIp(): Promise<boolean> {
    const { config, log } = this.#options;
    const path = config.firewall.geoipDb;
    if (path === undefined) return false;
    try {
      const loaded = await loadGeoIp(path, this.#options.readFile ?? Deno.readFile);
      const firewall = { ...this.#snapshot.firewall, geoip: loaded.buffer };
      const snapshot = { ...this.#snapshot, firewall };
      await this.#plane.apply([{ kind: "firewall", firewall }], snapshot);
      this.#geoip = loaded;
      this.#snapshot = snapshot;
      log({ level: "info", message: "GeoIP database reloaded", fields: geoipFields(path, loaded) });
      return true;
    } catch (error) {
      log({
        level: "error",
        message: "GeoIP database not reloaded, the old one stays in use",
        fields: { path, error: describeError(error) },
      });
      return false;
    }
  }

  /** Stops accepting, lets connections end for up to `timeoutMs`, then cuts them. */
  drain(timeoutMs: number): Promise<void> {
    return this.#plane.drain(timeoutMs);
  }
}

/**
 * With country rules a missing or broken database is fatal: starting without it would let in
 * everybody the operator wants kept out.
 */
async function openConfiguredGeoIp(
  options: ControlOptions,
  rules: readonly FirewallRule[],
): Promise<LoadedGeoIp | undefined> {
  const path = options.config.firewall.geoipDb;
  const needed = rules.some((rule) => rule.type === "country");
  if (path === undefined) {
    if (!needed) return undefined;
    const message = "there are country rules, but firewall.geoip_db names no database";
    throw new ControlError("geoip_unavailable", message);
  }
  try {
    const loaded = await loadGeoIp(path, options.readFile ?? Deno.readFile);
    const fields = geoipFields(path, loaded);
    options.log({ level: "info", message: "GeoIP database loaded", fields });
    return loaded;
  } catch (error) {
    const message = `the GeoIP database ${path} cannot be used`;
    if (needed) throw new ControlError("geoip_unavailable", message, { cause: error });
    const fields = { path, error: describeError(error) };
    options.log({ level: "warn", message: "GeoIP database not loaded", fields });
    return undefined;
  }
}

function geoipFields(path: string, { geoip }: LoadedGeoIp): Record<string, unknown> {
  const built = new Date(geoip.buildEpoch * 1000).toISOString();
  return { path, type: geoip.databaseType, built };
}

function createConfiguredRateLimiter({ firewall }: Config): RateLimiter | undefined {
  if (firewall.rateLimit === 0) return undefined;
  const key = crypto.getRandomValues(new Uint32Array(4));
  return createRateLimiter({ limit: firewall.rateLimit, windowMs: firewall.rateWindowMs, key });
}

function compileFirewallSnapshot(
  { firewall }: Config,
  rules: readonly FirewallRule[],
  geoip: LoadedGeoIp | undefined,
  limiter: RateLimiter | undefined,
): FirewallSnapshot {
  const rateLimit = limiter &&
    { limit: firewall.rateLimit, windowMs: firewall.rateWindowMs, buffer: limiter.buffer };
  return {
    rules: compileFirewall(rules),
    ...geoip && { geoip: geoip.buffer },
    ...rateLimit && { rateLimit },
  };
}

async function compileListener(row: ListenerRow, database: Database): Promise<ListenerSnapshot> {
  const endpoint = parseListenEndpoint(row.addr);
  if (!endpoint.ok) throw new TypeError(`listener ${row.addr}: ${endpoint.reason}`);
  const { host, port } = endpoint.value;
  return {
    id: row.id,
    addr: row.addr,
    host,
    port: port === 0 ? await findFreePort(host) : port,
    proxyProtocol: row.proxyProtocol,
    maxConnections: row.maxConnections,
    trustedProxies: row.trustedProxies,
    routes: database.routes(row.id),
    gauge: new SharedArrayBuffer(GAUGE_BYTES),
  };
}
