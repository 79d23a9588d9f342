import { type IpAddress, sourceKey } from "../addr/mod.ts";
import type { DnsCounters } from "./counters.ts";
import type { ConnectionLimits } from "./settings.ts";

/** How often it is looked for those that are silent too long, of the time that they may be. */
const LOOKS_IN_IDLE_TIME = 8;
const LEAST_LOOK_MS = 20;

/** A connection that is counted. */
export interface Counted {
  /** Whether an answer is under way that the client does not hold up itself. */
  readonly isWaiting: boolean;
  /** Ends at once; {@link Place.leave} follows. */
  cut(): void;
}

/** The place of one connection. */
export interface Place {
  /** Who has it; before, it is taken for silent since it came. */
  owner: Counted | undefined;
  /** It has asked something, or taken its answers. */
  active(): void;
  /** It is over. Calling it again does nothing. */
  leave(): void;
}

interface Entry extends Place {
  readonly source: string;
  activeAt: number;
}

/**
 * The connections at one address, those that were silent longest first. A source has so many at most;
 * when all places are taken, the newest takes that of the one that was silent longest: whoever opens
 * thousands and says nothing displaces himself. One that is silent for too long is cut.
 */
export class Connections {
  readonly #limits: ConnectionLimits;
  readonly #counters: DnsCounters;
  readonly #now: () => number;
  readonly #entries = new Set<Entry>();
  readonly #bySource = new Map<string, number>();
  readonly #timer: ReturnType<typeof setInterval>;
  #whenEmpty: (() => void) | undefined;

  constructor(
    limits: ConnectionLimits,
    { counters, now = () => performance.now() }: {
      readonly counters: DnsCounters;
      readonly now?: () => number;
    },
  ) {
    this.#limits = limits;
    this.#counters = counters;
    this.#now = now;
    const every = Math.max(LEAST_LOOK_MS, limits.tcpIdleMs / LOOKS_IN_IDLE_TIME);
    this.#timer = setInterval(() => this.look(), every);
  }

  get size(): number {
    return this.#entries.size;
  }

  /** A place for one more connection of a source, or none. */
  take(ip: IpAddress): Place | undefined {
    const source = sourceKey(ip);
    const same = this.#bySource.get(source) ?? 0;
    if (same >= this.#limits.tcpPerSource) {
      this.#counters.add("connections_refused");
      return undefined;
    }
    if (this.#entries.size >= this.#limits.tcpConnections) this.#displace();
    this.#bySource.set(source, (this.#bySource.get(source) ?? 0) + 1);
    const entry: Entry = {
      source,
      owner: undefined,
      activeAt: this.#now(),
      active: () => this.#touch(entry),
      leave: () => this.#remove(entry),
    };
    this.#entries.add(entry);
    this.#counters.add("connections_opened");
    this.#counters.set("connections_open", this.#entries.size);
    return entry;
  }

  /** Cuts those that were silent for too long. */
  look(): void {
    const oldest = this.#now() - this.#limits.tcpIdleMs;
    for (const entry of this.#entries) {
      if (entry.activeAt > oldest) return;
      if (entry.owner?.isWaiting === true) this.#touch(entry);
      else this.#cut(entry);
    }
  }

  /** Cuts all of them. */
  cutAll(): void {
    for (const entry of [...this.#entries]) this.#cut(entry);
  }

  /** Resolves when the last one is over. */
  async empty(): Promise<void> {
    if (this.#entries.size === 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#whenEmpty = resolve;
    await promise;
  }

  /** Looks no more. */
  close(): void {
    clearInterval(this.#timer);
  }

  #displace(): void {
    const [first] = this.#entries;
    let chosen = first;
    for (const entry of this.#entries) {
      if (entry.owner?.isWaiting === true) continue;
      chosen = entry;
      break;
    }
    if (chosen === undefined) return;
    this.#counters.add("connections_displaced");
    this.#cut(chosen);
  }

  #touch(entry: Entry): void {
    if (!this.#entries.delete(entry)) return;
    entry.activeAt = this.#now();
    this.#entries.add(entry);
  }

  #cut(entry: Entry): void {
    this.#counters.add("connections_cut");
    entry.owner?.cut();
    this.#remove(entry);
  }

  #remove(entry: Entry): void {
    if (!this.#entries.delete(entry)) return;
    const left = (this.#bySource.get(entry.source) ?? 1) - 1;
    if (left === 0) this.#bySource.delete(entry.source);
    else this.#bySource.set(entry.source, left);
    this.#counters.set("connections_open", this.#entries.size);
    if (this.#entries.size === 0) this.#whenEmpty?.();
  }
}
