import type { Pooled } from "./lane.ts";
import type { PoolLimits } from "./limits.ts";
import type { Link } from "./link.ts";

/** A stream costs its client at least this part of a connection, however many the peer takes. */
const MOST_STREAMS = 1024;

/** What a request on a connection takes of the pool, as a share of all of it. */
export function costOf<L extends Link>({ link }: Pooled<L>, limits: PoolLimits): number {
  if (link?.protocol !== "h2") return 1 / limits.maxConnections;
  return 1 / (limits.maxH2Connections * Math.max(1, Math.min(link.capacity, MOST_STREAMS)));
}

/** The same for one that has no connection yet. */
export function expectedCost(exclusive: boolean, limits: PoolLimits): number {
  const { maxConnections, maxH2Connections, assumedStreams } = limits;
  return 1 / (exclusive ? maxConnections : maxH2Connections * assumedStreams);
}
