import { describeError, type LogSink } from "../observe/mod.ts";
import type { SocketsKind } from "../tcp/mod.ts";
import { LoopWatch } from "../workers/mod.ts";
import type { ZoneChange, ZoneTable } from "../zones/mod.ts";
import type { ServedAddress } from "./address_server.ts";
import { type AddressStatus, AddressWorker } from "./address_worker.ts";
import type { Ask, Told } from "./ask.ts";
import type { ServerStatus } from "./server_status.ts";
import type { Changeable, ServingSettings, TlsMaterial } from "./settings.ts";
import { DnsWorkerError } from "./worker_handle.ts";

/** A change is acknowledged without a worker that has not made it by then. */
const APPLY_TIMEOUT_MS = 2000;
const LOOK_MS = 1000;
/** Whoever asks for metrics does not wait for a worker that hangs. */
const STATUS_TIMEOUT_MS = 1000;

/** What a {@link DnsPool} is given. */
export interface DnsPoolOptions {
  readonly addresses: readonly ServedAddress[];
  readonly settings: ServingSettings;
  readonly sockets: SocketsKind;
  /** Given with addresses that have a port of TLS. */
  readonly tls?: TlsMaterial;
  /** What is served now: a worker that starts later begins with it. */
  readonly zones: () => ZoneTable;
  readonly log: LogSink;
  /** A worker loops and cannot be ended: it keeps its address until the process ends. */
  readonly onStuck: (address: ServedAddress) => void;
  /** Answers what workers ask; absent: nothing is known. */
  readonly answer?: (what: Ask) => Promise<Told | undefined>;
  /** Default: the server of an address. */
  readonly entry?: URL;
}

/**
 * The servers of all addresses, each in a worker of its own with all zones: one that dies takes the
 * others nothing, and another takes its place.
 */
export class DnsPool implements AsyncDisposable {
  readonly #options: DnsPoolOptions;
  readonly #servers: readonly AddressWorker[];
  readonly #underWay = new Set<ZoneChange>();
  readonly #watch = new LoopWatch();
  readonly #timer: ReturnType<typeof setInterval>;
  #tls: TlsMaterial | undefined;
  #settings: ServingSettings;

  private constructor(options: DnsPoolOptions) {
    this.#options = options;
    this.#tls = options.tls;
    this.#settings = options.settings;
    this.#servers = options.addresses.map((address, index) =>
      new AddressWorker({
        ...{ ...options, index, address, watch: this.#watch },
        tls: () => this.#tls,
        beginning: () => ({
          ...{ settings: this.#settings, zones: options.zones(), changes: this.#underWay },
        }),
      })
    );
    this.#timer = setInterval(() => this.#look(), LOOK_MS);
  }

  /**
   * Starts a worker for each address; resolves when all of them answer.
   *
   * @throws {Error} if an address cannot be bound; then none is.
   */
  static async start(options: DnsPoolOptions): Promise<DnsPool> {
    const pool = new DnsPool(options);
    const started = await Promise.allSettled(pool.#servers.map((server) => server.start()));
    const failed = started.findIndex(({ status }) => status === "rejected");
    const failure = started[failed];
    if (failure?.status !== "rejected") return pool;
    await pool[Symbol.asyncDispose]();
    const { host, port } = options.addresses[failed] as ServedAddress;
    const where = host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
    throw new Error(`cannot serve DNS at ${where}: ${describeError(failure.reason)}`);
  }

  /** How each of them is. */
  get status(): AddressStatus[] {
    return this.#servers.map(({ status }) => status);
  }

  /** What each of them keeps beside its counters; one that does not say so in time has nothing. */
  async serverStatus(): Promise<{ readonly host: string; readonly status: ServerStatus }[]> {
    return await Promise.all(this.#servers.map(async (server) => {
      const { address: { host }, state } = server.status;
      const asked = state === "serving" ? server.request({ type: "status" }) : undefined;
      const reply = await inTime(asked?.catch(() => undefined), STATUS_TIMEOUT_MS); // It has died.
      return { host, status: reply?.status ?? {} };
    }));
  }

  /**
   * Has every worker make a change.
   *
   * @returns the workers that have not made it yet; they will.
   * @throws {DnsWorkerError} if one refuses it.
   */
  async apply(change: ZoneChange): Promise<{ readonly pendingWorkers: readonly number[] }> {
    this.#underWay.add(change);
    try {
      const late = new Set<number>();
      const results = this.#servers.map(async (server) => {
        late.add(server.index);
        try {
          await server.send(change);
        } catch (error) {
          // The next one begins with what is served then.
          if (!(error instanceof DnsWorkerError) || error.code !== "died") throw error;
        }
        late.delete(server.index);
      });
      const timeout = Promise.withResolvers<void>();
      const timer = setTimeout(timeout.resolve, APPLY_TIMEOUT_MS);
      const all = Promise.all(results);
      all.catch(() => {}); // It may refuse after we have waited long enough.
      await Promise.race([all, timeout.promise]).finally(() => clearTimeout(timer));
      return { pendingWorkers: [...late] };
    } finally {
      this.#underWay.delete(change);
    }
  }

  /** Upstreams, keys, and what zones are served with, from now on. */
  async reconfigure({ forward, services }: Changeable): Promise<void> {
    const { forward: _forward, services: _services, ...rest } = this.#settings;
    const settings = { ...forward && { forward }, ...services && { services } };
    this.#settings = { ...rest, ...settings };
    const told = this.#servers.map((it) => it.request({ type: "reconfigure", settings }));
    for (const result of await Promise.allSettled(told)) {
      if (result.status === "fulfilled") continue;
      const fields = { error: describeError(result.reason) };
      this.#options.log({ level: "error", message: "a worker does not take settings", fields });
    }
  }

  /** The certificate of DNS over TLS from now on. */
  async setTls(tls: TlsMaterial): Promise<void> {
    this.#tls = tls;
    const told = this.#servers.map((it) => it.request({ type: "tls", tls }));
    for (const result of await Promise.allSettled(told)) {
      if (result.status === "fulfilled") continue;
      const fields = { error: describeError(result.reason) };
      this.#options.log({ level: "error", message: "a certificate was not taken", fields });
    }
  }

  /** Has all take no more questions, and answer those that came; ends them after `timeoutMs`. */
  async drain(timeoutMs: number): Promise<void> {
    await Promise.allSettled(this.#servers.map((server) => server.drain(timeoutMs)));
    await this[Symbol.asyncDispose]();
  }

  /** Ends all at once. */
  [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    for (const server of this.#servers) server.end();
    return Promise.resolve();
  }

  #look(): void {
    const silences = this.#watch.look();
    for (const server of this.#servers) {
      if (server.isLooping(silences)) this.#options.onStuck(server.status.address);
    }
  }
}

async function inTime<T>(promised: Promise<T> | undefined, ms: number): Promise<T | undefined> {
  if (promised === undefined) return undefined;
  const late = Promise.withResolvers<undefined>();
  const timer = setTimeout(() => late.resolve(undefined), ms);
  try {
    return await Promise.race([promised, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
