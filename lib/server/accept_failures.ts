import type { Counters, LogSink } from "../observe/mod.ts";

/** Lines about it are at least this far apart, for all listeners of a worker. */
const LOG_INTERVAL_MS = 10_000;

/** Connections that could not be accepted: each is counted, and now and then there is a line. */
export class AcceptFailures {
  readonly #counters: Counters;
  readonly #log: LogSink;
  readonly #now: () => number;
  #loggedAt = -Infinity;
  /** Since the last line. */
  #failures = 0;

  constructor({ counters, log, now }: {
    readonly counters: Counters;
    readonly log: LogSink;
    readonly now: () => number;
  }) {
    this.#counters = counters;
    this.#log = log;
    this.#now = now;
  }

  /** A listener has failed to accept. */
  report(listener: string, error: string): void {
    this.#counters.add("accept_failures");
    this.#failures++;
    const now = this.#now();
    if (now - this.#loggedAt < LOG_INTERVAL_MS) return;
    this.#loggedAt = now;
    const fields = { listener, error, failures: this.#failures };
    this.#failures = 0;
    this.#log({ level: "error", message: "connections cannot be accepted", fields });
  }
}
