/** What a proxy tells the other proxies of its group, while it is so. */
export interface Bulletin {
  /** Results of checks, as one of `lib/health` packs them; absent: it shares none. */
  readonly checks?: { readonly passing: string; readonly failing: string };
  /** Connections that it has let in since it began to follow the group, by what is limited and whom. */
  readonly counts?: readonly (readonly [limit: string, source: string, count: number])[];
}

/** Another proxy, as it was heard last. */
export interface Neighbour {
  readonly proxy: string;
  /** How long ago that was when this proxy asked, by PostgreSQL's clock. */
  readonly silentMs: number;
  readonly stamp: number;
  readonly bulletin: Bulletin;
}

/** That an operator wants a proxy drained. */
export interface Drain {
  /** Milliseconds since 1970, by PostgreSQL's clock. */
  readonly since: number;
  readonly actor: string;
  /** Where he has asked for it. */
  readonly proxy: string;
}

/** What comes back for a bulletin. */
export interface Exchanged {
  readonly drain: Drain | undefined;
  /** Those that were heard within a minute. */
  readonly others: readonly Neighbour[];
}

/**
 * Reads an answer of `mc_proxy_fleet.exchange()`. What has not changed since `known` is not sent again,
 * and of a bulletin that this program does not understand it takes what it does.
 */
export function readExchanged(text: string, known: ReadonlyMap<string, Neighbour>): Exchanged {
  const { drain, others } = JSON.parse(text) as {
    drain: [number, string, string] | null;
    others: [proxy: string, silentMs: number, stamp: number, shared: string | null][];
  };
  return {
    drain: drain === null
      ? undefined
      : { since: Math.round(drain[0]), actor: drain[1], proxy: drain[2] },
    others: others.map(([proxy, silentMs, stamp, shared]) => {
      const bulletin = shared === null ? known.get(proxy)?.bulletin ?? {} : readBulletin(shared);
      return { proxy, silentMs: Math.max(0, silentMs), stamp, bulletin };
    }),
  };
}

function readBulletin(text: string): Bulletin {
  const { checks, counts } = object(parse(text));
  const { passing, failing } = object(checks);
  return {
    ...typeof passing === "string" && typeof failing === "string" &&
      { checks: { passing, failing } },
    ...Array.isArray(counts) && { counts: counts.filter(isCount) },
  };
}

function isCount(given: unknown): given is readonly [string, string, number] {
  return Array.isArray(given) && typeof given[0] === "string" && typeof given[1] === "string" &&
    Number.isSafeInteger(given[2]) && given[2] >= 0;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function object(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? value as Record<string, unknown> : {};
}
