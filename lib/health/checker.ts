import { type BackendCell, shortKey } from "../balance/mod.ts";
import { describeError } from "../observe/mod.ts";
import type { CheckTarget } from "./check.ts";
import { Findings, type Known } from "./findings.ts";
import { packKeys, type SharedChecks, type ToldChecks } from "./shared_checks.ts";

/** Checks under way at one time: more would be a flood of our own making after a start. */
const MAX_AT_ONCE = 32;
/** A backend that others find failing is looked at so soon. */
const CONFIRM_MS = 100;
/** How far an interval may be from what it says, either way. */
const JITTER = 0.1;

/** A backend whose checks go on until they are stopped. */
export interface Checked extends CheckTarget {
  /** Tells this backend of this route from all others. */
  readonly key: string;
  readonly cell: BackendCell;
  /** Its name in the group, the same at all proxies; absent: others have nothing to say about it. */
  readonly name?: string;
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
  /** Of the backend and of how it is checked, in the group; empty: it is not shared. */
  sharedKey: string;
  readonly findings: Findings;
  /** Whether others look after it. */
  isResting: boolean;
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
  #shared: SharedChecks | undefined;
  #onFound: () => void = () => {};

  constructor(options: CheckerOptions) {
    this.#options = options;
  }

  /** Backends that are checked. */
  get size(): number {
    return this.#running.size;
  }

  /** Backends that this proxy checks itself. */
  get checked(): number {
    return this.#running.values().filter(({ isResting }) => !isResting).toArray().length;
  }

  /**
   * Shares checks with other proxies from now on. Call {@link review} after each change of theirs.
   *
   * @param onFound Called when this proxy has found something that the others are to hear of soon.
   */
  share(shared: SharedChecks, onFound: () => void): void {
    this.#shared = shared;
    this.#onFound = onFound;
    this.review();
  }

  /** Takes up what others have found, and what this proxy is to check. */
  review(): void {
    let isChanged = false;
    for (const running of this.#running.values()) isChanged = this.#settle(running) || isChanged;
    if (isChanged) this.#options.onChange?.();
  }

  /** What own checks have found, for the others. */
  told(): ToldChecks {
    const keys = (found: string) =>
      this.#running.values()
        .filter((it) => !it.isResting && it.sharedKey !== "" && it.findings.own === found)
        .map(({ sharedKey }) => sharedKey).toArray();
    return { passing: packKeys(keys("passing")), failing: packKeys(keys("failing")) };
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
    const running = this.#running.get(key);
    if (running === undefined) return "";
    const { reason, findings, target: { cell } } = running;
    const isTold = findings.own === "unknown" && cell.check === "failing";
    return isTold ? "other proxies of the group find it failing" : reason;
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
      if (known.target.name !== target.name) known.sharedKey = sharedKeyOf(target, settings);
      known.target = target;
      return;
    }
    clearTimeout(known?.timer);
    const running: Running = {
      ...{ target, settings, reason: "", isResting: false, timer: undefined },
      sharedKey: sharedKeyOf(target, settings),
      findings: new Findings(),
    };
    this.#running.set(target.key, running);
    this.#soon(running);
    if (this.#settle(running)) this.#options.onChange?.();
  }

  /** Not all at once, and soon: nothing is known yet. */
  #soon(running: Running): void {
    this.#later(running, this.#random() * Math.min(1000, running.target.health.intervalMs));
  }

  #later(running: Running, ms: number): void {
    clearTimeout(running.timer);
    running.timer = setTimeout(() => void this.#run(running), ms);
  }

  async #run(running: Running): Promise<void> {
    await this.#enter();
    try {
      if (!this.#isCurrent(running) || running.isResting) return;
      const reason = await this.#options.check(running.target, this.#abort.signal)
        .then(() => "", (error) => describeError(error) || "it failed");
      if (!this.#isCurrent(running)) return;
      this.#note(running, reason);
      if (running.isResting) return;
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

  #note(running: Running, reason: string): void {
    const { findings, target: { health } } = running;
    if (reason !== "") running.reason = reason;
    const known = this.#knownOf(running);
    const before = findings.own;
    findings.note(reason === "" ? "passing" : "failing", health, known);
    const isNews = before !== findings.own && [before, findings.own].includes("failing");
    // Of those who look again because others have found something, nobody is to hear.
    if (isNews && known.isOurs) this.#onFound();
    if (this.#settle(running)) this.#options.onChange?.();
  }

  /** Makes of all that is known what the backend is held to be; whether that is something else. */
  #settle(running: Running): boolean {
    const { findings, target: { cell } } = running;
    const known = this.#knownOf(running);
    const result = findings.result(known) ?? known.held;
    const isSettled = findings.isSettled(known);
    if (isSettled) findings.rest();
    if (isSettled !== running.isResting) {
      running.isResting = isSettled;
      clearTimeout(running.timer);
      const isUrgent = known.verdict.failing > 0;
      if (!isSettled && isUrgent) this.#later(running, this.#random() * CONFIRM_MS);
      else if (!isSettled) this.#soon(running);
    }
    if (result === known.held) return false;
    cell.checked(result, this.#options.now());
    return true;
  }

  #knownOf({ sharedKey, target: { cell } }: Running): Known {
    const shared = sharedKey === "" ? undefined : this.#shared;
    return {
      held: cell.check,
      verdict: shared?.verdict(sharedKey) ?? { passing: 0, failing: 0 },
      isOurs: shared?.isOurs(sharedKey) ?? true,
    };
  }

  #random(): number {
    return (this.#options.random ?? Math.random)();
  }
}

/** Proxies that check otherwise, for example because they are of another version, share nothing. */
function sharedKeyOf({ name }: Checked, settings: string): string {
  return name === undefined ? "" : shortKey([name, settings]);
}
