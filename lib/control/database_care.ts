import { type Database, whenFree } from "../db/mod.ts";
import type { LogSink } from "../observe/mod.ts";
import { DatabaseKeeper } from "./database_keeper.ts";
import type { RuleExpiry } from "./expiry.ts";
import type { Issuance } from "./open_issuance.ts";
import type { ServedState } from "./served_state.ts";
import { writeBack, type WrittenBack } from "./write_back.ts";

/** What {@link DatabaseCare} works with. */
export interface DatabaseCareOptions {
  readonly state: ServedState;
  readonly expiry: Pick<RuleExpiry, "schedule">;
  readonly issuance: Issuance | undefined;
  readonly log: LogSink;
  /** Called now and then while this process has the right to write. */
  readonly whileHeld: () => Promise<void>;
}

/** What becomes of the state that is served when its database is lost, or another process has it. */
export class DatabaseCare implements Disposable {
  readonly #options: DatabaseCareOptions;
  readonly #database: Database;
  readonly #keeper: DatabaseKeeper;

  constructor(options: DatabaseCareOptions) {
    const { state: { database }, log, whileHeld } = options;
    this.#options = options;
    this.#database = database;
    this.#keeper = new DatabaseKeeper({
      database,
      log,
      whileHeld,
      onRegained: () => this.#regain(),
    });
  }

  /** Why the database cannot be trusted with changes, if it cannot. */
  get problem(): string | undefined {
    return this.#keeper.problem;
  }

  /**
   * Writes the database back to its path, after its file was removed or replaced while we ran.
   *
   * @throws {RefusedError} if there is nothing to write back, or not from here.
   */
  async writeBack(signal?: AbortSignal): Promise<WrittenBack> {
    const { state, log } = this.#options;
    return await state.exclusive(async () => {
      const written = await writeBack(this.#database);
      await this.#keeper.look();
      log({ level: "warn", message: "database written back", fields: { ...written } });
      return written;
    }, signal);
  }

  /**
   * Tries to write the database, for as long as a change would.
   *
   * @throws {DatabaseError} if nothing can be written.
   */
  async check(): Promise<void> {
    const until = performance.now() + this.#database.busyTimeoutMs;
    await whenFree(() => this.#database.checkWritable(), { until });
    await this.#database.reachDisk();
  }

  [Symbol.dispose](): void {
    this.#keeper[Symbol.dispose]();
  }

  async #regain(): Promise<void> {
    const { state, issuance, expiry, log } = this.#options;
    const { safekeeping } = this.#database;
    const operation = { actor: "mc-proxy", action: "TakeBack" };
    await state.exclusive(async () => {
      if (safekeeping?.isBehind) await state.resync(operation);
      issuance?.reread();
      safekeeping?.note();
      await safekeeping?.acknowledgeMeanwhile();
    });
    expiry.schedule();
    log({
      level: "warn",
      message: "a process that was to take over failed, changes are taken again",
    });
  }
}
