import { type Descriptors, unlimitedDescriptors } from "../observe/mod.ts";
import type { Found, Questioner } from "./questioner.ts";

/** Names of backends are few; more than this is a mistake that must not cost memory. */
const MAX_ENTRIES = 10_000;
/** Questions under way at a time; each holds a descriptor, one after the other. */
const MAX_UNDER_WAY = 512;
/** Fewer seconds would be a question for each connection. */
const MIN_TTL_MS = 1000;
const MAX_TTL_MS = 86_400_000;
/** RFC 2308 §5 wants hours at most; whoever adds a name does not want to wait for them. */
const MAX_NEGATIVE_TTL_MS = 60_000;
/** RFC 8767 §5: for how long after its end an answer is better than none. */
const STALE_MS = 86_400_000;
/** RFC 8767 §5, "client response timer": a quarter of the time that it suggests. */
const STALE_ANSWER_MS = 450;
/** RFC 8767 §5, "failure recheck timer": 30 s, and while a connection waits for nothing else, less. */
const RETRY_STALE_MS = 10_000;
/** RFC 9520 §3.2: a failure is remembered too, or everybody who asks makes it worse. */
const FAILURE_MS = 2000;

interface Entry {
  readonly addresses: readonly string[];
  expiresAt: number;
  /** Not asked again before that. */
  retryAt: number;
}

interface Failure {
  readonly error: unknown;
  readonly until: number;
}

/** What tests replace, and what a thread shares with everything else it does. */
export interface RecordCacheOptions {
  /** Milliseconds from any point. */
  readonly now?: () => number;
  /** Each question under way takes one. Default: as many as there are. */
  readonly descriptors?: Descriptors;
}

/** There are more questions under way than may be, or no descriptor for one more. */
export class BusyError extends Error {
  override readonly name = "BusyError";
  readonly code = "BUSY";
}

/**
 * Remembers answers for as long as they hold, and beyond that while no better one comes. Those who
 * ask for the same at the same time share one question.
 */
export class RecordCache implements Disposable {
  readonly #question: Questioner;
  readonly #now: () => number;
  readonly #descriptors: Descriptors;
  readonly #entries = new Map<string, Entry>();
  readonly #failures = new Map<string, Failure>();
  readonly #underWay = new Map<string, Promise<readonly string[]>>();
  readonly #closing = new AbortController();

  constructor(
    question: Questioner,
    { now = () => performance.now(), descriptors = unlimitedDescriptors }: RecordCacheOptions = {},
  ) {
    this.#descriptors = descriptors;
    this.#question = question;
    this.#now = now;
  }

  /** The addresses of a name in one family; none if there are none. */
  async get(name: string, type: number): Promise<readonly string[]> {
    const key = `${type} ${name}`;
    const now = this.#now();
    const entry = this.#entries.get(key);
    if (entry !== undefined && now < entry.expiresAt) return entry.addresses;
    const stale = entry !== undefined && now < entry.expiresAt + STALE_MS ? entry : undefined;
    if (stale !== undefined && now < stale.retryAt) return stale.addresses;
    const failure = this.#failures.get(key);
    if (failure !== undefined && now < failure.until) throw failure.error;
    const asked = this.#underWay.get(key) ?? this.#ask(key, name, type);
    return stale === undefined ? await asked : await orAfter(asked, stale.addresses);
  }

  /** Everything is asked again; what was known stands until it is answered. */
  expire(): void {
    for (const entry of this.#entries.values()) {
      entry.expiresAt = Math.min(entry.expiresAt, this.#now());
      entry.retryAt = 0;
    }
    this.#failures.clear();
  }

  [Symbol.dispose](): void {
    this.#closing.abort(new DOMException("the resolver is closed", "AbortError"));
  }

  #ask(key: string, name: string, type: number): Promise<readonly string[]> {
    if (this.#underWay.size >= MAX_UNDER_WAY) {
      return Promise.reject(new BusyError(`${MAX_UNDER_WAY} names are being resolved already`));
    }
    if (!this.#descriptors.acquire(1)) {
      return Promise.reject(new BusyError("no descriptor is left to ask for a name with"));
    }
    const asked = this.#question(name, type, this.#closing.signal).then(
      (found) => this.#remember(key, found),
      (error) => this.#fail(key, error),
    ).finally(() => {
      this.#underWay.delete(key);
      this.#descriptors.release(1);
    });
    this.#underWay.set(key, asked);
    return asked;
  }

  #remember(key: string, { addresses, ttl }: Found): readonly string[] {
    const most = addresses.length > 0 ? MAX_TTL_MS : MAX_NEGATIVE_TTL_MS;
    const ms = Math.min(Math.max(ttl * 1000, MIN_TTL_MS), most);
    this.#failures.delete(key);
    this.#entries.delete(key); // The newest last: the first one goes.
    this.#entries.set(key, { addresses, expiresAt: this.#now() + ms, retryAt: 0 });
    dropOldest(this.#entries);
    return addresses;
  }

  #fail(key: string, error: unknown): never {
    const entry = this.#entries.get(key);
    if (entry !== undefined) entry.retryAt = this.#now() + RETRY_STALE_MS;
    this.#failures.set(key, { error, until: this.#now() + FAILURE_MS });
    dropOldest(this.#failures);
    throw error;
  }
}

/** What was asked, or after a time or a failure what is known; the answer then comes for others. */
async function orAfter(
  asked: Promise<readonly string[]>,
  known: readonly string[],
): Promise<readonly string[]> {
  const late = Promise.withResolvers<readonly string[]>();
  const timer = setTimeout(late.resolve, STALE_ANSWER_MS, known);
  try {
    return await Promise.race([asked, late.promise]);
  } catch {
    return known;
  } finally {
    clearTimeout(timer);
  }
}

function dropOldest(map: Map<string, unknown>): void {
  if (map.size <= MAX_ENTRIES) return;
  const oldest = map.keys().next();
  if (oldest.done !== true) map.delete(oldest.value);
}
