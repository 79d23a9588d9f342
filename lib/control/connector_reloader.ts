import type { ConnectorConfig } from "../config/mod.ts";
import { describeError, type LogSink } from "../observe/mod.ts";
import type { ConnectorSnapshot } from "../server/mod.ts";
import { type ConnectorFiles, readConnectorFiles } from "./connector_files.ts";
import type { ReadFile } from "./files.ts";

/** How often the files are looked at; a new one may take that long to be used. */
const POLL_MS = 5000;

/** What a {@link ConnectorReloader} is given. */
export interface ConnectorReloaderOptions {
  readonly config: ConnectorConfig;
  /** What is in use. */
  readonly files: ConnectorFiles;
  readonly readFile: ReadFile;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly log: LogSink;
  /** Hands new material to the data plane. */
  readonly apply: (connector: ConnectorSnapshot) => Promise<void>;
}

/**
 * Notices changed certificates and revocation lists of the connector. What cannot be used changes
 * nothing and is logged once: whoever renews a certificate writes two files, and between the two
 * they do not belong together.
 */
export class ConnectorReloader implements Disposable {
  readonly #options: ConnectorReloaderOptions;
  readonly #timer: ReturnType<typeof setInterval>;
  #seen: string;
  #problem: string | undefined;
  #reading = Promise.resolve();

  constructor(options: ConnectorReloaderOptions) {
    this.#options = options;
    this.#seen = options.files.seen;
    this.#timer = setInterval(() => {
      this.reload().catch((error) => this.#report(describeError(error)));
    }, POLL_MS);
  }

  /** Looks now; resolves when what has changed is in use. */
  reload(): Promise<void> {
    // One at a time: the last to read is the last to be applied.
    this.#reading = this.#reading.then(() => this.#reload());
    return this.#reading;
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  async #reload(): Promise<void> {
    const { config, readFile, now, log, apply } = this.#options;
    try {
      const { snapshot, seen } = await readConnectorFiles(config, { readFile, nowMs: now() });
      this.#problem = undefined;
      if (seen === this.#seen) return;
      await apply(snapshot);
      this.#seen = seen;
      log({ level: "info", message: "connector's certificates and lists reloaded" });
    } catch (error) {
      this.#report(describeError(error));
    }
  }

  #report(problem: string): void {
    if (problem === this.#problem) return;
    this.#problem = problem;
    this.#options.log({
      level: "error",
      message: "connector's certificates and lists not reloaded, the old ones stay in use",
      fields: { error: problem },
    });
  }
}
