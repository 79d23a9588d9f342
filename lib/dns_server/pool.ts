import { describeError, type LogSink } from "../observe/mod.ts";
import type { SocketsKind } from "../tcp/mod.ts";
import { LoopWatch } from "../workers/mod.ts";
import type { ZoneChange, ZoneTable } from "../zones/mod.ts";
import type { ServedAddress } from "./address_server.ts";
import type { Ask, Told } from "./ask.ts";
import { DNS_COUNTERS_BYTES, DnsCounters } from "./counters.ts";
import type { ServerStatus } from "./server_status.ts";
import type { Changeable, ServingSettings, TlsMaterial } from "./settings.ts";
import { DnsWorkerError, DnsWorkerHandle, type Ports } from "./worker_handle.ts";
import { sliceChange } from "./zone_slices.ts";

/** A change is acknowledged without a worker that has not made it by then. */
const APPLY_TIMEOUT_MS = 2000;
/** Between the death of a worker and the next one, and the longest such pause. */
const FIRST_BACKOFF_MS = 100;
const MAX_BACKOFF_MS = 10_000;
/** A worker that lived for so long is not held against the next one. */
const STABLE_MS = 30_000;
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

/** The server of one address, for whoever operates it. */
export interface AddressStatus {
  readonly address: ServedAddress;
  readonly state: "starting" | "serving" | "restarting" | "draining";
  /** Also where any was asked for. */
  readonly port: number;
  readonly tlsPort: number;
  readonly restarts: number;
  readonly counters: DnsCounters;
}

/** The place of one address; workers come and go in it. */
interface Slot {
  readonly index: number;
  readonly counters: SharedArrayBuffer;
  /** With the ports that it got, so that its next worker gets the same. */
  address: ServedAddress;
  handle: DnsWorkerHandle | undefined;
  /** What is sent is sent behind what was sent before. */
  sent: Promise<unknown>;
  state: AddressStatus["state"];
  ports: Ports;
  restarts: number;
  backoffMs: number;
  startedAt: number;
  respawn: ReturnType<typeof setTimeout> | undefined;
}

/**
 * The servers of all addresses, each in a worker of its own with all zones: one that dies takes the
 * others nothing, and another takes its place.
 */
export class DnsPool implements AsyncDisposable {
  readonly #options: DnsPoolOptions;
  readonly #slots: readonly Slot[];
  readonly #underWay = new Set<ZoneChange>();
  readonly #watch = new LoopWatch();
  readonly #timer: ReturnType<typeof setInterval>;
  #tls: TlsMaterial | undefined;
  #settings: ServingSettings;
  #closed = false;

