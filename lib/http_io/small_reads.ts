import { Budget, type Rate } from "../h2/mod.ts";

/** A read with less than this, in octets, is mostly overhead: a TLS record of one octet costs 13 µs. */
const SMALL_READ = 128;
/** Small reads of one connection that cost it nothing: more than anybody types, or a stream of ticks. */
const SMALL_READS: Rate = { burst: 2000, perSecond: 1000 };

/** What a client's connection may cost by being cut small. */
export class SmallReads {
  readonly #budget = new Budget(SMALL_READS, { credit: Infinity });

  /** Counts a read; milliseconds for which to read nothing, so that the next one is larger. */
  restAfter(octets: number, now: number): number {
    if (octets >= SMALL_READ) return 0;
    this.#budget.spend(now);
    return this.#budget.waitMs(now);
  }
}
