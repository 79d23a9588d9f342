import {
  changedSettings,
  type Config,
  namedFilesOf,
  placeProblems,
  wholeStateOf,
} from "../config/mod.ts";
import {
  type Applied,
  type Control,
  type Drift,
  RefusedError,
  type Reload,
  type Reloaded,
  type ReloadRequest,
} from "../control/mod.ts";
import { describeError, type LogSink } from "../observe/mod.ts";
import type { ServiceManager } from "../service/mod.ts";
import { CommandError } from "./command_error.ts";
import { describeProblems, type LoadedFile } from "./load.ts";

/** Refusals that say nothing of the file. */
const NOT_ITS_FAULT: ReadonlySet<string> = new Set([
  "aborted",
  "busy",
  "cancelled",
  "shutting_down",
]);

/** The configuration file of a running proxy. */
export interface ConfigFile {
  readonly path: string;
  /**
   * Reads and checks it, and the files that it names unless they do not matter.
   *
   * @throws {CommandError} with every problem, one a line.
   */
  readonly load: (options?: { readonly readsFiles: boolean }) => LoadedFile;
}

/** What a {@link Reloader} works with. */
export interface ReloaderOptions {
  /** With which the program was started. */
  readonly config: Config;
  /** Absent: the flags of a command are all there is. */
  readonly file: ConfigFile | undefined;
  /** @throws {CommandError} */
  readonly rereadConfig: () => Config;
  readonly control: Control;
  readonly manager: ServiceManager;
  /** Absent where the file is the truth. */
  readonly drift: Drift | undefined;
  readonly onReloaded: () => void;
  readonly log: LogSink;
}

/**
 * Reads the files again that the program was started with: for SIGHUP, and for whoever asks through the
 * admin API. One at a time, so that what was read last is what is applied last.
 */
export class Reloader {
  readonly #options: ReloaderOptions;
  #last: Promise<unknown> = Promise.resolve();

  constructor(options: ReloaderOptions) {
    this.#options = options;
  }

  /** After a SIGHUP; whatever is wrong is in the log, and in health. */
  async onSignal(): Promise<void> {
    const { log } = this.#options;
    try {
      await this.reload({ dryRun: false, close: false });
    } catch (error) {
      // Logged already.
      if (error instanceof RefusedError) return;
      log({ level: "error", message: "reload failed", fields: { error: describeError(error) } });
    }
  }

  /** @throws {RefusedError} */
  readonly reload: Reload = async (request: ReloadRequest): Promise<Reloaded> => {
    const turn = this.#last.then(() => this.#reload(request));
    this.#last = turn.catch(() => {}); // Its own caller was told.
    return await turn;
  };

  async #reload(request: ReloadRequest): Promise<Reloaded> {
    const { manager } = this.#options;
    if (request.dryRun) return await this.#compare(request);
    manager.reloading();
    try {
      return await this.#readAll(request);
    } finally {
      manager.reloaded();
    }
  }

  async #compare(request: ReloadRequest): Promise<Reloaded> {
    const { control: { source } } = this.#options;
    if (source.kind !== "file") {
      throw new RefusedError(
        "failed_precondition",
        "the database says what is served: `mcproxyctl apply -f FILE --diff` compares a file with it",
      );
    }
    return await this.#applyFile(request);
  }

  async #readAll(request: ReloadRequest): Promise<Reloaded> {
    const { control, rereadConfig, drift, file, onReloaded } = this.#options;
    this.#placeFiles();
    const certificates = control.upkeep.lookAtCertificates(() => rereadConfig().connector);
    // A broken GeoIP file is logged where it is read, and changes nothing.
    await Promise.all([control.geoip.swap().catch(() => {}), certificates]);
    onReloaded();
    if (control.source.kind === "file") return await this.#applyFile(request);
    const loaded = this.#loadAgain(file);
    await drift?.look(loaded?.state);
    return this.#answer(loaded?.config, undefined);
  }

  /** Files of the group may be elsewhere now. What is wrong with the configuration is said below. */
  #placeFiles(): void {
    const { control, rereadConfig } = this.#options;
    if (control.source.kind !== "postgres") return;
    try {
      control.files.place(namedFilesOf(rereadConfig()));
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
    }
  }

  /** @throws {RefusedError} */
  #loadAgain(file: ConfigFile | undefined): LoadedFile | undefined {
    try {
      return file?.load({ readsFiles: false });
    } catch (error) {
      const fields = { error: describeError(error) };
      this.#options.log({ level: "error", message: "reload failed", fields });
      throw new RefusedError("failed_precondition", describeError(error), { cause: error });
    }
  }

  async #applyFile(request: ReloadRequest): Promise<Reloaded> {
    const { control, file, log } = this.#options;
    const { dryRun } = request;
    if (file === undefined) throw new TypeError("there is no file to be the truth");
    try {
      const loaded = file.load();
      const applied = await this.#apply(loaded, request);
      if (!dryRun) control.upkeep.noteFile(undefined);
      const answer = this.#answer(loaded.config, applied);
      if (!dryRun) this.#logApplied(applied, answer);
      return answer;
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      const [first = "", ...others] = error.message.split("\n");
      const more = others.length === 0 ? "" : ` (and ${others.length} more)`;
      if (!dryRun) {
        const refusal = `${file.path} was not applied: ${first}${more}`;
        control.upkeep.noteFile(refusal);
        const fields = { file: file.path, problems: error.message };
        log({ level: "error", message: "the configuration file was not applied", fields });
      }
      throw new RefusedError("failed_precondition", error.message, { cause: error });
    }
  }

  /** @throws {CommandError} if the file holds, and does not fit. */
  async #apply({ config, text }: LoadedFile, request: ReloadRequest): Promise<Applied> {
    const { control, file } = this.#options;
    const { dryRun, close, ifRevision, signal, onPending } = request;
    try {
      return await control.wholeState.apply(
        wholeStateOf(config),
        { dryRun, close, ifRevision, isWhole: true },
        {
          ...{ actor: "file", action: "Reload", isOfFile: true },
          ...signal && { signal },
          ...onPending && { onPending },
        },
      );
    } catch (error) {
      if (!(error instanceof RefusedError) || NOT_ITS_FAULT.has(error.code)) throw error;
      const placed = describeProblems(file?.path ?? "", placeProblems(text, error.problems));
      const message = placed.length > 0 ? placed.join("\n") : `${file?.path}: ${error.message}`;
      throw new CommandError(message, { cause: error });
    }
  }

  #logApplied({ differences, revision }: Applied, { restartNeeded }: Reloaded): void {
    const { file, log } = this.#options;
    const fields = {
      file: file?.path,
      differences: differences.length,
      revision,
      ...restartNeeded.length > 0 && { restartNeeded: restartNeeded.join(", ") },
    };
    log({ level: "info", message: "the configuration file was applied", fields });
  }

  #answer(now: Config | undefined, applied: Applied | undefined): Reloaded {
    const { control, config } = this.#options;
    return {
      source: control.source,
      applied,
      refusals: control.upkeep.refusals,
      restartNeeded: now === undefined ? [] : changedSettings(config, now),
    };
  }
}
