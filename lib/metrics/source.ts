import type { BackendStatus, FleetFigures, Health } from "../control/mod.ts";
import type { HitterWeight } from "../hitters/mod.ts";
import type {
  BackendCount,
  ListenerSnapshot,
  PlaneMetrics,
  PlaneStatus,
  RouteCount,
} from "../plane/mod.ts";

/** What the metrics are read from, anew for each scrape. */
export interface MetricsSource {
  readonly version: string;
  /** Milliseconds since 1970. */
  readonly startedAtMs: number;
  readonly now: () => number;
  readonly status: () => PlaneStatus;
  readonly plane: () => PlaneMetrics;
  readonly listeners: () => readonly Pick<ListenerSnapshot, "addr" | "routes" | "gauge">[];
  readonly health: () => Health;
  /** What routes have carried. */
  readonly routes: () => Iterable<RouteCount>;
  /** How backends have served. */
  readonly backends: () => Iterable<BackendCount>;
  /** How backends are that are looked after. */
  readonly backendStates: () => readonly BackendStatus[];
  /** How many differences there are between the configuration file and what is in effect. */
  readonly drift: () => number;
  /** How many clients make a hundredth or more of what all did in the last ten minutes. */
  readonly heavyClients: (by: HitterWeight) => number;
  /** Connections that the history has not kept, since the start; absent: there is none. */
  readonly missingHistory: () => number | undefined;
  /** Log lines that nobody will read, since the start. */
  readonly lostLines: () => number;
  /** A proxy's part in its group; absent: it is alone. */
  readonly fleet: () => FleetFigures | undefined;
  readonly memory: () => { readonly rss: number; readonly heapUsed: number };
}
