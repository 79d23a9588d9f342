import { isLaterSerial, type Name } from "../dns/mod.ts";
import { describeError } from "../observe/mod.ts";
import type { TransferResult } from "../transfer/mod.ts";
import { fetchSerial, fetchZone, type Primary, TransferError } from "./fetch.ts";
import { boundedTimers, type TimerBounds, type ZoneTimers } from "./timers.ts";
import { Turns } from "./turns.ts";

/** Seconds between questions before the zone's own SOA record says them. */
const FIRST_RETRY = 60;
/** A zone that says less asks too often, one that says more is forgotten. */
const MOST_WAIT = 7 * 86_400;
/** Of one question or transfer, in milliseconds. */
const FETCH_MS = 600_000;
/** Whoever forges a primary's news has us ask it no more often than this. */
const NEWS_MS = 1000;

/** What is had of a zone. */
export interface HeldZone {
  readonly serial: number;
  readonly timers: ZoneTimers;
  /** When a primary last vouched for it, in milliseconds since 1970; absent: nobody knows. */
  readonly refreshedAt?: number | undefined;
}

/** How a primary is followed. */
export interface SecondaryOptions {
  readonly zone: Name;
  /** Asked in turn, until one answers. */
  readonly primaries: readonly Primary[];
  /** What we have; undefined: nothing yet. */
  readonly held: () => HeldZone | undefined;
  /** Takes what came; the zone that is there then. Steps that it refuses are asked for as a whole. */
  readonly apply: (
    result: Exclude<TransferResult, { kind: "current" }>,
    primary: Primary,
  ) => Promise<void>;
  /** What we have is what the primary has. */
  readonly onCurrent?: (primary: Primary) => Promise<void>;
  /** The zone is too old to be answered from (RFC 1035 §3.3.13), or is again not. */
  readonly onExpired?: (isExpired: boolean) => void;
  readonly onFailure?: (error: unknown, primary: Primary) => void;
  readonly bounds?: TimerBounds | undefined;
  /** Shared by zones that are not to ask all at one time. */
  readonly turns?: Turns | undefined;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
  readonly setTimer?: (body: () => void, ms: number) => () => void;
  readonly silenceMs?: number | undefined;
  readonly udpWaitsMs?: readonly number[] | undefined;
  readonly maxOctets?: number | undefined;
}

/** Of a zone that a primary has first; times are milliseconds since 1970. */
export interface SecondaryStatus {
  readonly isExpired: boolean;
  /** Undefined: never. */
  readonly refreshedAt: number | undefined;
  readonly expiresAt: number | undefined;
  /** When a primary is asked next. */
  readonly nextAt: number | undefined;
  /** In a row. */
  readonly failures: number;
  /** Why the last one failed; empty: it did not. */
  readonly lastError: string;
}

/** Follows a zone of a primary: asks for its serial now and then, and at once when it is told to. */
export class Secondary implements Disposable {
  readonly #options: SecondaryOptions;
  readonly #now: () => number;
  readonly #turns: Turns;
  readonly #closing = new AbortController();
  #refreshedAt: number | undefined;
  #nextAt: number | undefined;
  #failures = 0;
  #lastError = "";
  #isExpired = false;
  #stopTimer: (() => void) | undefined;
  #running: Promise<void> | undefined;
  #askedAt = -Infinity;
  #isTold = false;
  #wantsWhole = false;

  constructor(options: SecondaryOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
    this.#turns = options.turns ?? new Turns(1);
    // What is there was refreshed some time ago; if nobody knows when: it is asked about at once.
    const held = options.held();
    if (held !== undefined) this.#refreshedAt = held.refreshedAt ?? this.#now();
  }

  get status(): SecondaryStatus {
    const expire = this.#timers?.expire;
    return {
      isExpired: this.#isExpired,
      refreshedAt: this.#refreshedAt,
      expiresAt: expire === undefined || this.#refreshedAt === undefined
        ? undefined
        : this.#refreshedAt + 1000 * expire,
      nextAt: this.#nextAt,
      failures: this.#failures,
      lastError: this.#lastError,
    };
  }

  /** Looks at the age of what there is; asks nobody. */
  look(): void {
    this.#checkAge();
  }

