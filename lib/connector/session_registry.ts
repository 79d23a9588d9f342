import { accessKey } from "./authorization_cache.ts";
import type { AccessRequest, Authorizer, Decision, DenialCause } from "./authorizer.ts";
import type { WallClock } from "./clock.ts";

/** Keys in one question to the authorizer. */
const BATCH = 256;

/** Questions under way at a time: new connections need the database's attention, too. */
const CONCURRENCY = 2;

/** Announced changes closer together than this are looked at in one go. */
const MIN_INTERVAL_MS = 100;

/** A session that is going on. */
export interface LiveSession extends AccessRequest {
  /** The address that was allowed. */
  readonly address: string;
  /** Milliseconds since 1970: the end of the certificate. */
  readonly notAfter: number;
  /** Ends the session; called once at most, and not for a session that was removed. */
  close(end: SessionEnd): void;
}

/** Why a live session was ended. */
export type SessionEnd =
  | { readonly reason: "certificate_expired" | "certificate_revoked" }
  /** The host's row now names another address: what was allowed no longer exists. */
  | { readonly reason: "host_moved" }
  | { readonly reason: "access_revoked"; readonly cause: DenialCause }
  /** The database could not be asked for longer than the grace. */
  | { readonly reason: "authorizer_unavailable" };

/** Settings of {@link createSessionRegistry}. */
export interface SessionRegistryOptions {
  /** Asked directly, not through a cache. */
  readonly authorizer: Authorizer;
  /** Every session is asked about this often, milliseconds. */
  readonly revalidateMs: number;
  /**
   * How long a session outlives its last confirmation while the database cannot be asked,
   * milliseconds. New sessions are refused at once; ending the live ones at once, too, would make
   * every restart of the database an outage of the whole site.
   */
  readonly outageGraceMs: number;
  readonly clock: WallClock;
  /** Told when a session's `close` threw. */
  readonly onError?: (error: unknown) => void;
}

interface Entry<S extends LiveSession> {
  readonly session: S;
  confirmedMs: number;
}

/**
 * Creates a registry of live sessions, which ends those that are no longer allowed: all are
 * re-authorised every `revalidateMs`, and at once after {@link SessionRegistry.changed}; a session
 * so ends within `revalidateMs` and one question's deadline after its right or its certificate.
 *
 * @example
 * ```ts
 * import { createSessionRegistry, type SessionEnd } from "./session_registry.ts";
 * import { wallClock } from "./clock.ts";
 * import assert from "node:assert/strict";
 *
 * const nobody = { allowed: false, cause: "unknown_user" } as const;
 * await using registry = createSessionRegistry({
 *   authorizer: {
 *     authorize: () => Promise.resolve(nobody),
 *     authorizeAll: (requests) => Promise.resolve(requests.map(() => nobody)),
 *     close: () => Promise.resolve(),
 *   },
 *   revalidateMs: 10_000,
 *   outageGraceMs: 300_000,
 *   clock: wallClock,
 * });
 * const end = await new Promise<SessionEnd>((close) => {
 *   const key = { orgId: "acme", userId: "alice", connectId: "host-1" };
 *   registry.add({ ...key, address: "10.0.0.5", notAfter: Date.now() + 1000, close });
 *   registry.changed();
 * });
 * assert.deepEqual(end, { reason: "access_revoked", cause: "unknown_user" });
 * ```
 */
export function createSessionRegistry<S extends LiveSession>(
  options: SessionRegistryOptions,
): SessionRegistry<S> {
  return new SessionRegistry(options);
}

/** See {@link createSessionRegistry}. */
export class SessionRegistry<S extends LiveSession> implements AsyncDisposable {
  readonly #options: SessionRegistryOptions;
  readonly #entries = new Set<Entry<S>>();
  #timer: unknown;
  #pass: Promise<void> | undefined;
  #passStartedMs = -Infinity;
  #dirty = false;
  #epoch = 0;
  #stopped = false;

  constructor(options: SessionRegistryOptions) {
    this.#options = options;
    this.#schedule(options.revalidateMs);
  }

  /** Live sessions. */
  get size(): number {
    return this.#entries.size;
  }

  /** Counts announced changes. Read it before authorising and hand it to {@link add}. */
  get epoch(): number {
    return this.#epoch;
  }

