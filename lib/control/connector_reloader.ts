import type { CertificateStore, InUse } from "../certificates/mod.ts";
import type { ConnectorConfig } from "../config/mod.ts";
import { describeError, type LogSink } from "../observe/mod.ts";
import type { ConnectorSnapshot } from "../plane/mod.ts";
import { ACME } from "../state/mod.ts";
import { type ConnectorFiles, connectorName, readConnectorFiles } from "./connector_files.ts";

/** What a {@link ConnectorReloader} is given. */
export interface ConnectorReloaderOptions {
  readonly config: ConnectorConfig;
  /** What is in use. */
  readonly files: ConnectorFiles;
  readonly store: CertificateStore;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly log: LogSink;
  /** Hands new material to the data plane. */
  readonly apply: (connector: ConnectorSnapshot) => Promise<void>;
}

/**
 * Notices changed certificates and revocation lists of the connector. A file that cannot be used
 * keeps what it held and is logged once, all others count: see {@link readConnectorFiles}. Whoever
 * renews a certificate writes two files, and between the two they do not belong together.
 */
export class ConnectorReloader {
  readonly #options: ConnectorReloaderOptions;
  #config: ConnectorConfig;
  #files: ConnectorFiles;
  /** What is in use. */
  #applied: ConnectorSnapshot;
  /** Why what was read could not be applied. */
  #failure: string | undefined;
  /** Why the configuration could not be read again. */
  #configProblem: string | undefined;
  #reported = "";
  #warned = "";
  #reading = Promise.resolve();

  constructor(options: ConnectorReloaderOptions) {
    this.#options = options;
    this.#config = options.config;
    this.#files = options.files;
    this.#applied = options.files.snapshot;
    this.#warn(options.files.warnings);
  }

  /** What is not in use although it should be, one sentence each. */
  get refused(): readonly string[] {
    return [...this.#files.refused, this.#failure, this.#configProblem]
      .filter((reason) => reason !== undefined);
  }

  /** What the store is to remember. */
  get keepOnly(): InUse {
    const { serverCert: certificate, serverKey: key, caCerts, crls } = this.#config;
    const files = [...caCerts, ...crls];
    return certificate === ACME
      ? { pairs: [], files, issued: [connectorName(this.#config)] }
      : { pairs: [{ certificate, key }], files, issued: [] };
  }

  /** What is odd about the files, one sentence each. */
  get warnings(): readonly string[] {
    return this.#files.warnings;
  }

  /**
   * Looks now, at the files that `reread` names if it is given; resolves when what is good of them
   * is in use.
   */
  reload(reread?: () => ConnectorConfig | undefined): Promise<void> {
    // One at a time: the last to read is the last to be applied.
    this.#reading = this.#reading.then(async () => {
      if (reread !== undefined) this.#rename(reread);
      await this.#reload();
    });
    return this.#reading;
  }

  /** Takes the names of files; everything else of the configuration needs a restart. */
  #rename(reread: () => ConnectorConfig | undefined): void {
    try {
      const { caCerts, crls, serverCert, serverKey } = reread() ?? this.#config;
      this.#config = { ...this.#config, caCerts, crls, serverCert, serverKey };
      this.#configProblem = undefined;
    } catch (error) {
      this.#configProblem = `the configuration was not read again: ${describeError(error)}`;
    }
  }

  async #reload(): Promise<void> {
    const { store, now, log, apply } = this.#options;
    const config = this.#config;
    try {
      const before = this.#files;
      const files = await readConnectorFiles(config, { store, nowMs: now(), before });
      this.#files = files;
      if (files.snapshot !== this.#applied) {
        await apply(files.snapshot);
        this.#applied = files.snapshot;
        log({ level: "info", message: "connector's certificates and lists reloaded" });
      }
      this.#failure = undefined;
    } catch (error) {
      this.#failure = describeError(error);
    }
    this.#warn(this.#files.warnings);
    this.#report(this.refused.join("; "));
  }

  #warn(warnings: readonly string[]): void {
    const text = warnings.join("; ");
    if (text !== this.#warned && text !== "") {
      const fields = { warnings: text };
      this.#options.log({ level: "warn", message: "connector's files are odd", fields });
    }
    this.#warned = text;
  }

  #report(problem: string): void {
    if (problem !== this.#reported && problem !== "") {
      this.#options.log({
        level: "error",
        message: "connector's files not reloaded where they are broken",
        fields: { error: problem },
      });
    }
    this.#reported = problem;
  }
}
