import type { ChallengeSnapshot, ConnectorSnapshot } from "../plane/mod.ts";
import type { ResolverSettings } from "../resolver/mod.ts";
import { compareTls, type RouteMaterials } from "./route_materials.ts";
import { comparePages, type ErrorPageFiles } from "./error_page_files.ts";
import type { Operation } from "./operation.ts";
import type { ServedPlane } from "./served_plane.ts";

/** What an {@link UnstoredState} is made of. */
export interface UnstoredStateOptions {
  readonly served: ServedPlane;
  /** What TLS of routes is made of. */
  readonly materials: RouteMaterials;
  /** What error pages are made of that are files; absent: none is. */
  readonly pages: ErrorPageFiles | undefined;
}

/**
 * What the data plane serves and no database holds: it comes from files, the settings and the moment.
 * Everything here is done alone, see `ServedState.exclusive`.
 */
export class UnstoredState {
  readonly #options: UnstoredStateOptions;

  constructor(options: UnstoredStateOptions) {
    this.#options = options;
  }

  /** Countries of addresses, of a new GeoIP file. */
  async replaceGeoIp(geoip: SharedArrayBuffer, operation: Operation): Promise<void> {
    const { served } = this.#options;
    const firewall = { ...served.snapshot.firewall, geoip };
    const snapshot = { ...served.snapshot, firewall };
    await served.apply([{ kind: "firewall", firewall }], snapshot, operation);
  }

  /**
   * Reads again the certificates and error pages that have changed, and forgets those that no route
   * uses. A pair that is broken, or half written, changes nothing.
   */
  async refreshFiles(operation: Operation): Promise<void> {
    const { served, materials, pages: files } = this.#options;
    const before = served.snapshot;
    const routes = before.listeners.flatMap(({ routes }) => routes);
    const tls = await materials.load(routes);
    const pages = await files?.load(routes) ?? [];
    const changes = [compareTls(before.tls ?? [], tls), comparePages(before.pages ?? [], pages)]
      .filter((change) => change !== undefined);
    if (changes.length === 0) return;
    await served.apply(changes, { ...before, tls, pages }, operation);
  }

  /** What the data plane knows of the connector. */
  async replaceConnector(connector: ConnectorSnapshot, operation: Operation): Promise<void> {
    const { served } = this.#options;
    const snapshot = { ...served.snapshot, connector };
    await served.apply([{ kind: "connector", connector }], snapshot, operation);
  }

  /** The names that are being proved to an authority. */
  async replaceChallenges(
    challenges: readonly ChallengeSnapshot[],
    operation: Operation,
  ): Promise<void> {
    const { served } = this.#options;
    const snapshot = { ...served.snapshot, challenges };
    await served.apply([{ kind: "challenges", challenges }], snapshot, operation);
  }

  /** What names are resolved with. */
  async replaceResolver(resolver: ResolverSettings, operation: Operation): Promise<void> {
    const { served } = this.#options;
    const snapshot = { ...served.snapshot, resolver };
    await served.apply([{ kind: "resolver", resolver }], snapshot, operation);
  }

  /** Refuses new connections everywhere, or takes them again. */
  async setDrained(isDrained: boolean, operation: Operation): Promise<void> {
    const { served } = this.#options;
    const snapshot = { ...served.snapshot, isDrained };
    await served.apply([{ kind: "drained", isDrained }], snapshot, operation);
  }
}