  /** The live sessions, oldest first. */
  *sessions(): Generator<S> {
    for (const { session } of this.#entries) yield session;
  }

  /**
   * Takes a session that was just authorised; dispose of the result when it ends. With the `epoch`
   * of before the authorisation, a change that came in between is not missed.
   */
  add(session: S, epoch: number = this.#epoch): Disposable {
    const entry: Entry<S> = { session, confirmedMs: this.#options.clock.now() };
    this.#entries.add(entry);
    if (epoch !== this.#epoch) this.#soon();
    return { [Symbol.dispose]: () => void this.#entries.delete(entry) };
  }

  /** Rows may have changed: every session is asked about at once. */
  changed(): void {
    this.#epoch++;
    this.#soon();
  }

  /** Ends the sessions that match, for instance after a new revocation list. */
  end(matches: (session: S) => boolean, end: SessionEnd): number {
    const matching = [...this.#entries].filter(({ session }) => matches(session));
    for (const entry of matching) this.#end(entry, end);
    return matching.length;
  }

  /** Stops asking; the sessions stay. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true;
    this.#options.clock.clearTimeout(this.#timer);
    await this.#pass;
  }

  #soon(): void {
    this.#dirty = true;
    if (this.#pass === undefined) {
      const waited = this.#options.clock.now() - this.#passStartedMs;
      this.#schedule(Math.min(Math.max(MIN_INTERVAL_MS - waited, 0), MIN_INTERVAL_MS));
    }
  }

  #schedule(ms: number): void {
    const { clock } = this.#options;
    clock.clearTimeout(this.#timer);
    if (this.#stopped) return;
    this.#timer = clock.setTimeout(() => {
      this.#pass ??= this.#revalidate();
    }, ms);
  }

  async #revalidate(): Promise<void> {
    const { clock, revalidateMs } = this.#options;
    this.#dirty = false;
    this.#passStartedMs = clock.now();
    try {
      this.end(({ notAfter }) => clock.now() > notAfter, { reason: "certificate_expired" });
      await this.#askAll();
    } finally {
      this.#pass = undefined;
      const elapsed = clock.now() - this.#passStartedMs;
      if (this.#dirty) this.#soon();
      else this.#schedule(Math.min(Math.max(revalidateMs - elapsed, 0), revalidateMs));
    }
  }

  async #askAll(): Promise<void> {
    const batches = batched(groupByKey(this.#entries).values());
    let answered = true;
    const lane = async () => {
      for (const groups of batches) {
        // A database that did not answer once is not asked more in this pass.
        const decisions = answered && !this.#stopped ? await this.#ask(groups) : [];
        answered &&= decisions.some((decision) => !isUnavailable(decision));
        groups.forEach((group, i) => this.#judge(group, decisions[i]));
      }
    };
    await Promise.all(Array.from({ length: CONCURRENCY }, lane));
  }

  #ask(groups: readonly Entry<S>[][]): Promise<Decision[]> {
    return this.#options.authorizer.authorizeAll(
      groups.flatMap((group) => group.slice(0, 1).map(({ session }) => session)),
    );
  }

  #judge(group: readonly Entry<S>[], decision: Decision | undefined): void {
    if (this.#stopped) return;
    const nowMs = this.#options.clock.now();
    for (const entry of group) {
      if (isUnavailable(decision)) {
        const expired = nowMs - entry.confirmedMs > this.#options.outageGraceMs;
        if (expired) this.#end(entry, { reason: "authorizer_unavailable" });
      } else if (!decision.allowed) {
        this.#end(entry, { reason: "access_revoked", cause: decision.cause });
      } else if (decision.address !== entry.session.address) {
        this.#end(entry, { reason: "host_moved" });
      } else {
        entry.confirmedMs = nowMs;
      }
    }
  }

  #end(entry: Entry<S>, end: SessionEnd): void {
    // Removed while the answer was under way: somebody else has ended it.
    if (!this.#entries.delete(entry)) return;
    try {
      entry.session.close(end);
    } catch (error) {
      this.#options.onError?.(error);
    }
  }
}

function isUnavailable(
  decision: Decision | undefined,
): decision is undefined | { allowed: false; cause: "unavailable" } {
  return decision === undefined || !decision.allowed && decision.cause === "unavailable";
}

function groupByKey<S extends LiveSession>(entries: Iterable<Entry<S>>): Map<string, Entry<S>[]> {
  const groups = new Map<string, Entry<S>[]>();
  for (const entry of entries) {
    const key = accessKey(entry.session);
    const group = groups.get(key);
    if (group) group.push(entry);
    else groups.set(key, [entry]);
  }
  return groups;
}

/** Slices of {@link BATCH}; one generator, shared by the lanes that work it off. */
function* batched<T>(items: Iterable<T>): Generator<T[]> {
  let batch: T[] = [];
  for (const item of items) {
    batch.push(item);
    if (batch.length === BATCH) {
      yield batch;
      batch = [];
    }
  }
  if (batch.length > 0) yield batch;
}