  private constructor(options: DnsPoolOptions) {
    this.#options = options;
    this.#tls = options.tls;
    this.#settings = options.settings;
    this.#slots = options.addresses.map((address, index) => ({
      ...{ index, address, handle: undefined, sent: Promise.resolve(), respawn: undefined },
      ...{ state: "starting", ports: { port: 0, tlsPort: 0 }, restarts: 0, startedAt: 0 },
      backoffMs: FIRST_BACKOFF_MS,
      counters: new SharedArrayBuffer(DNS_COUNTERS_BYTES),
    }));
    this.#timer = setInterval(() => this.#look(), LOOK_MS);
  }

  /**
   * Starts a worker for each address; resolves when all of them answer.
   *
   * @throws {Error} if an address cannot be bound; then none is.
   */
  static async start(options: DnsPoolOptions): Promise<DnsPool> {
    const pool = new DnsPool(options);
    const started = await Promise.allSettled(pool.#slots.map((slot) => pool.#start(slot)));
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
    return this.#slots.map(({ address, state, ports, restarts, counters }) => ({
      ...{ address, state, restarts, ...ports },
      counters: new DnsCounters(counters),
    }));
  }

  /** What each of them keeps beside its counters; one that does not say so in time has nothing. */
  async serverStatus(): Promise<{ readonly host: string; readonly status: ServerStatus }[]> {
    return await Promise.all(this.#slots.map(async ({ address: { host }, handle, state }) => {
      const asked = state === "serving" ? handle?.request({ type: "status" }) : undefined;
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
      const results = this.#slots.map(async (slot) => {
        late.add(slot.index);
        try {
          await this.#send(slot, change);
        } catch (error) {
          // The next one begins with what is served then.
          if (!(error instanceof DnsWorkerError) || error.code !== "died") throw error;
        }
        late.delete(slot.index);
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
    const told = this.#slots.map(({ handle }) =>
      handle?.request({ type: "reconfigure", settings })
    );
    for (const result of await Promise.allSettled(told)) {
      if (result.status === "fulfilled") continue;
      const fields = { error: describeError(result.reason) };
      this.#options.log({ level: "error", message: "a worker does not take settings", fields });
    }
  }

  /** The certificate of DNS over TLS from now on. */
  async setTls(tls: TlsMaterial): Promise<void> {
    this.#tls = tls;
    const told = this.#slots.map(({ handle }) => handle?.request({ type: "tls", tls }));
    for (const result of await Promise.allSettled(told)) {
      if (result.status === "fulfilled") continue;
      const fields = { error: describeError(result.reason) };
      this.#options.log({ level: "error", message: "a certificate was not taken", fields });
    }
  }

  /** Has all take no more questions, and answer those that came; ends them after `timeoutMs`. */
  async drain(timeoutMs: number): Promise<void> {
    this.#closed = true;
    await Promise.allSettled(this.#slots.map(async (slot) => {
      clearTimeout(slot.respawn);
      slot.state = "draining";
      await slot.handle?.request({ type: "drain", timeoutMs });
    }));
    await this[Symbol.asyncDispose]();
  }

  /** Ends all at once. */
  [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    clearInterval(this.#timer);
    for (const { handle, respawn } of this.#slots) {
      clearTimeout(respawn);
      handle?.terminate("the server ends");
    }
    return Promise.resolve();
  }

  async #start(slot: Slot): Promise<void> {
    const { log, sockets, entry, answer } = this.#options;
    const settings = this.#settings;
    const handle = new DnsWorkerHandle({
      name: `dns-${slot.index}`,
      ...entry && { entry },
      ...answer && { answer },
      log,
      onDeath: (reason) => this.#onDeath(slot, handle, reason),
    });
    slot.handle = handle;
    slot.startedAt = performance.now();
    this.#watch.add(handle.signs);
    const { counters } = slot;
    const { vitalSigns } = handle;
    const begun = handle.request({ type: "start", settings, sockets, counters, vitalSigns });
    slot.sent = begun;
    const zones = [...this.#options.zones().zones].map((zone) =>
      this.#send(slot, { kind: "set", zone })
    );
    // What is being made just now is not in the zones yet, or is made twice, which is once.
    const changes = [...this.#underWay].map((change) => this.#send(slot, change));
    try {
      await Promise.all([begun, ...zones, ...changes]);
      const { address } = slot;
      const tls = this.#tls;
      const reply = await handle.request({ type: "serve", address, ...tls && { tls } });
      const ports = reply?.ports;
      if (ports === undefined || slot.handle !== handle) return;
      slot.ports = ports;
      const { tlsPort } = address;
      slot.address = {
        ...{ host: address.host, port: ports.port },
        ...tlsPort !== undefined && { tlsPort: ports.tlsPort },
      };
      slot.state = "serving";
    } catch (error) {
      handle.terminate("it did not get to serve");
      this.#watch.remove(handle.signs);
      throw error;
    }
  }

  /** Sends a change behind those that were sent before, slice by slice. */
  #send(slot: Slot, change: ZoneChange): Promise<void> {
    const { handle, sent } = slot;
    if (handle === undefined) return Promise.resolve();
    const done = sent.catch(() => {}).then(async () => {
      for (const slice of sliceChange(change)) await handle.request({ type: "slice", slice });
    });
    slot.sent = done.catch(() => {}); // For whoever asked for it.
    return done;
  }

  #onDeath(slot: Slot, handle: DnsWorkerHandle, reason: string): void {
    this.#watch.remove(handle.signs);
    // One that did not get to serve is whoever's that has started it.
    if (this.#closed || slot.handle !== handle || slot.state !== "serving") return;
    const { host } = slot.address;
    const fields = { host, reason };
    this.#options.log({ level: "error", message: "the server of an address ended", fields });
    this.#restart(slot);
  }

  #restart(slot: Slot): void {
    slot.handle = undefined;
    slot.state = "restarting";
    slot.restarts++;
    const lived = performance.now() - slot.startedAt;
    slot.backoffMs = lived > STABLE_MS
      ? FIRST_BACKOFF_MS
      : Math.min(2 * slot.backoffMs, MAX_BACKOFF_MS);
    slot.respawn = setTimeout(() => {
      this.#start(slot).then(() => {
        const fields = { host: slot.address.host, restarts: slot.restarts };
        this.#options.log({ level: "info", message: "an address is served again", fields });
      }, (error) => {
        if (this.#closed) return;
        const fields = { host: slot.address.host, error: describeError(error) };
        this.#options.log({ level: "error", message: "an address is not served", fields });
        this.#restart(slot);
      });
    }, slot.backoffMs);
  }

  #look(): void {
    const silences = this.#watch.look();
    for (const { handle, address } of this.#slots) {
      if (handle !== undefined && silences.get(handle.signs)?.isLoop) {
        this.#options.onStuck(address);
      }
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
