import type { LogSink } from "../observe/mod.ts";
import type { Clock } from "../relay/mod.ts";

/** Blocked connections of a worker that have events of their own in each second. */
const TOLD_EACH_SECOND = 100;
const SECOND_MS = 1000;

/**
 * Says which blocked connections have an event of their own. An event costs two thirds of what
 * refusing the connection does, and fills the disk under the log: in a flood the first of each second
 * are told one by one, the others in one line for each listener and rule. What counts connections,
 * rules and clients counts them all.
 */
export class BlockedLog {
  readonly #clock: Clock;
  readonly #log: LogSink;
  #told = 0;
  #since = -Infinity;
  /** By listener and rule. */
  readonly #sums = new Map<string, { listener: string; rule: string; count: number }>();
  #stop: (() => void) | undefined;

  constructor({ clock, log }: { readonly clock: Clock; readonly log: LogSink }) {
    this.#clock = clock;
    this.#log = log;
  }

  /** Whether this one has an event; if not, it is in a sum that is told within a second. */
  tells(listener: string, rule: string, now: number): boolean {
    if (now - this.#since >= SECOND_MS) {
      this.#since = now;
      this.#told = 0;
    }
    if (++this.#told <= TOLD_EACH_SECOND) return true;
    const key = `${listener} ${rule}`;
    const sum = this.#sums.get(key);
    if (sum === undefined) this.#sums.set(key, { listener, rule, count: 1 });
    else sum.count++;
    this.#stop ??= this.#clock.every(SECOND_MS, () => this.flush());
    return false;
  }

  /** Tells the sums. */
  flush(): void {
    for (const { listener, rule, count } of this.#sums.values()) {
      const fields = { listener, rule, count };
      this.#log({ level: "info", message: "more connections were blocked", fields });
    }
    this.#sums.clear();
    this.#stop?.();
    this.#stop = undefined;
  }
}
