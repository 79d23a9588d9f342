import { MAX_WORKERS } from "../observe/mod.ts";
import { BALANCE_LIMITS, type BalanceLimits } from "./limits.ts";

/** What active checks say. */
export type CheckResult = "unknown" | "passing" | "failing";

const RESULTS: readonly CheckResult[] = ["unknown", "passing", "failing"];

/** Times are kept in tenths of a second since the cell was made: 32 bits last for six years. */
const TICK_MS = 100;
/** The time the cell was made, a double. */
const BASE_DOUBLE = 0;
const CHECK = 2;
const FAILURES = 3;
/** Tenths, 0 for never; the sign bit is never set. */
const OUT_AT = 4;
const OUT_UNTIL = 5;
const TIMES_OUT = 6;
const RISEN_AT = 7;
/** Workers that have ever held a permit: sums need not look further. */
const WORKERS = 8;
const FIRST_WORKER = 10;

/** Octets of shared memory behind one {@link BackendCell}. */
export const CELL_BYTES = (FIRST_WORKER + MAX_WORKERS) * Int32Array.BYTES_PER_ELEMENT;

/**
 * What all threads know of one backend of one route, in shared memory: who uses it and how it is.
 * Each worker counts what it holds in a place of its own, so that what a dead one held is known to
 * the last permit, whatever it was doing when it died; a sum in a place of its own would not be.
 */
export class BackendCell {
  readonly buffer: SharedArrayBuffer;
  readonly #cells: Int32Array;
  readonly #base: number;
  readonly #limits: BalanceLimits;

  constructor(buffer: SharedArrayBuffer, limits: BalanceLimits = BALANCE_LIMITS) {
    this.buffer = buffer;
    this.#cells = new Int32Array(buffer);
    this.#base = new Float64Array(buffer, 0, 1)[BASE_DOUBLE] as number;
    this.#limits = limits;
  }

  /** Memory for a backend of which nothing is known yet. Times are milliseconds since 1970. */
  static create(nowMs: number): SharedArrayBuffer {
    const buffer = new SharedArrayBuffer(CELL_BYTES);
    // So that no time of its life is the 0 that stands for none.
    new Float64Array(buffer, 0, 1)[BASE_DOUBLE] = nowMs - TICK_MS;
    return buffer;
  }

  // --- permits ----------------------------------------------------------------------------------

