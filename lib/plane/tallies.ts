import type { HitterTally } from "../hitters/mod.ts";

/** What ended connections of one route carried. */
export interface RouteTally {
  /** The listener's address as configured. */
  readonly listener: string;
  /** The hostname of the route. */
  readonly route: string;
  readonly connections: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
}

/** What happened since the tallies were taken before. */
export interface TakenTallies {
  /** Connections blocked, by the rule's id. */
  readonly ruleHits: readonly (readonly [id: number, count: number])[];
  readonly routes: readonly RouteTally[];
  /** Whose connections were the most. */
  readonly hitters: readonly HitterTally[];
}
