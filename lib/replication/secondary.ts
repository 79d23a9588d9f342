import { isLaterSerial, type Name } from "../dns/mod.ts";
import type { TransferResult } from "../transfer/mod.ts";
import { fetchSerial, fetchZone, type Primary } from "./fetch.ts";

/** Seconds between questions before the zone's own SOA record says them. */
const FIRST_RETRY = 60;
/** A zone that says less asks too often, one that says more is forgotten. */
const LEAST_WAIT = 5;
const MOST_WAIT = 7 * 86_400;
/** Of one question or transfer, in milliseconds. */
const FETCH_MS = 120_000;

/** The seconds of a SOA record. */
export interface ZoneTimers {
  readonly refresh: number;
  readonly retry: number;
  readonly expire: number;
}

/** What is had of a zone. */
export interface HeldZone {
  readonly serial: number;
  readonly timers: ZoneTimers;
}

/** How a primary is followed. */
export interface SecondaryOptions {
  readonly zone: Name;
  /** Asked in turn, until one answers. */
  readonly primaries: readonly Primary[];
  /** What we have; undefined: nothing yet. */
  readonly held: () => HeldZone | undefined;
  /** Takes what came; the zone that is there then. */
  readonly apply: (result: Exclude<TransferResult, { kind: "current" }>) => Promise<void>;
  /** The zone is too old to be answered from (RFC 1035 §3.3.13), or is again not. */
  readonly onExpired?: (isExpired: boolean) => void;
  readonly onFailure?: (error: unknown, primary: Primary) => void;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
  readonly setTimer?: (body: () => void, ms: number) => () => void;
}

/** Of a zone that a primary has first. */
export interface SecondaryStatus {
  readonly isExpired: boolean;
  /** Milliseconds since 1970; undefined: never. */
  readonly refreshedAt: number | undefined;
  readonly failures: number;
}

/** Follows a zone of a primary: asks for its serial now and then, and at once when it is told to. */
export class Secondary implements Disposable {
  readonly #options: SecondaryOptions;
  readonly #now: () => number;
  readonly #closing = new AbortController();
  #refreshedAt: number | undefined;
  #failures = 0;
  #isExpired = false;
  #stopTimer: (() => void) | undefined;
  #running: Promise<void> | undefined;
  #isTold = false;

  constructor(options: SecondaryOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
    // What is there was refreshed some time ago; when, nobody knows: it is asked about at once.
    if (options.held() !== undefined) this.#refreshedAt = this.#now();
  }

  get status(): SecondaryStatus {
    return {
      isExpired: this.#isExpired,
      refreshedAt: this.#refreshedAt,
      failures: this.#failures,
    };
  }

  /** Asks now. What is asked already is asked once more after it: the news may be newer. */
  refresh(): Promise<void> {
    if (this.#closing.signal.aborted) return Promise.resolve();
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
    let isDone = false;
    do {
      this.#isTold = false;
      isDone = await this.#askAll();
    } while (this.#isTold && !this.#closing.signal.aborted);
    if (this.#closing.signal.aborted) return;
    this.#failures = isDone ? 0 : this.#failures + 1;
    if (isDone) this.#refreshedAt = this.#now();
    this.#checkAge();
    this.#schedule(isDone);
  }

  /** Whether one of them answered. */
  async #askAll(): Promise<boolean> {
    for (const primary of this.#options.primaries) {
      try {
        await this.#ask(primary);
        return true;
      } catch (error) {
        if (this.#closing.signal.aborted) return false;
        this.#options.onFailure?.(error, primary);
      }
    }
    return false;
  }

  async #ask(primary: Primary): Promise<void> {
    const { zone, held, apply } = this.#options;
    const limit = new AbortController();
    const timer = setTimeout(() => limit.abort(), FETCH_MS);
    const options = {
      signal: AbortSignal.any([this.#closing.signal, limit.signal]),
      time: () => Math.floor(this.#now() / 1000),
    };
    try {
      const own = held();
      if (own !== undefined) {
        const serial = await fetchSerial(primary, zone, options);
        if (!isLaterSerial(serial, own.serial)) return;
      }
      const result = await fetchZone(primary, { zone, serial: own?.serial }, options);
      if (result.kind !== "current") await apply(result);
    } finally {
      clearTimeout(timer);
    }
  }

  #schedule(isDone: boolean): void {
    const timers = this.#options.held()?.timers;
    const seconds = (isDone ? timers?.refresh : timers?.retry) ?? FIRST_RETRY;
    // Not later than when it is too old.
    const left = this.#isExpired ? Infinity : timers?.expire ?? Infinity;
    const wait = Math.min(Math.max(Math.min(seconds, left), LEAST_WAIT), MOST_WAIT);
    const set = this.#options.setTimer ?? ((body, ms) => {
      const timer = setTimeout(body, ms);
      return () => clearTimeout(timer);
    });
    this.#stopTimer = set(() => void this.refresh(), 1000 * wait);
  }

  #checkAge(): void {
    const held = this.#options.held();
    if (held === undefined || this.#refreshedAt === undefined) return;
    const isExpired = this.#now() - this.#refreshedAt >= 1000 * held.timers.expire;
    if (isExpired === this.#isExpired) return;
    this.#isExpired = isExpired;
    this.#options.onExpired?.(isExpired);
  }
}
