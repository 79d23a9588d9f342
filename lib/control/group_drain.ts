import type { Drain } from "../fleet/mod.ts";
import { describeError, type LogSink } from "../observe/mod.ts";
import { RefusedError } from "../queue/mod.ts";
import type { ServedState } from "./served_state.ts";

const OPERATION = { actor: "mc-proxy", action: "Follow" } as const;

/**
 * Has this proxy take new connections or none, as its group wants it: at once, and again after a start,
 * whether or not PostgreSQL is there then.
 */
export class GroupDrain {
  readonly #state: ServedState;
  readonly #log: LogSink;
  #problem: string | undefined;
  #taking = Promise.resolve();

  constructor({ state, log }: { readonly state: ServedState; readonly log: LogSink }) {
    this.#state = state;
    this.#log = log;
  }

  /** Why it is not as the group wants it. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** Makes true what the group wants; never fails. Resolves when it is, or cannot be. */
  take(wish: Drain | undefined): Promise<void> {
    return this.#taking = this.#taking.then(() => this.#take(wish));
  }

  async #take(wish: Drain | undefined): Promise<void> {
    const state = this.#state;
    // It is the other process's business, until it gives the database back.
    if ((state.database.role?.look() ?? "ours") !== "ours") return;
    if (this.#isTaken(wish)) return;
    try {
      await state.exclusive(async () => {
        if (this.#isTaken(wish)) return;
        const drain = wish === undefined ? null : { since: wish.since, by: wordsOf(wish) };
        // In the database first: who starts again is to be as it was.
        await state.commit([], { ...OPERATION, followed: { drain, audit: [] } });
        await state.unstored.setDrained(wish !== undefined, OPERATION);
      });
      const message = wish === undefined
        ? "serving again: the group wants it"
        : "drained: the group wants no new connections here";
      const fields = wish === undefined ? {} : { by: wordsOf(wish) };
      this.#log({ level: "warn", message, fields });
      this.#problem = undefined;
    } catch (error) {
      if (error instanceof RefusedError && error.code === "shutting_down") return;
      const problem = describeError(error);
      if (problem === this.#problem) return;
      this.#problem = problem;
      const message = wish === undefined ? "cannot serve again" : "cannot be drained";
      this.#log({ level: "error", message, fields: { error: problem } });
    }
  }

  #isTaken(wish: Drain | undefined): boolean {
    const { snapshot: { isDrained = false }, database: { settings } } = this.#state;
    return isDrained === (wish !== undefined) && settings.drain?.since === wish?.since;
  }
}

function wordsOf({ actor, proxy }: Drain): string {
  return `${actor} at ${proxy}`;
}
