import type { RouteTally, TakenTallies } from "../plane/mod.ts";

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/**
 * Counts by rule and by route. Events would tell the same, but they are dropped when the control
 * plane does not keep up, which a flood of blocked connections is for; these counts grow with the
 * number of rules and routes that were met, not with the flood.
 */
export class Tallies {
  readonly #ruleHits = new Map<number, number>();
  readonly #routes = new Map<string, Mutable<RouteTally>>();

  /** A rule has blocked a connection. */
  countHit(ruleId: number): void {
    this.#ruleHits.set(ruleId, (this.#ruleHits.get(ruleId) ?? 0) + 1);
  }

  /** A connection that took a route has ended. */
  countEnd(end: Omit<RouteTally, "connections">): void {
    const key = `${end.listener} ${end.route}`;
    let tally = this.#routes.get(key);
    if (tally === undefined) {
      tally = { ...end, connections: 0, bytesIn: 0, bytesOut: 0 };
      this.#routes.set(key, tally);
    }
    tally.connections++;
    tally.bytesIn += end.bytesIn;
    tally.bytesOut += end.bytesOut;
  }

  /** The counts, which begin at zero again. */
  take(): TakenTallies {
    const taken = { ruleHits: [...this.#ruleHits], routes: [...this.#routes.values()] };
    this.#ruleHits.clear();
    this.#routes.clear();
    return taken;
  }
}