  /** Connections or requests on it, over all workers. */
  get open(): number {
    const workers = Atomics.load(this.#cells, WORKERS);
    let sum = 0;
    for (let i = 0; i < workers; i++) sum += Atomics.load(this.#cells, FIRST_WORKER + i);
    return sum;
  }

  /**
   * Takes a permit for `worker`; `false` when `max` (0: no limit) are out already. Of two workers
   * that ask for the last one at once both may hear no; never both yes.
   */
  acquire(worker: number, max: number): boolean {
    this.#know(worker);
    Atomics.add(this.#cells, FIRST_WORKER + worker, 1);
    if (max === 0 || this.open <= max) return true;
    Atomics.sub(this.#cells, FIRST_WORKER + worker, 1);
    return false;
  }

  /** Gives a permit back. */
  release(worker: number): void {
    Atomics.sub(this.#cells, FIRST_WORKER + worker, 1);
  }

  /** Gives back every permit of a worker that died with them. */
  releaseAll(worker: number): void {
    Atomics.store(this.#cells, FIRST_WORKER + worker, 0);
  }

  #know(worker: number): void {
    let known = Atomics.load(this.#cells, WORKERS);
    while (known <= worker) {
      const found = Atomics.compareExchange(this.#cells, WORKERS, known, worker + 1);
      if (found === known) return;
      known = found;
    }
  }

  // --- health -----------------------------------------------------------------------------------

  get check(): CheckResult {
    return RESULTS[Atomics.load(this.#cells, CHECK)] as CheckResult;
  }

  /** What the checks have found; one that comes back is forgiven what connections met before. */
  checked(result: CheckResult, nowMs: number): void {
    const before = this.check;
    Atomics.store(this.#cells, CHECK, RESULTS.indexOf(result));
    if (before !== "failing" || result !== "passing") return;
    Atomics.store(this.#cells, FAILURES, 0);
    Atomics.store(this.#cells, OUT_UNTIL, 0);
    this.rise(nowMs);
  }

  /** Dial errors and early resets since the last success. */
  get failures(): number {
    return Atomics.load(this.#cells, FAILURES);
  }

  succeeded(): void {
    if (this.failures !== 0) Atomics.store(this.#cells, FAILURES, 0);
  }

  /** One more failure; whether there are as many now as take it out. */
  failed(): boolean {
    return Atomics.add(this.#cells, FAILURES, 1) + 1 >= this.#limits.failures;
  }

  /** Takes it out for a while; `false` if it is out already, or another thread was faster. */
  takeOut(nowMs: number): boolean {
    const now = this.#ticks(nowMs);
    const until = Atomics.load(this.#cells, OUT_UNTIL);
    if (this.isOut(nowMs)) return false;
    const { outMs, maxOutMs, forgetMs } = this.#limits;
    const isForgotten = until === 0 || now - until > forgetMs / TICK_MS;
    const times = isForgotten ? 1 : this.timesOut + 1;
    const next = now + Math.min(outMs * times, maxOutMs) / TICK_MS;
    if (Atomics.compareExchange(this.#cells, OUT_UNTIL, until, next) !== until) return false;
    Atomics.store(this.#cells, TIMES_OUT, times);
    Atomics.store(this.#cells, OUT_AT, now);
    // The next one finds out; it may need as many again.
    Atomics.store(this.#cells, FAILURES, 0);
    return true;
  }

  /** It has answered although it is out. */
  comeBack(nowMs: number): void {
    if (this.isOut(nowMs)) Atomics.store(this.#cells, OUT_UNTIL, this.#ticks(nowMs));
  }

  /** How often in a row it was taken out. */
  get timesOut(): number {
    return Atomics.load(this.#cells, TIMES_OUT);
  }

  /** Until when it is out, and since when, in milliseconds since 1970; 0: it never was. */
  get outUntil(): number {
    return this.#time(OUT_UNTIL);
  }

  get outAt(): number {
    return this.#time(OUT_AT);
  }

  /** Whether connections have taken it out. A clock that was set back does not keep it out. */
  isOut(nowMs: number): boolean {
    const left = Atomics.load(this.#cells, OUT_UNTIL) - this.#ticks(nowMs);
    return left > 0 && left <= this.#limits.maxOutMs / TICK_MS;
  }

  /** Nothing speaks against it. */
  isWell(nowMs: number): boolean {
    return Atomics.load(this.#cells, CHECK) !== RESULTS.indexOf("failing") && !this.isOut(nowMs);
  }

  /** It comes back, and is to get its share little by little. */
  rise(nowMs: number): void {
    Atomics.store(this.#cells, RISEN_AT, this.#ticks(nowMs));
  }

  /** The part of its share that it gets now: 1 unless it came back a moment ago. */
  share(nowMs: number): number {
    const { slowStartMs, leastShare } = this.#limits;
    const risen = Math.max(
      Atomics.load(this.#cells, RISEN_AT),
      Atomics.load(this.#cells, OUT_UNTIL),
    );
    if (risen === 0) return 1;
    const sinceMs = (this.#ticks(nowMs) - risen) * TICK_MS;
    // Of the future: a clock was set back.
    if (sinceMs < 0 || sinceMs >= slowStartMs) return 1;
    return Math.max(leastShare, sinceMs / slowStartMs);
  }

  #time(cell: number): number {
    const ticks = Atomics.load(this.#cells, cell);
    return ticks === 0 ? 0 : this.#base + ticks * TICK_MS;
  }

  #ticks(nowMs: number): number {
    return Math.floor((nowMs - this.#base) / TICK_MS);
  }
}
