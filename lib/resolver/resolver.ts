import { type ResolvConf, TYPE } from "../dns/mod.ts";
import { RecordCache, type RecordCacheOptions } from "./record_cache.ts";
import type { Server } from "../dns_client/mod.ts";
import { createQuestioner, type QuestionerOptions } from "./questioner.ts";

/** RFC 8305 §3: how long addresses of one family wait for those of the other. */
const RESOLUTION_DELAY_MS = 50;

const DNS_PORT = 53;
/** The better one first (RFC 6724). */
const FAMILIES = [TYPE.AAAA, TYPE.A] as const;
const LOOPBACK = ["127.0.0.1", "::1"] as const;

/** What is known of names before anybody is asked, and whom to ask. */
export interface ResolverSettings {
  /** Of the hosts file: addresses by canonical name. */
  readonly hosts: ReadonlyMap<string, readonly string[]>;
  readonly resolvConf: ResolvConf;
  /** Whom to ask instead of the servers of `resolvConf`. */
  readonly servers?: readonly Server[];
}

/** A name that has no address, or none that could be found out. */
export class ResolveError extends Error {
  override readonly name = "ResolveError";
  readonly code: "no_address" | "unavailable";

  constructor(code: ResolveError["code"], message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** What tests replace, and what a thread shares with everything else it does. */
export type ResolverOptions = QuestionerOptions & RecordCacheOptions;

/**
 * Resolves names without blocking a thread: hosts file, then the servers of resolv.conf, with a cache
 * that goes on answering from what it knew while servers are silent. A name that hangs delays nobody
 * but those who ask for it.
 */
export class Resolver implements Disposable {
  readonly #cache: RecordCache;
  #settings: ResolverSettings;

  constructor(settings: ResolverSettings, options: ResolverOptions = {}) {
    this.#settings = settings;
    this.#cache = new RecordCache(createQuestioner(() => this.#servers(), options), options);
  }

  /** Other files; what was found out before is asked again, and stands until it is answered. */
  update(settings: ResolverSettings): void {
    const before = JSON.stringify(this.#servers());
    this.#settings = settings;
    if (JSON.stringify(this.#servers()) !== before) this.#cache.expire();
  }

  /**
   * The addresses of a name, in the order in which to try them.
   *
   * @throws {ResolveError}
   */
  readonly lookup = async (host: string): Promise<string[]> => {
    const name = host.toLowerCase().replace(/\.$/, "");
    const { hosts } = this.#settings;
    const listed = hosts.get(name) ?? (isLocalhost(name) ? LOOPBACK : undefined);
    if (listed !== undefined) return [...listed];
    for (const candidate of this.#candidates(name, host.endsWith("."))) {
      const addresses = await this.#addressesOf(candidate);
      if (addresses.length > 0) return addresses;
    }
    throw new ResolveError("no_address", `${host} has no address`);
  };

  /** Questions under way end. */
  [Symbol.dispose](): void {
    this.#cache[Symbol.dispose]();
  }

  #servers(): { servers: readonly Server[]; conf: ResolvConf } {
    const { resolvConf: conf, servers } = this.#settings;
    return {
      servers: servers ?? conf.servers.map((hostname) => ({ hostname, port: DNS_PORT })),
      conf,
    };
  }

  /** The names that a name may stand for (resolv.conf(5): `search`, `ndots`). */
  #candidates(name: string, isAbsolute: boolean): string[] {
    const { search, ndots } = this.#settings.resolvConf;
    if (isAbsolute) return [name];
    const below = search.map((domain) => `${name}.${domain}`);
    const dots = name.split(".").length - 1;
    return dots >= ndots ? [name, ...below] : [...below, name];
  }

  /** Of both families; one that is slow is not waited for when there are addresses of the other. */
  async #addressesOf(name: string): Promise<string[]> {
    const found: (readonly string[])[] = [];
    let failure: unknown;
    const some = Promise.withResolvers<void>();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const asked = FAMILIES.map(async (type, i) => {
      try {
        found[i] = await this.#cache.get(name, type);
        if (found[i].length > 0) timer ??= setTimeout(some.resolve, RESOLUTION_DELAY_MS);
      } catch (error) {
        failure = error;
      }
    });
    await Promise.race([Promise.all(asked), some.promise]);
    clearTimeout(timer);
    const addresses = found.flat();
    if (addresses.length > 0 || failure === undefined) return addresses;
    throw new ResolveError("unavailable", `nothing is known of ${name}`, { cause: failure });
  }
}

/** RFC 6761 §6.3: never asked about. */
function isLocalhost(name: string): boolean {
  return name === "localhost" || name.endsWith(".localhost");
}
