import { RateSlots } from "./_rate_slots.ts";
import { SITE_PREFIX, type SourceWords } from "./_source.ts";

/** Sources that are noted between two looks of a ledger; those beyond wait for their next window. */
export const RATE_NOTES = 256;
/** Sources that are followed at once. */
const MAX_FOLLOWED = 1_024;
/** Who has not come for so long, and for a window's length, is not followed any more. */
const FORGET_MS = 10_000;
/** What was admitted too much is waited off for so many windows at most. */
const MAX_DEBT_WINDOWS = 100;

/** Settings of a {@link RateLedger}. */
export interface RateLedgerOptions {
  /** Of the limiter, made with `notes`. */
  readonly buffer: SharedArrayBuffer;
  readonly limit: number;
  readonly windowMs: number;
  /** Of an IPv6 /48 as a whole; 0 or absent: none. */
  readonly siteLimit?: number;
}

/** A source, and how many connections of it were admitted here since it is followed. */
export type ToldCount = readonly [source: string, count: number];

interface Followed {
  readonly source: SourceWords;
  /** Of the window that is open, and since when, also if it was prolonged. */
  start: number;
  openedAt: number;
  /** Connections in that window that were admitted elsewhere, and own ones that are in `total`. */
  charged: number;
  counted: number;
  total: number;
  activeAt: number;
  /** Until when the window is kept closed, because more were admitted than a window may have. */
  owesUntil: number;
}

/**
 * One proxy's part in a limit that several proxies keep together. Each tells how many connections of a
 * source it has admitted, and has those of the others charged to its own window, so that what is left of
 * the limit is the same for all of them, as of the last time that they talked. What was admitted too
 * much until then is waited off: a window with n times the limit is kept for n windows. Workers know
 * nothing of it: they find windows fuller than they have made them.
 *
 * Over any time t a source is admitted limit × (t / window + 1) times, and once what all proxies admit
 * beyond that until they hear of each other: (proxies − 1) × limit at most.
 */
export class RateLedger {
  readonly #options: RateLedgerOptions;
  readonly #slots: RateSlots;
  readonly #followed = new Map<string, Followed>();
  #read = 0;

  /** @throws {RangeError} if the buffer is not that of such a limiter. */
  constructor(options: RateLedgerOptions) {
    this.#options = options;
    this.#slots = new RateSlots(options.buffer, options.windowMs);
  }

  /**
   * How many proxies share the limit, and whether they hear of each other: those that do not, have
   * equal shares.
   */
  share({ proxies, isAlone }: { readonly proxies: number; readonly isAlone: boolean }): void {
    const { limit } = this.#options;
    // By then nobody has half of it together without being noted.
    const notedAt = proxies > 1 ? Math.max(1, Math.floor(limit / (2 * proxies))) : 0;
    this.#slots.share({ notedAt, shares: isAlone ? proxies : 0 });
  }

  /** Counts what was admitted here: whoever has come since the last time first. */
  tell(nowMs: number): ToldCount[] {
    const { sources, written } = this.#slots.notesFrom(this.#read);
    this.#read = written;
    for (const source of sources) this.#follow(source, nowMs);
    for (const [name, followed] of this.#followed) {
      this.#count(followed, nowMs);
      if (this.#isOver(followed, nowMs)) this.#followed.delete(name);
    }
    return [...this.#followed].filter(([, { total }]) => total > 0)
      .sort(([, a], [, b]) => b.activeAt - a.activeAt || b.total - a.total)
      .map(([name, { total }]) => [name, total] as const);
  }

  /** Other proxies have admitted so many more connections of a source. */
  charge(name: string, count: number, nowMs: number): void {
    const source = wordsOf(name);
    if (source === undefined || count <= 0) return;
    const followed = this.#follow(source, nowMs);
    if (followed === undefined) return;
    this.#count(followed, nowMs);
    const open = this.#slots.charge(source, { count }, nowMs);
    if (open === undefined) return;
    if (open.start !== followed.start) this.#begin(followed, open, nowMs);
    followed.charged += count;
    followed.activeAt = nowMs;
    const { windowMs } = this.#options;
    const limit = this.#limitOf(source);
    if (open.count <= limit) return;
    const windows = Math.min(MAX_DEBT_WINDOWS, open.count / limit);
    followed.owesUntil = followed.openedAt + windows * windowMs;
    this.#prolong(followed, nowMs);
  }

  #follow(source: SourceWords, nowMs: number): Followed | undefined {
    const name = nameOf(source);
    const known = this.#followed.get(name);
    if (known !== undefined || this.#followed.size >= MAX_FOLLOWED) return known;
    const followed = {
      ...{ source, start: -1, openedAt: nowMs, charged: 0, counted: 0, total: 0 },
      ...{ activeAt: nowMs, owesUntil: 0 },
    };
    this.#followed.set(name, followed);
    return followed;
  }

  #count(followed: Followed, nowMs: number): void {
    this.#prolong(followed, nowMs);
    const open = this.#slots.look(followed.source, nowMs);
    if (open === undefined) return;
    if (open.start !== followed.start) this.#begin(followed, open, nowMs);
    const own = Math.max(0, open.count - followed.charged);
    if (own <= followed.counted) return;
    followed.total += own - followed.counted;
    followed.counted = own;
    followed.activeAt = nowMs;
  }

  /** Another window is open than before. */
  #begin(
    followed: Followed,
    { start, endsInMs }: { readonly start: number; readonly endsInMs: number },
    nowMs: number,
  ): void {
    const openedAt = nowMs - Math.max(0, this.#options.windowMs - endsInMs);
    Object.assign(followed, { start, openedAt, charged: 0, counted: 0, owesUntil: 0 });
  }

  /** A window's length at most, and again until it is enough: who dies keeps nobody out for long. */
  #prolong(followed: Followed, nowMs: number): void {
    const endsInMs = Math.min(followed.owesUntil - nowMs, this.#options.windowMs);
    if (endsInMs <= 0) return;
    const open = this.#slots.charge(followed.source, { count: 0, endsInMs }, nowMs);
    if (open !== undefined) followed.start = open.start;
  }

  #isOver({ activeAt, owesUntil }: Followed, nowMs: number): boolean {
    return nowMs > owesUntil && nowMs - activeAt > Math.max(FORGET_MS, this.#options.windowMs);
  }

  #limitOf({ kind }: SourceWords): number {
    const { limit, siteLimit = 0 } = this.#options;
    return kind === SITE_PREFIX && siteLimit > 0 ? siteLimit : limit;
  }
}

/** Such as `c0000201.0.4`. */
function nameOf({ w0, w1, kind }: SourceWords): string {
  return `${(w0 >>> 0).toString(16)}.${(w1 >>> 0).toString(16)}.${kind.toString(16)}`;
}

function wordsOf(name: string): SourceWords | undefined {
  const found = /^([0-9a-f]{1,8})\.([0-9a-f]{1,8})\.([0-9a-f]{1,2})$/.exec(name);
  if (found === null) return undefined;
  const [w0, w1, kind] = found.slice(1).map((it) => parseInt(it, 16)) as [number, number, number];
  return { w0: w0 | 0, w1: w1 | 0, kind };
}
