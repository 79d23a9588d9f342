import type { AccessRequest, Authorizer, Decision } from "./authorizer.ts";
import type { WallClock } from "./clock.ts";

/** About 300 octets each: 3 MB. */
const DEFAULT_MAX_ENTRIES = 10_000;

/** Settings of {@link createAuthorizationCache}. */
export interface AuthorizationCacheOptions {
  /** How long a yes is repeated without asking, milliseconds; 0 turns the cache off. */
  readonly ttlMs: number;
  readonly maxEntries?: number;
  readonly clock: Pick<WallClock, "now">;
}

/** An {@link Authorizer} that remembers; the memory can be wiped when rows have changed. */
export interface AuthorizationCache extends Authorizer {
  readonly size: number;
  clear(): void;
}

interface Entry {
  readonly decision: Decision;
  readonly expiresMs: number;
}

/**
 * Remembers who was allowed, for a short time and for so many at most; the oldest goes first.
 * Refusals are not remembered: a stranger cannot push anyone out, and a right that was just given
 * works at once. A right that was taken away can still open sessions for `ttlMs`, and the
 * re-authorisation of live sessions, which does not ask the cache, ends them.
 */
export function createAuthorizationCache(
  inner: Authorizer,
  { ttlMs, maxEntries = DEFAULT_MAX_ENTRIES, clock }: AuthorizationCacheOptions,
): AuthorizationCache {
  const entries = new Map<string, Entry>();
  // An answer that was under way while the memory was wiped may be older than the change.
  let generation = 0;

  const recall = (key: string): Decision | undefined => {
    const entry = entries.get(key);
    if (entry === undefined) return undefined;
    const ageLeft = entry.expiresMs - clock.now();
    // More than the life time left: the clock was set back.
    if (ageLeft > 0 && ageLeft <= ttlMs) return entry.decision;
    entries.delete(key);
    return undefined;
  };
  const remember = (key: string, decision: Decision) => {
    if (!decision.allowed || ttlMs <= 0 || maxEntries <= 0) return;
    entries.delete(key);
    const oldest = entries.size >= maxEntries ? entries.keys().next().value : undefined;
    if (oldest !== undefined) entries.delete(oldest);
    entries.set(key, { decision, expiresMs: clock.now() + ttlMs });
  };

  return {
    async authorize(request) {
      const key = accessKey(request);
      const known = recall(key);
      if (known) return known;
      const asked = generation;
      const decision = await inner.authorize(request);
      if (asked === generation) remember(key, decision);
      return decision;
    },
    authorizeAll: (requests) => inner.authorizeAll(requests),
    close: () => inner.close(),
    get size() {
      return entries.size;
    },
    clear() {
      generation++;
      entries.clear();
    },
  };
}

/** One text for each different request: no separator that an identifier could contain. */
export function accessKey({ orgId, userId, connectId }: AccessRequest): string {
  return `${orgId.length}:${userId.length}:${orgId}${userId}${connectId}`;
}
