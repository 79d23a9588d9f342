import type { BackendCell } from "../balance/mod.ts";
import { describeError } from "../observe/mod.ts";
import type { CheckTarget } from "./check.ts";

/** Checks under way at one time: more would be a flood of our own making after a start. */
const MAX_AT_ONCE = 32;
/** How far an interval may be from what it says, either way. */
const JITTER = 0.1;

/** A backend whose checks go on until they are stopped. */
export interface Checked extends CheckTarget {
  /** Tells this backend of this route from all others. */
  readonly key: string;
  readonly cell: BackendCell;
}

/** What a {@link Checker} works with. */
export interface CheckerOptions {
  /** @throws {Error} saying why the backend is not well. */
  readonly check: (target: CheckTarget, signal: AbortSignal) => Promise<void>;
  /** A backend is otherwise than before. */
  readonly onChange?: () => void;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly random?: () => number;
}

interface Running {
  target: Checked;
  settings: string;
  /** Results in a row that are not what the cell says. */
  against: number;
  /** Why the last one failed that did. */
  reason: string;
  timer: ReturnType<typeof setTimeout> | undefined;
}

/** Checks backends again and again, each once for all workers, and writes the result to its cell. */
export class Checker implements Disposable {
  readonly #options: CheckerOptions;
  readonly #running = new Map<string, Running>();
  readonly #abort = new AbortController();
  readonly #waiting: (() => void)[] = [];
  #active = 0;

  constructor(options: CheckerOptions) {
    this.#options = options;
  }

  /** Backends that are checked. */
  get size(): number {
    return this.#running.size;
  }

  /** Checks these from now on, and no others; what is known of those that stay goes on. */
  follow(targets: readonly Checked[]): void {
    const wanted = new Map(targets.map((target) => [target.key, target]));
    for (const [key, running] of this.#running) {
      if (wanted.has(key)) continue;
      clearTimeout(running.timer);
      this.#running.delete(key);
      running.target.cell.checked("unknown", this.#options.now());
    }
    for (const target of targets) this.#start(target);
  }

  /** Why the checks of a backend failed last; empty: none has. */
  reason(key: string): string {
    return this.#running.get(key)?.reason ?? "";
  }

  [Symbol.dispose](): void {
    this.#abort.abort(new Error("the proxy is shutting down"));
    for (const { timer } of this.#running.values()) clearTimeout(timer);
    this.#running.clear();
  }

  #start(target: Checked): void {
    const settings = JSON.stringify([target.route, target.addr, target.health, target.caPem]);
    const known = this.#running.get(target.key);
    if (known?.settings === settings && known.target.cell.buffer === target.cell.buffer) {
      known.target = target;
      return;
    }
    clearTimeout(known?.timer);
    const running = { target, settings, against: 0, reason: "", timer: undefined };
    this.#running.set(target.key, running);
    // Not all at once, and soon: nothing is known yet.
    this.#later(running, this.#random() * Math.min(1000, target.health.intervalMs));
  }

  #later(running: Running, ms: number): void {
    running.timer = setTimeout(() => void this.#run(running), ms);
  }

  async #run(running: Running): Promise<void> {
    await this.#enter();
    try {
      if (!this.#isCurrent(running)) return;
      const reason = await this.#options.check(running.target, this.#abort.signal)
        .then(() => "", (error) => describeError(error) || "it failed");
      if (!this.#isCurrent(running)) return;
      this.#note(running, reason);
      const { intervalMs } = running.target.health;
      this.#later(running, intervalMs * (1 + JITTER * (2 * this.#random() - 1)));
    } finally {
      this.#active--;
      this.#waiting.shift()?.();
    }
  }

  async #enter(): Promise<void> {
    if (this.#active >= MAX_AT_ONCE) await new Promise<void>((go) => this.#waiting.push(go));
    this.#active++;
  }

  #isCurrent(running: Running): boolean {
    return this.#running.get(running.target.key) === running && !this.#abort.signal.aborted;
  }

  /** The first result counts at once: before it nothing is known, as after a restart. */
  #note(running: Running, reason: string): void {
    const { cell, health: { fall, rise } } = running.target;
    if (reason !== "") running.reason = reason;
    const found = reason === "" ? "passing" : "failing";
    if (cell.check === found) {
      running.against = 0;
      return;
    }
    running.against++;
    const needed = cell.check === "unknown" ? 1 : found === "failing" ? fall : rise;
    if (running.against < needed) return;
    running.against = 0;
    cell.checked(found, this.#options.now());
    this.#options.onChange?.();
  }

  #random(): number {
    return (this.#options.random ?? Math.random)();
  }
}
