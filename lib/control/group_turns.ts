import {
  type Appended,
  type FleetLink,
  FleetLinkError,
  type NewEntry,
  type Turn,
} from "../fleet/mod.ts";
import { describeError } from "../observe/mod.ts";
import { RefusedError } from "../queue/mod.ts";
import { StaleError } from "./revision.ts";

/** Who has its turn gets through, unless the connection is lost: so often it is tried again. */
const MAX_ATTEMPTS = 20;
/** Who was faster will be so again for a while: a change waits for its turn at once then. */
const CONTENDED_MS = 1_000;

/** What {@link GroupTurns} work with. */
export interface GroupTurnsOptions {
  readonly link: FleetLink;
  /** How far the group has been followed. */
  readonly revision: () => number;
  /** Follows the group to where it is now. */
  readonly catchUp: () => Promise<void>;
  /** Throws what hinders a change. */
  readonly refuse: (error: unknown) => never;
}

/**
 * Appends changes to a group's log: at once, as long as nobody else does. A change that was made for a
 * revision that is over waits for its turn, in which nobody is faster, and is made anew: of many writers
 * each gets through, in the order in which they came.
 */
export class GroupTurns {
  readonly #options: GroupTurnsOptions;
  #turn: Turn | undefined;
  #contendedUntil = 0;
  #hindrance: unknown;
  #news = Promise.withResolvers<void>();

  constructor(options: GroupTurnsOptions) {
    this.#options = options;
  }

  /** Why nothing can be appended now: the turn could not be taken, or used. */
  get hindrance(): unknown {
    return this.#hindrance;
  }

  /**
   * Appends, or says that the entry is for a revision that is over.
   *
   * @throws {FleetLinkError}
   */
  async append(entry: NewEntry): Promise<Appended> {
    const { link } = this.#options;
    const turn = this.#turn;
    if (turn === undefined) {
      // Others are waiting, and would be overtaken.
      const isContended = performance.now() < this.#contendedUntil;
      return isContended ? { status: "stale", revision: entry.after } : await link.append(entry);
    }
    const { revision = entry.after } = turn;
    if (revision !== entry.after) return { status: "stale", revision };
    this.#turn = undefined;
    await using own = turn;
    return await own.append(entry);
  }

  /** Runs a change, and again after it was made for a state that is over. */
  async settle<T>(body: () => Promise<T>): Promise<T> {
    try {
      for (let attempt = 1;; attempt++) {
        try {
          return await body();
        } catch (error) {
          if (!(error instanceof StaleError)) throw error;
          await this.#makeReady(error, attempt);
        }
      }
    } finally {
      this.#hindrance = undefined;
      await this.#leave();
    }
  }

  /** There is a revision that may not have been followed. */
  announce(): void {
    this.#news.resolve();
  }

  /** What hinders it is for whoever appends: what may wait is kept then. */
  async #makeReady(stale: StaleError, attempt: number): Promise<void> {
    const { revision, catchUp, refuse } = this.#options;
    if (this.#hindrance !== undefined) refuse(this.#hindrance);
    // Nobody could be faster: the change is for a revision that there is not.
    if (this.#turn !== undefined || attempt === MAX_ATTEMPTS) {
      throw new RefusedError("aborted", `the state is at revision ${revision()}: ${stale.message}`);
    }
    this.#contendedUntil = performance.now() + CONTENDED_MS;
    try {
      await this.#takeAndFollow();
      await catchUp();
    } catch (error) {
      this.#hindrance = error;
    }
  }

  /** Whoever waits for its turn has what others do in effect meanwhile. */
  async #takeAndFollow(): Promise<void> {
    let isTaken = false;
    const taken = this.#take().finally(() => isTaken = true);
    taken.catch(() => {}); // It is waited for below, whatever else fails.
    while (!isTaken) {
      this.#news = Promise.withResolvers();
      await Promise.race([taken, this.#news.promise]);
      if (!isTaken) await this.#options.catchUp().catch(() => taken);
    }
    await taken;
  }

  /** Nothing was appended when this fails. */
  async #take(): Promise<void> {
    try {
      this.#turn = await this.#options.link.takeTurn();
    } catch (cause) {
      throw new FleetLinkError(describeError(cause), { cause });
    }
  }

  async #leave(): Promise<void> {
    const turn = this.#turn;
    this.#turn = undefined;
    await turn?.[Symbol.asyncDispose]();
  }
}
