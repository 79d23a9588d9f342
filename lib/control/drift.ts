import { describeError, type LogSink } from "../observe/mod.ts";
import { RefusedError } from "../queue/mod.ts";
import type { State } from "../state/mod.ts";
import type { ServedState } from "./served_state.ts";
import type { StateAdministration } from "./state_administration.ts";

/** How soon a change is seen. */
const LOOK_MS = 1_000;
/** A look may take a hundredth of the time: comparing hundreds of thousands of rules takes seconds. */
const REST_FACTOR = 100;

/** Refusals that say nothing of the file. */
const IS_OVER: ReadonlySet<string> = new Set(["shutting_down", "busy"]);

/** What a {@link Drift} compares. */
export interface DriftOptions {
  readonly state: ServedState;
  readonly wholeState: StateAdministration;
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

  constructor(desired: State, options: DriftOptions) {
    this.#desired = desired;
    this.#options = options;
    this.#timer = setInterval(() => void this.#lookAgain(), LOOK_MS);
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
    const { state, wholeState, file, log } = this.#options;
    const before = this.#warning;
    const started = performance.now();
    this.#isLooking = true;
    try {
      const operation = { actor: "mc-proxy", action: "Compare" };
      const found = await wholeState.apply(desired, { dryRun: true, close: false }, operation);
      this.#revision = found.revision;
      this.#differences = found.differences.length;
      this.#warning = driftWarning(file, this.#differences);
    } catch (error) {
      if (error instanceof RefusedError && IS_OVER.has(error.code)) return;
      this.#revision = state.database.audit.revision;
      this.#warning = `${file} cannot be compared with the database: ${describeError(error)}`;
    } finally {
      this.#isLooking = false;
    }
    this.#restUntil = performance.now() + (performance.now() - started) * REST_FACTOR;
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
  }

  async #lookAgain(): Promise<void> {
    if (this.#isLooking || performance.now() < this.#restUntil) return;
    // The first look is for whoever knows when the database holds what it is to hold.
    if (this.#revision === undefined) return;
    if (this.#options.state.database.audit.revision === this.#revision) return;
    await this.look();
  }
}

/** What is said of differences between a file and the database, if there are any. */
export function driftWarning(file: string | undefined, count: number): string | undefined {
  if (count === 0) return undefined;
  const [number, verb] = count === 1 ? ["1 difference", "is"] : [`${count} differences`, "are"];
  return `${file} is not what is in effect, the database is: there ${verb} ${number}; ` +
    `\`mcproxyctl apply -f ${file} --diff\` shows them`;
}
