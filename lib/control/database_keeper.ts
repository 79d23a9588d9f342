import { type Database, SCHEMA_VERSION } from "../db/mod.ts";
import { describeError, type LogSink } from "../observe/mod.ts";

/**
 * How soon a database that was removed, replaced or taken over is noticed. Each look is three stat(2)
 * and the read of one row.
 */
const LOOK_INTERVAL_MS = 1000;
/** What is in the log alone is lost with one octet of it, so it never stays there for long. */
const CHECKPOINT_INTERVAL_MS = 30_000;

const TAKEN = "another process has taken over the database: changes are refused here";
const NEWER = "a newer program has migrated the database and failed: restart this one with it";

/** What a {@link DatabaseKeeper} looks after. */
export interface KeeperOptions {
  readonly database: Database;
  readonly log: LogSink;
  /** The right to write has come back from a process that failed to take over. */
  readonly onRegained: () => Promise<void>;
  /** Called at every look at which this process has the right to write. */
  readonly whileHeld: () => Promise<void>;
}

/** Looks after the database's files, and the right to write it, while the program runs. */
export class DatabaseKeeper implements Disposable {
  readonly #database: Database;
  readonly #options: KeeperOptions;
  readonly #timers: ReturnType<typeof setInterval>[];
  #problem: string | undefined;
  #isTaken = false;
  #isLooking = false;

  constructor(options: KeeperOptions) {
    this.#database = options.database;
    this.#options = options;
    this.#timers = [
      setInterval(() => void this.look(), LOOK_INTERVAL_MS),
      setInterval(() => void this.#checkpoint(), CHECKPOINT_INTERVAL_MS),
    ];
  }

  /** Why the database cannot be trusted with changes, at the last look. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** Looks once, unless the look before has not ended; never fails. */
  async look(): Promise<void> {
    if (this.#isLooking) return;
    this.#isLooking = true;
    try {
      if (!await this.#hasRole()) return;
      await this.#options.whileHeld();
      this.#database.safekeeping?.check();
      this.#note(undefined);
    } catch (error) {
      this.#note(describeError(error));
    } finally {
      this.#isLooking = false;
    }
  }

  /** Looks after it no more. */
  [Symbol.dispose](): void {
    for (const timer of this.#timers) clearInterval(timer);
  }

  /** Whether we may write; takes the right back from a process that died while it took over. */
  async #hasRole(): Promise<boolean> {
    const { role } = this.#database;
    if (role === undefined) return true;
    const state = role.look();
    const hasDied = state === "being_taken" && role.takeBack();
    if (state !== "ours" && !hasDied) {
      this.#isTaken = true;
      this.#note(TAKEN);
      return false;
    }
    // It may have lived and died between two looks.
    if (hasDied) this.#isTaken = true;
    if (!this.#isTaken) return true;
    if (this.#database.version > SCHEMA_VERSION) {
      this.#note(NEWER);
      return false;
    }
    await this.#options.onRegained();
    this.#isTaken = false;
    return true;
  }

  #note(problem: string | undefined): void {
    if (problem === this.#problem) return;
    this.#problem = problem;
    // A restart without refusing anybody is no failure.
    const level = problem === undefined || problem === TAKEN ? "info" : "error";
    this.#options.log({ level, message: problem ?? "the database is in its place again" });
  }

  async #checkpoint(): Promise<void> {
    if (this.#problem !== undefined) return;
    try {
      await this.#database.safekeeping?.checkpointMeanwhile();
    } catch (error) {
      const fields = { error: describeError(error) };
      this.#options.log({ level: "warn", message: "the database's log was not emptied", fields });
    }
  }
}
