/**
 * What happens to the proxy while it carries traffic, one thing after the other.
 *
 * @module
 */
import { join } from "node:path";
import { type AdminClient, AdminError } from "../../lib/client/mod.ts";
import type { IssuedCertificate } from "../support/certificates.ts";
import type { Random } from "../support/fuzz.ts";
import { buildCountryMmdb } from "../support/mmdb.ts";
import type { Proxy } from "../support/proxy.ts";
import type { NamedBackend } from "./streams.ts";

/** Between two events. */
const PAUSE_MS = 150;
/** How long a backend is away. */
const ABSENCE_MS = 300;
/** Everything a worker's death may break has been broken by then. */
const KILL_WINDOW_MS = 1000;
/** Most of the time no death may serve as an excuse. */
const KILL_INTERVAL_MS = 6000;

/** Country databases to take turns; none has the address of a client. */
const GEOIP = ["10.0.0.0/8", "192.168.0.0/16"].map((block) => buildCountryMmdb({ [block]: "DE" }));

/** What {@link Chaos} works on. */
export interface ChaosOptions {
  readonly proxy: Proxy;
  readonly admin: AdminClient;
  readonly listenerAddr: string;
  readonly flapping: NamedBackend;
  readonly certificates: readonly IssuedCertificate[];
  readonly random: Random;
}

/** Disturbs a proxy, and remembers what the proxy has promised meanwhile. */
export class Chaos {
  /** Hostnames of routes that the proxy has acknowledged and nobody has asked to remove. */
  readonly acknowledged = new Set<string>();
  /** How often each thing was done. */
  readonly done: Record<string, number> = {};
  readonly #options: ChaosOptions;
  readonly #kills: number[] = [];
  #sequence = 0;

  constructor(options: ChaosOptions) {
    this.#options = options;
  }

  /** Whether the death of a worker can have cut a stream of that time. */
  explainsCut(start: number, end: number): boolean {
    return this.#kills.some((at) => at >= start - KILL_WINDOW_MS && at <= end);
  }

  /** One thing after the other, until `stop` says so. */
  async run(stop: () => boolean): Promise<void> {
    const events = [
      ["routes", () => this.#changeRoutes()],
      ["geoip", () => this.#reloadGeoIp()],
      ["certificates", () => this.#rotateCertificates()],
      ["backend", () => this.#flapBackend()],
      ["snapshot", () => this.#takeSnapshot()],
      ["kill", () => this.#killWorker()],
    ] as const;
    while (!stop()) {
      for (const [name, event] of events) {
        if (stop()) return;
        await event();
        this.done[name] = (this.done[name] ?? 0) + 1;
        await pause(PAUSE_MS);
      }
    }
  }

  /** Adds routes, and removes one of those before. */
  async #changeRoutes(): Promise<void> {
    const { admin, listenerAddr, random } = this.#options;
    for (let i = 0; i < 5; i++) {
      const hostname = `r${this.#sequence++}.churn.test`;
      if (await acknowledged(admin.addRoute({ listenerAddr, hostname, backend: "127.0.0.1:1" }))) {
        this.acknowledged.add(hostname);
      }
    }
    if (this.acknowledged.size < 3) return;
    const hostname = random.pick([...this.acknowledged]);
    // From here on it may be gone, also if the answer is lost.
    this.acknowledged.delete(hostname);
    await acknowledged(admin.removeRoute({ listenerAddr, hostname }));
  }

  async #reloadGeoIp(): Promise<void> {
    const { proxy, random } = this.#options;
    await Deno.writeFile(join(proxy.folder, "geo.mmdb"), random.pick(GEOIP));
    proxy.process.signal("SIGHUP");
  }

  /** The certificate first and its key later, as a careless script does it. */
  async #rotateCertificates(): Promise<void> {
    const { proxy, certificates, random } = this.#options;
    const { certPem, keyPem } = random.pick(certificates);
    await Deno.writeTextFile(join(proxy.folder, "web.pem"), certPem);
    await pause(20);
    await Deno.writeTextFile(join(proxy.folder, "web.key"), keyPem);
    proxy.process.signal("SIGHUP");
  }

  async #flapBackend(): Promise<void> {
    await this.#options.flapping.down();
    await pause(ABSENCE_MS);
    this.#options.flapping.up();
  }

  async #takeSnapshot(): Promise<void> {
    const { proxy, admin } = this.#options;
    await admin.snapshot({ path: join(proxy.folder, "copy.db"), overwrite: true });
  }

  async #killWorker(): Promise<void> {
    const last = this.#kills.at(-1) ?? -Infinity;
    if (performance.now() - last < KILL_INTERVAL_MS) return;
    this.#kills.push(performance.now());
    this.#options.proxy.process.signal("SIGUSR2");
    await pause(PAUSE_MS);
  }
}

/** Whether a mutation was acknowledged. A refusal is an answer too; anything else is a failure. */
async function acknowledged(call: Promise<unknown>): Promise<boolean> {
  try {
    await call;
    return true;
  } catch (error) {
    if (error instanceof AdminError) return false;
    throw error;
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
