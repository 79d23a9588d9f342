import type { McnsConfig } from "../dns_config/mod.ts";
import { describeError, type LogSink } from "../observe/mod.ts";
import { CommandError } from "./command_error.ts";
import { loadMcnsFile } from "./mcns_load.ts";

/** A part of the program that takes another configuration while it runs. */
export interface Reloadable {
  /**
   * Reads what the configuration names. Nothing has changed yet.
   *
   * @returns what makes the change.
   * @throws if it cannot be used.
   */
  prepare(config: McnsConfig): (() => Promise<void> | void) | undefined;
}

/** What {@link McnsReloader} is made of. */
export interface McnsReloaderOptions {
  readonly path: string;
  /** That of the start. */
  readonly config: McnsConfig;
  readonly log: LogSink;
  readonly load?: typeof loadMcnsFile;
}

/**
 * Reads the configuration again, and gives it to the parts of the program: all of them, or none when
 * anything is wrong with it. One reload after the other.
 */
export class McnsReloader {
  readonly #options: McnsReloaderOptions;
  readonly #parts: Reloadable[] = [];
  #last: Promise<unknown> = Promise.resolve();

  constructor(options: McnsReloaderOptions) {
    this.#options = options;
  }

  /** One more part. */
  add(part: Reloadable): void {
    this.#parts.push(part);
  }

  /**
   * Takes the file as it is now.
   *
   * @returns what is odd about it, and what of it is not taken before the next start.
   * @throws {CommandError} with everything that is wrong, one a line; nothing has changed then.
   */
  reload(): Promise<readonly string[]> {
    const next = this.#last.then(() => this.#reload());
    this.#last = next.catch(() => {}); // It was said to whoever asked for it.
    return next;
  }

  async #reload(): Promise<readonly string[]> {
    const { path, config: first, log, load = loadMcnsFile } = this.#options;
    try {
      const { config, warnings } = load(path);
      const changes = this.#parts.map((part) => part.prepare(config));
      for (const change of changes) await change?.();
      const all = [...warnings, ...notTaken(first, config)];
      for (const warning of all) log({ level: "warn", message: warning });
      log({ level: "info", message: "reloaded" });
      return all;
    } catch (error) {
      for (const problem of describeError(error).split("\n")) {
        log({ level: "error", message: "not reloaded", fields: { error: problem } });
      }
      throw error instanceof CommandError
        ? error
        : new CommandError(describeError(error), { cause: error });
    }
  }
}

/** What a running program cannot change: sockets, memory that is shared, files that are open. */
function notTaken(before: McnsConfig, after: McnsConfig): string[] {
  const parts = (config: McnsConfig): Readonly<Record<string, unknown>> => {
    const { server, database, log, metrics, dns } = config;
    const { listenAddr, listenAlsoAt, cache, rrl, cookies, limits, dot, shutdownTimeoutMs } = dns;
    return {
      "server.listen_addr": server?.listenAddr,
      "server.grpc_addr": server?.grpcAddr,
      database,
      log,
      metrics,
      "dns.listen_addr": [listenAddr, listenAlsoAt],
      "dns.dot.listen_addr": dot?.listenAddr,
      "dns.cache": cache,
      "dns.rrl": rrl,
      "dns.cookies": cookies,
      "dns.limits": limits,
      "dns.shutdown_timeout": shutdownTimeoutMs,
    };
  };
  const own = parts(before);
  return Object.entries(parts(after))
    .filter(([key, value]) => JSON.stringify(value) !== JSON.stringify(own[key]))
    .map(([key]) => `${key} is taken at the next start`);
}
