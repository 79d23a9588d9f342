import type { HitterCount } from "../hitters/mod.ts";
import type { BackendOutcome } from "../observe/mod.ts";

/** What connections of one route carried: those that ended, with octets of those that go on. */
export interface RouteCount {
  /** The listener's address as configured. */
  readonly listener: string;
  /** The hostname of the route. */
  readonly route: string;
  readonly connections: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
}

/** How a backend served since the counts were taken before. */
export interface BackendCount {
  /** The listener's address as configured. */
  readonly listener: string;
  /** The hostname of the route. */
  readonly route: string;
  /** `host:port`; of an mtls route, where the host is. */
  readonly backend: string;
  readonly outcome: BackendOutcome;
  /** Connections of l4 and mtls, requests of l7. */
  readonly count: number;
}

/** What happened since the counts were taken before. */
export interface TakenCounts {
  /** Connections blocked, by the rule's id. */
  readonly ruleHits: readonly (readonly [id: number, count: number])[];
  readonly routes: readonly RouteCount[];
  readonly backends: readonly BackendCount[];
  /** Whose connections were the most. */
  readonly hitters: readonly HitterCount[];
}
