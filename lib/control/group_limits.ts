import { shortKey } from "../balance/mod.ts";
import { RateLedger, type RateLedgerOptions } from "../firewall/mod.ts";
import type { Bulletin, Neighbour } from "../fleet/mod.ts";
import type { Snapshot } from "../plane/mod.ts";
import type { ServedState } from "./served_state.ts";

/** Counts that one proxy tells, of those who came last: some 4 KiB. */
const MAX_TOLD = 100;
/** In a large group it tells fewer, for each of all proxies reads those of all: so many, but some. */
const MAX_READ = 1_000;
const MIN_TOLD = 10;
/** Counts of one proxy that are remembered, also those that it tells no more. */
const MAX_KNOWN = 1_000;

type Counts = NonNullable<Bulletin["counts"]>;

/** What {@link GroupLimits} works with. */
export interface GroupLimitsOptions {
  readonly state: Pick<ServedState, "snapshot" | "watch">;
  /** Addresses of listeners by what the group calls them. */
  readonly listenerNames: ReadonlyMap<string, string>;
  /** Milliseconds since 1970, by the clock of the data plane. */
  readonly now: () => number;
}

interface SharedLimit {
  readonly key: string;
  readonly ledger: RateLedger;
}

/**
 * Rate limits that hold over all proxies of a group: of new connections of a client, everywhere and at
 * one route, and of requests of a client to one route.
 */
export class GroupLimits implements Disposable {
  readonly #options: GroupLimitsOptions;
  readonly #names: ReadonlyMap<string, string>;
  #snapshot: Snapshot | undefined;
  /** By the memory that workers count in. */
  #limits: ReadonlyMap<SharedArrayBuffer, SharedLimit> = new Map();
  /** What others have told last, by proxy, then by limit and source. */
  readonly #known = new Map<string, Map<string, number>>();
  readonly #heard = new Map<string, Counts>();
  #proxies = 1;
  #isAlone = true;
  #told = 0;
  readonly #watching: Disposable;

  constructor(options: GroupLimitsOptions) {
    this.#options = options;
    this.#names = new Map(options.listenerNames.entries().map(([name, addr]) => [addr, name]));
    // A limit that is new is to count for the group from its first connection on.
    this.#watching = options.state.watch(() => this.#follow());
    this.#follow();
  }

  [Symbol.dispose](): void {
    this.#watching[Symbol.dispose]();
  }

  /** Clients that the others hear of, and by how many the limits are divided here. */
  get figures(): { readonly told: number; readonly shares: number } {
    return { told: this.#told, shares: this.#isAlone ? this.#proxies : 1 };
  }

  /** What this proxy has admitted, for the others; to be asked each second, whether or not they hear. */
  tell(): Counts {
    this.#follow();
    const nowMs = this.#options.now();
    const told: (readonly [string, string, number])[] = [];
    for (const { key, ledger } of this.#limits.values()) {
      for (const [source, count] of ledger.tell(nowMs)) told.push([key, source, count]);
    }
    const share = Math.floor(MAX_READ / this.#proxies);
    const most = told.slice(0, Math.min(MAX_TOLD, Math.max(MIN_TOLD, share)));
    this.#told = most.length;
    return most;
  }

  /** What the others have admitted that are there; nothing: they are not heard. */
  hear(others: readonly Neighbour[] | undefined): void {
    this.#follow();
    if (others === undefined) return this.#share(this.#proxies, true);
    const sharing = others.filter(({ bulletin }) => bulletin.counts !== undefined);
    for (const { proxy, bulletin: { counts = [] } } of sharing) this.#hearOne(proxy, counts);
    const there = new Set(sharing.map(({ proxy }) => proxy));
    for (const proxy of this.#known.keys()) {
      if (there.has(proxy)) continue;
      this.#known.delete(proxy);
      this.#heard.delete(proxy);
    }
    this.#share(sharing.length + 1, false);
  }

  #hearOne(proxy: string, counts: Counts): void {
    if (this.#heard.get(proxy) === counts) return;
    this.#heard.set(proxy, counts);
    const before = this.#known.get(proxy);
    const known = before ?? new Map<string, number>();
    const nowMs = this.#options.now();
    const ledgers = new Map(this.#limits.values().map(({ key, ledger }) => [key, ledger]));
    for (const [key, source, count] of counts) {
      const name = `${key} ${source}`;
      const told = known.get(name) ?? 0;
      known.delete(name);
      known.set(name, count);
      // When it was heard for the first time it may tell of long ago.
      if (before === undefined) continue;
      ledgers.get(key)?.charge(source, count >= told ? count - told : count, nowMs);
    }
    for (const name of known.keys()) {
      if (known.size <= MAX_KNOWN) break;
      known.delete(name);
    }
    this.#known.set(proxy, known);
  }

  #share(proxies: number, isAlone: boolean): void {
    this.#proxies = proxies;
    this.#isAlone = isAlone;
    for (const { ledger } of this.#limits.values()) ledger.share({ proxies, isAlone });
  }

  /** Takes up limits that are new, with the share that all have. */
  #follow(): void {
    const { snapshot } = this.#options.state;
    if (snapshot === this.#snapshot) return;
    this.#snapshot = snapshot;
    const limits = new Map<SharedArrayBuffer, SharedLimit>();
    for (const [key, options] of this.#limitsOf(snapshot)) {
      const known = this.#limits.get(options.buffer);
      const ledger = known?.key === key ? known.ledger : ledgerOf(options);
      if (ledger !== undefined) limits.set(options.buffer, { key, ledger });
    }
    this.#limits = limits;
    this.#share(this.#proxies, this.#isAlone);
  }

  *#limitsOf(
    { firewall: { rateLimit, sources }, listeners }: Snapshot,
  ): Generator<readonly [key: string, RateLedgerOptions]> {
    if (rateLimit !== undefined) {
      const { siteFactor = 0 } = sources ?? {};
      const { limit, windowMs } = rateLimit;
      const key = shortKey(["rate_limit", limit, windowMs]);
      yield [key, { ...rateLimit, siteLimit: limit * siteFactor }];
    }
    for (const { addr, routes } of listeners) {
      const listener = this.#names.get(addr) ?? addr;
      for (const { hostname, rate, memory } of routes) {
        if (rate === undefined || memory === undefined) continue;
        const { connections = 0, requests = 0, perMs: windowMs } = rate;
        for (
          const [kind, limit, buffer] of [
            ["connections", connections, memory.connectionRate],
            ["requests", requests, memory.requestRate],
          ] as const
        ) {
          if (limit === 0 || buffer === undefined) continue;
          const key = shortKey([kind, listener, hostname, limit, windowMs]);
          yield [key, { buffer, limit, windowMs }];
        }
      }
    }
  }
}

/** A worker that was taken over may have written anything there: its limit is then its own affair. */
function ledgerOf(options: RateLedgerOptions): RateLedger | undefined {
  try {
    return new RateLedger(options);
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}
