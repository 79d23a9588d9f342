import type { ConnectorConfig } from "../config/mod.ts";
import { describeError, type LogSink } from "../observe/mod.ts";
import type { ConnectorSnapshot } from "../plane/mod.ts";
import { ConnectorReloader } from "./connector_reloader.ts";
import type { ReadFile } from "./files.ts";
import type { MemoryGuard } from "./memory_guard.ts";
import type { ServedState } from "./served_state.ts";
import type { StartUp } from "./start_up.ts";
import { TLS_POLL_MS, type TlsStore } from "./tls_store.ts";

/** What an {@link Upkeep} works with. */
export interface UpkeepOptions {
  readonly connector: ConnectorConfig | undefined;
  readonly startUp: StartUp;
  readonly state: ServedState;
  readonly readFile: ReadFile;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly log: LogSink;
}

/**
 * What has to be looked after while the proxy runs: files that are renewed, and memory. Whatever is
 * not as it should be is told to whoever asks for health.
 */
export class Upkeep implements Disposable {
  readonly #state: ServedState;
  readonly #tls: TlsStore;
  readonly #memory: MemoryGuard | undefined;
  readonly #connector: ConnectorReloader | undefined;
  readonly #tlsPoll: ReturnType<typeof setInterval>;
  #geoipRefusal: string | undefined;

  constructor(options: UpkeepOptions) {
    const { startUp, state, log } = options;
    this.#state = state;
    this.#tls = startUp.tls;
    this.#memory = startUp.memory;
    this.#connector = watchConnector(options);
    this.#tlsPoll = setInterval(() => {
      this.reloadTls().catch((error) => {
        const fields = { error: describeError(error) };
        log({ level: "error", message: "certificates could not be looked after", fields });
      });
    }, TLS_POLL_MS);
  }

  /** The files of the connector's own certificate and of its authorities. */
  get connectorCertificates(): readonly string[] {
    return this.#connector?.certificates ?? [];
  }

  /** What could not be reloaded, so that something older is in use; one sentence each. */
  get refusals(): readonly string[] {
    const routes = this.#state.snapshot.listeners.flatMap(({ routes }) => routes);
    return [
      ...(this.#connector?.refused ?? []).map((reason) => `connector: ${reason}`),
      ...this.#geoipRefusal === undefined ? [] : [`GeoIP: ${this.#geoipRefusal}`],
      ...this.#tls.refusals(routes),
    ];
  }

  /** What is odd, and works all the same; one sentence each. */
  get warnings(): readonly string[] {
    const memory = this.#memory?.warning;
    return [
      ...(this.#connector?.warnings ?? []).map((warning) => `connector: ${warning}`),
      ...memory === undefined ? [] : [memory],
    ];
  }

  /** Takes up certificates and keys whose files have changed; open connections go on. */
  async reloadTls(): Promise<void> {
    const operation = { actor: "mc-proxy", action: "ReloadTLS" };
    await this.#state.exclusive(() => this.#state.refreshTls(operation));
  }

  /**
   * Reads the connector's certificates and revocation lists again, if there are any; `reread` tells
   * which ones the configuration names now. A file that cannot be used keeps what it held.
   */
  async reloadConnector(reread?: () => ConnectorConfig | undefined): Promise<void> {
    await this.#connector?.reload(reread);
  }

  /** Notes why the GeoIP file was not taken, or that it was. */
  noteGeoIp(refusal: string | undefined): void {
    this.#geoipRefusal = refusal;
  }

  [Symbol.dispose](): void {
    clearInterval(this.#tlsPoll);
    this.#memory?.[Symbol.dispose]();
    this.#connector?.[Symbol.dispose]();
  }
}

function watchConnector(
  { connector: config, startUp: { connector: files }, state, ...options }: UpkeepOptions,
): ConnectorReloader | undefined {
  if (config === undefined || files === undefined) return undefined;
  const { readFile, now, log } = options;
  const apply = (connector: ConnectorSnapshot) =>
    state.exclusive(() => {
      const operation = { actor: "mc-proxy", action: "ReloadConnector" };
      return state.replaceConnector(connector, operation);
    });
  return new ConnectorReloader({ config, files, readFile, now, log, apply });
}
