import type { CertificateExpiry, CertificateStore } from "../certificates/mod.ts";
import type { ConnectorConfig } from "../config/mod.ts";
import { describeError, type LogSink } from "../observe/mod.ts";
import type { ConnectorSnapshot } from "../plane/mod.ts";
import type { Route } from "../routes/mod.ts";
import { ConnectorReloader } from "./connector_reloader.ts";
import type { MemoryGuard } from "./memory_guard.ts";
import type { ErrorPageFiles } from "./error_page_files.ts";
import type { RouteMaterials } from "./route_materials.ts";
import type { ServedState } from "./served_state.ts";
import type { StartUp } from "./start_up.ts";

/** How often files are looked at; a renewed certificate may take that long to be used. */
const POLL_MS = 5000;

/** What an {@link Upkeep} works with. */
export interface UpkeepOptions {
  readonly connector: ConnectorConfig | undefined;
  readonly startUp: StartUp;
  readonly state: ServedState;
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
  readonly #store: CertificateStore;
  readonly #materials: RouteMaterials;
  readonly #pages: ErrorPageFiles;
  readonly #memory: MemoryGuard | undefined;
  readonly #connector: ConnectorReloader | undefined;
  readonly #poll: ReturnType<typeof setInterval>;
  #geoipRefusal: string | undefined;
  #fileRefusal: string | undefined;

  constructor(options: UpkeepOptions) {
    const { startUp, state, log } = options;
    this.#state = state;
    this.#store = startUp.certificates;
    this.#materials = startUp.materials;
    this.#pages = startUp.pages;
    this.#memory = startUp.memory;
    this.#connector = watchConnector(options);
    this.#poll = setInterval(() => {
      this.lookAtCertificates().catch((error) => {
        const fields = { error: describeError(error) };
        log({ level: "error", message: "certificates could not be looked after", fields });
      });
    }, POLL_MS);
  }

  /** When the certificates of routes, and of the connector with its authorities, end. */
  get expiries(): readonly CertificateExpiry[] {
    return this.#store.expiries();
  }

  /** What could not be reloaded, so that something older is in use; one sentence each. */
  get refusals(): readonly string[] {
    return [
      ...(this.#connector?.refused ?? []).map((reason) => `connector: ${reason}`),
      ...this.#fileRefusal === undefined ? [] : [this.#fileRefusal],
      ...this.#geoipRefusal === undefined ? [] : [`GeoIP: ${this.#geoipRefusal}`],
      ...this.#materials.refusals(this.#state.snapshot.listeners),
      ...this.#pages.refusals,
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

  /**
   * Takes up certificates, keys, authorities, revocation lists and error pages whose files have
   * changed; open connections go on. A file that cannot be used keeps what it held. `reread` tells which files of
   * the connector the configuration names now.
   */
  async lookAtCertificates(reread?: () => ConnectorConfig | undefined): Promise<void> {
    const operation = { actor: "mc-proxy", action: "ReloadTLS" };
    const refreshed = this.#state.exclusive(() => this.#state.unstored.refreshFiles(operation));
    // Whatever one of them meets: the other is not to wait for it to be mended.
    await Promise.allSettled([refreshed, this.#connector?.reload(reread)]);
    await refreshed;
    const routes = this.#materials.keepOnly(this.#routes);
    const connector = this.#connector?.keepOnly;
    this.#store.keepOnly({
      pairs: [...routes.pairs, ...connector?.pairs ?? []],
      files: [
        ...routes.files,
        ...this.#pages.keepOnly(this.#routes),
        ...connector?.files ?? [],
      ],
      issued: [...routes.issued, ...connector?.issued ?? []],
    });
  }

  /** Notes why the GeoIP file was not taken, or that it was. */
  noteGeoIp(refusal: string | undefined): void {
    this.#geoipRefusal = refusal;
  }

  /** Notes why the file that is the truth was not applied, in one sentence, or that it was. */
  noteFile(refusal: string | undefined): void {
    this.#fileRefusal = refusal;
  }

  [Symbol.dispose](): void {
    clearInterval(this.#poll);
    this.#memory?.[Symbol.dispose]();
  }

  get #routes(): readonly Route[] {
    return this.#state.snapshot.listeners.flatMap(({ routes }) => routes);
  }
}

function watchConnector(
  { connector: config, startUp: { connector: files, certificates: store }, state, ...options }:
    UpkeepOptions,
): ConnectorReloader | undefined {
  if (config === undefined || files === undefined) return undefined;
  const { now, log } = options;
  const apply = (connector: ConnectorSnapshot) =>
    state.exclusive(() => {
      const operation = { actor: "mc-proxy", action: "ReloadConnector" };
      return state.unstored.replaceConnector(connector, operation);
    });
  return new ConnectorReloader({ config, files, store, now, log, apply });
}
