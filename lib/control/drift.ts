import { describeError, type LogSink } from "../observe/mod.ts";
import { RefusedError } from "../queue/mod.ts";
import { runInSlices } from "../slices/mod.ts";
import type { State } from "../state/mod.ts";
import type { ServedState } from "./served_state.ts";
import type { Difference } from "./difference.ts";
import { type CountSource, DriftCount } from "./drift_count.ts";
import type { FirewallAdministration } from "./firewall_administration.ts";
import type { StateAdministration } from "./state_administration.ts";

/** How soon a change is seen. */
const LOOK_MS = 1_000;
/** Comparing everything may take a hundredth of the time: it takes seconds for a million rules. */
const REST_FACTOR = 100;
/** So many differences, or changes, are looked at one by one in a turn, which takes milliseconds. */
const MAX_TOUCHED = 1_000;

/** Refusals that say nothing of the file. */
const IS_OVER: ReadonlySet<string> = new Set(["shutting_down", "busy"]);

/** What a {@link Drift} compares. */
export interface DriftOptions {
  readonly state: ServedState;
  readonly wholeState: StateAdministration;
  readonly firewall: FirewallAdministration;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Such as `mc-proxy.toml`; absent: the state is from no file. */
  readonly file: string | undefined;
  readonly log: LogSink;
}

/**
 * How far the state in effect is from the one that the configuration file names: whoever edits a file that
 * has only seeded the database is to be told that it changed nothing.
 */
export class Drift implements Disposable {
  readonly #options: DriftOptions;
  readonly #timer: ReturnType<typeof setInterval>;
  #desired: State;
  #revision: number | undefined;
  #restUntil = 0;
  #isLooking = false;
  #warning: string | undefined;
  #differences = 0;
  /** Absent: everything has to be compared. */
  #count: DriftCount | undefined;
  /** What was changed since, and the revision that it led to. */
  #touched: { readonly revision: number; readonly changes: readonly Difference[] }[] = [];
  /** A change that is not among those: only who has compared everything since knows its differences. */
  #unknownAt = -Infinity;
  readonly #watch: Disposable;

  constructor(desired: State, options: DriftOptions) {
    this.#desired = desired;
    this.#options = options;
    this.#watch = options.state.watch((changes, revision) => this.#note(changes, revision));
    this.#timer = setInterval(() => void this.lookAgain(), LOOK_MS);
  }

  /** One sentence, with the command that shows the differences; nothing while there are none. */
  get warning(): string | undefined {
    return this.#warning;
  }

  /** How many there were at the last look that could compare. */
  get differences(): number {
    return this.#differences;
  }

  /** Compares now, with what the file names by now if that is given. */
  async look(desired: State = this.#desired): Promise<void> {
    this.#desired = desired;
    const { state, wholeState, file, now } = this.#options;
    const before = this.#warning;
    const started = performance.now();
    this.#isLooking = true;
    this.#count = undefined;
    try {
      const operation = { actor: "mc-proxy", action: "Compare" };
      const comparedAt = now();
      const found = await wholeState.apply(desired, { dryRun: true, close: false }, operation);
      const counting = DriftCount.of(desired, found.differences, this.#source(comparedAt));
      const counted = await runInSlices(counting);
      this.#touched = this.#touched.filter(({ revision }) => revision > found.revision);
      if (this.#unknownAt <= found.revision) this.#count = counted;
      this.#found(found.revision, counted);
    } catch (error) {
      if (error instanceof RefusedError && IS_OVER.has(error.code)) return;
      this.#revision = state.database.revision;
      this.#warning = `${file} cannot be compared with the database: ${describeError(error)}`;
    } finally {
      this.#isLooking = false;
    }
    this.#restUntil = performance.now() + (performance.now() - started) * REST_FACTOR;
    this.#say(before);
  }

  #source(comparedAt: number): CountSource {
    const { state, firewall } = this.#options;
    return {
      rateLimit: () => firewall.rateLimit,
      comparedAt,
      route: (addr: string, hostname: string) => {
        const listener = state.snapshot.listeners.find((it) => it.addr === addr);
        return listener && state.table(listener.id)?.get(hostname);
      },
    };
  }

  #found(revision: number, { total }: DriftCount): void {
    this.#revision = revision;
    this.#differences = total;
    this.#warning = driftWarning(this.#options.file, total);
  }

  #note(changes: readonly Difference[] | undefined, revision: number): void {
    if (changes !== undefined && changes.length + this.#touched.length <= MAX_TOUCHED) {
      this.#touched.push({ revision, changes });
      return;
    }
    this.#unknownAt = revision;
    this.#count = undefined;
    this.#touched = [];
  }

  #say(before: string | undefined): void {
    const { file, log } = this.#options;
    if (this.#warning === before) return;
    if (this.#warning === undefined) {
      log({
        level: "info",
        message: "the configuration file is in effect again",
        fields: { file },
      });
    } else {
      const fields = { file, reason: this.#warning };
      log({ level: "warn", message: "the configuration file is not in effect", fields });
    }
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#watch[Symbol.dispose]();
  }

  /** Looks at what has changed since, which costs what has changed; everything only where it has to. */
  async lookAgain(): Promise<void> {
    // The first look is for whoever knows when the database holds what it is to hold.
    if (this.#isLooking || this.#revision === undefined) return;
    const { revision } = this.#options.state.database.audit;
    // A change is in the database before it is in effect, which is when it is noted.
    if (revision === this.#revision && this.#touched.length === 0) return;
    const touched = this.#touched.splice(0).flatMap(({ changes }) => changes);
    if (this.#count?.update(touched) === true) {
      const before = this.#warning;
      this.#found(revision, this.#count);
      return this.#say(before);
    }
    this.#count = undefined;
    if (performance.now() >= this.#restUntil) await this.look();
  }
}

/** What is said of differences between a file and the database, if there are any. */
export function driftWarning(file: string | undefined, count: number): string | undefined {
  if (count === 0) return undefined;
  const [number, verb] = count === 1 ? ["1 difference", "is"] : [`${count} differences`, "are"];
  return `${file} is not what is in effect, the database is: there ${verb} ${number}; ` +
    `\`mcproxyctl apply -f ${file} --diff\` shows them`;
}
