import type { Safekeeping } from "../db/mod.ts";
import { describeError, type LogSink } from "../observe/mod.ts";

/** How soon a database that was removed or replaced is noticed; each look is three stat(2). */
const LOOK_INTERVAL_MS = 1000;
/** What is in the log alone is lost with one octet of it, so it never stays there for long. */
const CHECKPOINT_INTERVAL_MS = 30_000;

/** Looks after the database's files while the program runs. */
export class DatabaseKeeper implements Disposable {
  readonly #safekeeping: Safekeeping | undefined;
  readonly #log: LogSink;
  readonly #timers: ReturnType<typeof setInterval>[] = [];
  #problem: string | undefined;

  /** Without safekeeping, which is a database in memory, there is nothing to look after. */
  constructor({ safekeeping, log }: { safekeeping: Safekeeping | undefined; log: LogSink }) {
    this.#safekeeping = safekeeping;
    this.#log = log;
    if (safekeeping === undefined) return;
    this.#timers = [
      setInterval(() => this.look(), LOOK_INTERVAL_MS),
      setInterval(() => this.#checkpoint(safekeeping), CHECKPOINT_INTERVAL_MS),
    ];
  }

  /** Why the database cannot be trusted with changes, at the last look. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** Looks whether the database is still the file that its path names. */
  look(): void {
    const before = this.#problem;
    try {
      this.#safekeeping?.check();
      this.#problem = undefined;
      if (before !== undefined) {
        this.#log({ level: "info", message: "the database is in its place again" });
      }
    } catch (error) {
      this.#problem = describeError(error);
      if (before === undefined) this.#log({ level: "error", message: this.#problem });
    }
  }

  /** Looks after it no more. */
  [Symbol.dispose](): void {
    for (const timer of this.#timers) clearInterval(timer);
  }

  #checkpoint(safekeeping: Safekeeping): void {
    if (this.#problem !== undefined) return;
    try {
      safekeeping.checkpoint();
    } catch (error) {
      const fields = { error: describeError(error) };
      this.#log({ level: "warn", message: "the database's log was not emptied", fields });
    }
  }
}