  /**
   * A primary says that the zone has changed.
   *
   * @param serial of the version that it has, if it says so: a hint (RFC 1996 §3.7).
   */
  told(serial: number | undefined): void {
    const held = this.#options.held();
    if (serial !== undefined && held !== undefined && !isLaterSerial(serial, held.serial)) return;
    const soonMs = NEWS_MS - (this.#now() - this.#askedAt);
    if (this.#running !== undefined || soonMs <= 0) return void this.refresh();
    this.#waitMs(soonMs);
  }

  /**
   * Asks now. What is asked already is asked once more after it: the news may be newer.
   *
   * @param isWhole whether the zone is wanted as a whole, whatever its serial.
   */
  refresh({ isWhole = false }: { readonly isWhole?: boolean } = {}): Promise<void> {
    if (this.#closing.signal.aborted) return Promise.resolve();
    if (isWhole) this.#wantsWhole = true;
    if (this.#running !== undefined) {
      this.#isTold = true;
      return this.#running;
    }
    this.#running = this.#run().finally(() => this.#running = undefined);
    return this.#running;
  }

  [Symbol.dispose](): void {
    this.#stopTimer?.();
    this.#closing.abort(new DOMException("the zone is not followed any more", "AbortError"));
  }

  async #run(): Promise<void> {
    this.#stopTimer?.();
    this.#nextAt = undefined;
    this.#checkAge();
    let isDone = false;
    do {
      this.#isTold = false;
      isDone = await this.#turns.take(() => this.#askAll());
      this.#askedAt = this.#now();
    } while (this.#isTold && !this.#closing.signal.aborted);
    if (this.#closing.signal.aborted) return;
    this.#failures = isDone ? 0 : this.#failures + 1;
    if (isDone) {
      this.#refreshedAt = this.#now();
      this.#lastError = "";
    }
    this.#checkAge();
    this.#schedule(isDone);
  }

  /** Whether one of them answered. */
  async #askAll(): Promise<boolean> {
    const isWhole = this.#wantsWhole;
    this.#wantsWhole = false;
    for (const primary of this.#options.primaries) {
      if (this.#closing.signal.aborted) return false;
      try {
        await this.#ask(primary, isWhole);
        return true;
      } catch (error) {
        if (this.#closing.signal.aborted) return false;
        this.#lastError = describeError(error);
        this.#options.onFailure?.(error, primary);
      }
    }
    return false;
  }

  async #ask(primary: Primary, isWhole: boolean): Promise<void> {
    const { zone, held, apply, onCurrent, silenceMs, udpWaitsMs, maxOctets } = this.#options;
    const limit = new AbortController();
    const timer = setTimeout(() => limit.abort(), FETCH_MS);
    const options = {
      signal: AbortSignal.any([this.#closing.signal, limit.signal]),
      time: () => Math.floor(this.#now() / 1000),
      ...{ silenceMs, udpWaitsMs, maxOctets },
    };
    try {
      const own = isWhole ? undefined : held();
      if (own !== undefined) {
        const serial = await fetchSerial(primary, zone, options);
        refuseOlder(serial, own.serial);
        if (serial === own.serial) return await onCurrent?.(primary);
      }
      const result = await fetchZone(primary, { zone, serial: own?.serial }, options);
      if (result.kind === "current") return await onCurrent?.(primary);
      if (result.kind === "whole") return await apply(result, primary);
      try {
        await apply(result, primary);
      } catch (error) {
        this.#options.onFailure?.(error, primary);
        // What is here is not what the primary takes it for.
        const anew = await fetchZone(primary, { zone, serial: undefined }, options);
        if (anew.kind !== "current") await apply(anew, primary);
      }
    } finally {
      clearTimeout(timer);
    }
  }

  get #timers(): ZoneTimers | undefined {
    const timers = this.#options.held()?.timers;
    return timers && boundedTimers(timers, this.#options.bounds);
  }

  #schedule(isDone: boolean): void {
    const timers = this.#timers;
    const seconds = (isDone ? timers?.refresh : timers?.retry) ?? FIRST_RETRY;
    // Not later than when it is too old.
    const { expiresAt } = this.status;
    const left = this.#isExpired || expiresAt === undefined
      ? Infinity
      : Math.max(1, Math.ceil((expiresAt - this.#now()) / 1000));
    this.#waitMs(1000 * Math.min(seconds, left, MOST_WAIT));
  }

  #waitMs(ms: number): void {
    this.#stopTimer?.();
    const set = this.#options.setTimer ?? ((body, ms) => {
      const timer = setTimeout(body, ms);
      return () => clearTimeout(timer);
    });
    this.#nextAt = this.#now() + ms;
    this.#stopTimer = set(() => void this.refresh(), ms);
  }

  #checkAge(): void {
    const { expiresAt } = this.status;
    if (expiresAt === undefined) return;
    const isExpired = this.#now() >= expiresAt;
    if (isExpired === this.#isExpired) return;
    this.#isExpired = isExpired;
    this.#options.onExpired?.(isExpired);
  }
}

/** A primary that was set back, or that lies, is not followed: what is newer is kept. */
function refuseOlder(serial: number, own: number): void {
  if (serial === own || isLaterSerial(serial, own)) return;
  throw new TransferError("older", `the primary has the serial ${serial}, before our ${own}`);
}
