import { describeError, type LogSink } from "../observe/mod.ts";
import type { SocketsKind } from "../tcp/mod.ts";
import type { LoopWatch } from "../workers/mod.ts";
import type { ZoneChange, ZoneTable } from "../zones/mod.ts";
import type { ServedAddress } from "./address_server.ts";
import type { Ask, Told } from "./ask.ts";
import { DNS_COUNTERS_BYTES, DnsCounters } from "./counters.ts";
import type { Reply, Request } from "./messages.ts";
import type { ServingSettings, TlsMaterial } from "./settings.ts";
import { DnsWorkerHandle, type Ports } from "./worker_handle.ts";
import { sliceChange } from "./zone_slices.ts";

/** Between the death of a worker and the next one, and the longest such pause. */
const FIRST_BACKOFF_MS = 100;
const MAX_BACKOFF_MS = 10_000;
/** A worker that lived for so long is not held against the next one. */
const STABLE_MS = 30_000;

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

/** What a worker begins with. */
export interface Beginning {
  readonly settings: ServingSettings;
  /** What is served now. */
  readonly zones: ZoneTable;
  /** Changes that are being made just now: they are not in the zones yet, or are made twice, which is once. */
  readonly changes: Iterable<ZoneChange>;
}

/** What an {@link AddressWorker} is given. */
export interface AddressWorkerOptions {
  readonly index: number;
  readonly address: ServedAddress;
  readonly sockets: SocketsKind;
  readonly log: LogSink;
  readonly watch: LoopWatch;
  readonly beginning: () => Beginning;
  /** The certificate that there is when it begins to serve; absent: no port of TLS. */
  readonly tls: () => TlsMaterial | undefined;
  /** Answers what workers ask; absent: nothing is known. */
  readonly answer?: (what: Ask) => Promise<Told | undefined>;
  /** Default: the server of an address. */
  readonly entry?: URL;
}

/** The server of one address: workers come and go in its place, and its ports and counters stay. */
export class AddressWorker {
  readonly index: number;
  readonly #options: AddressWorkerOptions;
  readonly #counters = new SharedArrayBuffer(DNS_COUNTERS_BYTES);
  /** With the ports that it got, so that its next worker gets the same. */
  #address: ServedAddress;
  #handle: DnsWorkerHandle | undefined;
  /** What is sent is sent behind what was sent before. */
  #sent: Promise<unknown> = Promise.resolve();
  #state: AddressStatus["state"] = "starting";
  #ports: Ports = { port: 0, tlsPort: 0 };
  #restarts = 0;
  #backoffMs = FIRST_BACKOFF_MS;
  #startedAt = 0;
  #respawn: ReturnType<typeof setTimeout> | undefined;
  #isClosed = false;

  constructor(options: AddressWorkerOptions) {
    this.#options = options;
    this.index = options.index;
    this.#address = options.address;
  }

  /** How it is. */
  get status(): AddressStatus {
    return {
      ...{ address: this.#address, state: this.#state, restarts: this.#restarts, ...this.#ports },
      counters: new DnsCounters(this.#counters),
    };
  }

  /**
   * Starts a worker; resolves when it answers questions.
   *
   * @throws {Error} if the address cannot be bound.
   */
  async start(): Promise<void> {
    const { index, sockets, entry, answer, log, watch } = this.#options;
    const { settings, zones, changes } = this.#options.beginning();
    const handle = new DnsWorkerHandle({
      name: `dns-${index}`,
      ...entry && { entry },
      ...answer && { answer },
      log,
      onDeath: (reason) => this.#onDeath(handle, reason),
    });
    this.#handle = handle;
    this.#startedAt = performance.now();
    watch.add(handle.signs);
    const [counters, { vitalSigns }] = [this.#counters, handle];
    const begun = handle.request({ type: "start", settings, sockets, counters, vitalSigns });
    this.#sent = begun;
    const told = [...zones.zones].map((zone) => this.send({ kind: "set", zone }));
    for (const change of changes) told.push(this.send(change));
    try {
      await Promise.all([begun, ...told]);
      await this.#serve(handle);
    } catch (error) {
      handle.terminate("it did not get to serve");
      watch.remove(handle.signs);
      throw error;
    }
  }

  /** Sends a change behind those that were sent before, slice by slice. */
  send(change: ZoneChange): Promise<void> {
    const [handle, sent] = [this.#handle, this.#sent];
    if (handle === undefined) return Promise.resolve();
    const done = sent.catch(() => {}).then(async () => {
      for (const slice of sliceChange(change)) await handle.request({ type: "slice", slice });
    });
    this.#sent = done.catch(() => {}); // For whoever asked for it.
    return done;
  }

  /** Asks the worker that there is; nothing if there is none. */
  async request(request: Request): Promise<Reply | undefined> {
    return await this.#handle?.request(request);
  }

  /** Has it take no more questions, and answer those that came. */
  async drain(timeoutMs: number): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#respawn);
    this.#state = "draining";
    await this.request({ type: "drain", timeoutMs });
  }

  /** Ends it at once. */
  end(): void {
    this.#isClosed = true;
    clearTimeout(this.#respawn);
    this.#handle?.terminate("the server ends");
  }

  /** Whether it loops, by what its thread has shown. */
  isLooping(silences: ReturnType<LoopWatch["look"]>): boolean {
    return this.#handle !== undefined && silences.get(this.#handle.signs)?.isLoop === true;
  }

  async #serve(handle: DnsWorkerHandle): Promise<void> {
    const [address, tls] = [this.#address, this.#options.tls()];
    const reply = await handle.request({ type: "serve", address, ...tls && { tls } });
    const ports = reply?.ports;
    if (ports === undefined || this.#handle !== handle) return;
    this.#ports = ports;
    const { host, tlsPort } = address;
    this.#address = {
      ...{ host, port: ports.port },
      ...tlsPort !== undefined && { tlsPort: ports.tlsPort },
    };
    this.#state = "serving";
  }

  #onDeath(handle: DnsWorkerHandle, reason: string): void {
    const { watch, log } = this.#options;
    watch.remove(handle.signs);
    // One that did not get to serve is whoever's that has started it.
    if (this.#isClosed || this.#handle !== handle || this.#state !== "serving") return;
    const fields = { host: this.#address.host, reason };
    log({ level: "error", message: "the server of an address ended", fields });
    this.#restart();
  }

  #restart(): void {
    const { log } = this.#options;
    this.#handle = undefined;
    this.#state = "restarting";
    this.#restarts++;
    const lived = performance.now() - this.#startedAt;
    this.#backoffMs = lived > STABLE_MS
      ? FIRST_BACKOFF_MS
      : Math.min(2 * this.#backoffMs, MAX_BACKOFF_MS);
    this.#respawn = setTimeout(() => {
      const { host } = this.#address;
      this.start().then(() => {
        const fields = { host, restarts: this.#restarts };
        log({ level: "info", message: "an address is served again", fields });
      }, (error) => {
        if (this.#isClosed) return;
        const fields = { host, error: describeError(error) };
        log({ level: "error", message: "an address is not served", fields });
        this.#restart();
      });
    }, this.#backoffMs);
  }
}
