import { closeSync, openSync } from "node:fs";
import type { DescriptorBudget, LogSink } from "../observe/mod.ts";

/** Looked for where listeners have no limit: enough for a proxy of a few. */
const DEFAULT_GOAL = 4096;
/** More are not tried out at once: each costs the kernel memory while it is open. */
const MAX_GOAL = 131_072;
/** A relayed connection has two ends. */
const PER_CONNECTION = 2;
/** What is kept for admin API, database, name servers: a quarter, within these bounds. */
const RESERVE = { least: 16, most: 512 } as const;
const LOOK_MS = 250;
/** Lines about refused connections are at least this far apart. */
const LOG_INTERVAL_MS = 10_000;
const NONE_LEFT = new Set(["EMFILE", "ENFILE"]);

/** What a {@link DescriptorWatch} works with. */
export interface DescriptorWatchOptions {
  readonly budget: DescriptorBudget;
  /** A file that may be read, over and over. */
  readonly path: string;
  /** `max_connections` of every listener; 0: no limit. */
  readonly maxConnections: () => readonly number[];
  readonly log: LogSink;
}

/**
 * Finds out how many descriptors there are and keeps some of them for what must go on when
 * connections take the rest. The limit itself (RLIMIT_NOFILE) is nowhere to be read: `/proc` takes
 * every permission there is. So descriptors are opened until there are no more, or as many as are
 * wanted; and again, twice as many, when half of those are in use.
 */
export class DescriptorWatch implements Disposable {
  readonly #options: DescriptorWatchOptions;
  readonly #timer: ReturnType<typeof setInterval>;
  /** So many there are at least. */
  #known = 0;
  #refusedBefore = 0;
  #loggedAt = -Infinity;

  constructor(options: DescriptorWatchOptions) {
    this.#options = options;
    const wanted = this.#wanted();
    this.#measure(wanted === Infinity ? DEFAULT_GOAL : wanted);
    this.#warn();
    this.#timer = setInterval(() => this.#look(), LOOK_MS);
  }

  /** What an operator should know, one sentence each. */
  get warnings(): readonly string[] {
    const { limit } = this.#options.budget;
    if (limit === 0) return [];
    const possible = Math.floor(limit / PER_CONNECTION);
    const wanted = this.#wanted();
    if (wanted !== Infinity && wanted <= limit) return [];
    const than = wanted === Infinity
      ? ""
      : `, fewer than max_connections (${wanted / PER_CONNECTION})`;
    return [`the limit of open files lets ${possible} connections be open at a time${than}`];
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  /** Descriptors that all listeners together may use. */
  #wanted(): number {
    const limits = this.#options.maxConnections();
    if (limits.includes(0)) return Infinity;
    return PER_CONNECTION * limits.reduce((sum, limit) => sum + limit, 0);
  }

  #measure(goal: number): void {
    const { budget, path } = this.#options;
    const { free, isAll } = probeDescriptors(path, Math.min(goal + RESERVE.most, MAX_GOAL));
    this.#known = budget.used + free;
    if (!isAll) return;
    const reserve = Math.min(Math.max(free >> 2, RESERVE.least), RESERVE.most);
    budget.limit = Math.max(budget.used + free - reserve, PER_CONNECTION);
  }

  #warn(): void {
    if (this.warnings.length === 0) return;
    const wanted = this.#wanted();
    const fields = {
      connections: Math.floor(this.#options.budget.limit / PER_CONNECTION),
      ...wanted !== Infinity && { maxConnections: wanted / PER_CONNECTION },
    };
    this.#options.log({ level: "warn", message: "the limit of open files is low", fields });
  }

  #look(): void {
    const { budget, log } = this.#options;
    if (budget.limit === 0 && budget.used > this.#known / 2 && this.#known < MAX_GOAL) {
      this.#measure(2 * this.#known);
      this.#warn();
    }
    const refused = (budget.refused - this.#refusedBefore) >>> 0;
    if (refused === 0 || performance.now() - this.#loggedAt < LOG_INTERVAL_MS) return;
    this.#refusedBefore = budget.refused;
    this.#loggedAt = performance.now();
    const fields = { refused, connections: Math.floor(budget.limit / PER_CONNECTION) };
    log({ level: "warn", message: "connections refused: descriptors are short", fields });
  }
}

/** Opens up to so many descriptors and closes them; whether there were no more. */
export function probeDescriptors(path: string, goal: number): { free: number; isAll: boolean } {
  const open: number[] = [];
  try {
    while (open.length < goal) open.push(openSync(path, "r"));
    return { free: open.length, isAll: false };
  } catch (error) {
    const { code = "" } = error as NodeJS.ErrnoException;
    // Something else stands in the way: nothing is known.
    return { free: open.length, isAll: NONE_LEFT.has(code) };
  } finally {
    for (const descriptor of open) closeSync(descriptor);
  }
}
