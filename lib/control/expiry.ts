import type { Database } from "../db/mod.ts";
import { describeError, type LogSink } from "../observe/mod.ts";
import { auditEntry, type Difference } from "./difference.ts";
import { removeRule } from "./firewall_differences.ts";
import type { Operation } from "./operation.ts";
import type { ServedState } from "./served_state.ts";

/**
 * The longest time between two looks at the clock: an end is noticed this late at most after the
 * system's clock was set forward.
 */
const MAX_SLEEP_MS = 10_000;
/** After a failure, for example a full disk, the rules block on and are tried again. */
const RETRY_MS = 10_000;

const OPERATION: Operation = { actor: "mc-proxy", action: "Expire", isLocal: true };

/** Removes rules whose time has come. */
export class RuleExpiry {
  readonly #state: ServedState;
  readonly #now: () => number;
  readonly #log: LogSink;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #closed = false;

  constructor(options: { state: ServedState; now: () => number; log: LogSink }) {
    this.#state = options.state;
    this.#now = options.now;
    this.#log = options.log;
  }

  /** Sets the clock for the rule that ends next; called after each change of the rules. */
  schedule(): void {
    if (this.#closed) return;
    clearTimeout(this.#timer);
    const next = this.#state.database.rules.nextExpiry();
    if (next === undefined) return;
    const sleep = Math.min(Math.max(next - this.#now(), 0), MAX_SLEEP_MS);
    this.#timer = setTimeout(() => void this.#expire(), sleep);
  }

  /** Looks no more. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  async #expire(): Promise<void> {
    try {
      await this.#state.exclusive(async () => {
        // It is the other process's business, until it gives the database back.
        if ((this.#state.database.role?.look() ?? "ours") !== "ours") return;
        const differences = expiredRules(this.#state.database, this.#now());
        await this.#state.commit(differences, OPERATION);
        for (const { subject } of differences) {
          this.#log({ level: "info", message: "firewall rule ended", fields: { rule: subject } });
        }
      });
      this.schedule();
    } catch (error) {
      if (this.#closed) return;
      const fields = { error: describeError(error) };
      this.#log({ level: "error", message: "expired firewall rules not removed", fields });
      this.#timer = setTimeout(() => void this.#expire(), RETRY_MS);
    }
  }
}

/** Removes the rules that ended while the program did not run, before anything is compiled. */
export function removeExpiredRules(database: Database, time: number): void {
  const expired = database.rules.expired(time);
  if (expired.length === 0) return;
  database.transaction(() => {
    for (const rule of expired) {
      database.rules.remove(rule.id);
      database.audit.add(auditEntry(removeRule(rule), { ...OPERATION, time }));
    }
  });
}

function expiredRules(database: Database, time: number): Difference[] {
  return database.rules.expired(time).map(removeRule);
}
