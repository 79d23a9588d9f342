import type { IpAddress } from "../addr/mod.ts";
import type { ReadFile } from "../certificates/mod.ts";
import { describeError, type LogSink } from "../observe/mod.ts";
import { RefusedError } from "../queue/mod.ts";
import { type LoadedGeoIp, loadGeoIp } from "./geoip.ts";
import type { ServedState } from "./served_state.ts";
import { geoipFields } from "./start_up.ts";

/** What a {@link GeoIpInUse} works with. */
export interface GeoIpOptions {
  /** Absent: the configuration names none. */
  readonly path: string | undefined;
  readonly loaded: LoadedGeoIp | undefined;
  readonly state: ServedState;
  readonly readFile: ReadFile;
  readonly log: LogSink;
  /** Told why the file was not taken, or nothing when it was. */
  readonly onRead: (refusal: string | undefined) => void;
}

/** The GeoIP database that countries are looked up in, and its file, which is renewed. */
export class GeoIpInUse {
  readonly #options: GeoIpOptions;
  #loaded: LoadedGeoIp | undefined;

  constructor(options: GeoIpOptions) {
    this.#options = options;
    this.#loaded = options.loaded;
  }

  /** What is in use. */
  get loaded(): LoadedGeoIp | undefined {
    return this.#loaded;
  }

  /** When it was built, in milliseconds since 1970. */
  get builtMs(): number | undefined {
    return this.#loaded && this.#loaded.geoip.buildEpoch * 1000;
  }

  /** The country of an address, if a database is loaded and knows it. */
  countryOf(ip: IpAddress): string | undefined {
    return this.#loaded?.geoip.country(ip);
  }

  /**
   * Reads the file again and swaps it in. A broken one changes nothing.
   *
   * @throws {RefusedError} `failed_precondition`
   */
  async swap(): Promise<LoadedGeoIp> {
    const { path, state, readFile, log, onRead } = this.#options;
    if (path === undefined) {
      throw new RefusedError("failed_precondition", "firewall.geoip_db names no database");
    }
    return await state.exclusive(async () => {
      try {
        const loaded = await loadGeoIp(path, readFile);
        await state.unstored.replaceGeoIp(loaded.buffer, {
          actor: "mc-proxy",
          action: "ReloadGeoIP",
        });
        this.#loaded = loaded;
        onRead(undefined);
        const fields = geoipFields(path, loaded);
        log({ level: "info", message: "GeoIP database reloaded", fields });
        return loaded;
      } catch (cause) {
        onRead(`${path}: ${describeError(cause)}`);
        log({
          level: "error",
          message: "GeoIP database not reloaded, the old one stays in use",
          fields: { path, error: describeError(cause) },
        });
        const message = `the GeoIP file ${path} is not usable: ${describeError(cause)}`;
        throw new RefusedError("failed_precondition", message, { cause });
      }
    });
  }
}
