/** Times that are remembered at once, of all sources together: 8 MiB. */
const MAX_TIMES = 2 ** 20;
/** Sources that are remembered at once, whatever their offences. */
const MAX_SOURCES = 2 ** 16;

/** When somebody is an offender: `count` offences `withinMs`. */
export interface OffenceLimit {
  /** From 1 on. */
  readonly count: number;
  readonly withinMs: number;
}

/** The last offences of one source, in a ring. */
interface History {
  readonly times: Float64Array;
  next: number;
}

/**
 * Counts offences by source over a window that slides: exactly `count` within the time make an
 * offender, wherever the time begins. In bounded memory: of too many sources those are forgotten
 * whose last offence is the longest ago.
 *
 * @example
 * ```ts
 * import { Offences } from "./mod.ts";
 * import assert from "node:assert/strict";
 *
 * const offences = new Offences({ count: 2, withinMs: 1000 });
 * assert.equal(offences.note("192.0.2.1", 0), false);
 * assert.equal(offences.note("192.0.2.1", 1000), true);
 * ```
 */
export class Offences {
  readonly #limit: OffenceLimit;
  readonly #maxSources: number;
  /** In the order of their last offences. */
  readonly #records = new Map<string, History>();

  constructor(limit: OffenceLimit, { maxSources = MAX_SOURCES }: { maxSources?: number } = {}) {
    this.#limit = limit;
    this.#maxSources = Math.min(maxSources, Math.max(1, Math.floor(MAX_TIMES / limit.count)));
  }

  /**
   * Notes an offence; whether it makes the source an offender, who is forgotten with that.
   *
   * @param nowMs On a clock that never steps.
   */
  note(source: string, nowMs: number): boolean {
    const { count, withinMs } = this.#limit;
    const known = this.#records.get(source);
    const record = known ?? { times: new Float64Array(count).fill(-Infinity), next: 0 };
    this.#records.delete(source);
    record.times[record.next] = nowMs;
    record.next = (record.next + 1) % count;
    // The next to be overwritten is the oldest of the last `count`.
    const isOffender = nowMs - (record.times[record.next] as number) <= withinMs;
    if (isOffender) return true;
    this.#records.set(source, record);
    if (this.#records.size > this.#maxSources) this.#forgetOldest();
    return false;
  }

  /** Sources that are remembered. */
  get size(): number {
    return this.#records.size;
  }

  #forgetOldest(): void {
    const { value } = this.#records.keys().next();
    if (value !== undefined) this.#records.delete(value);
  }
}
