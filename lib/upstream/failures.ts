import type { Waiting } from "./lane.ts";
import type { Link, PoolFailure } from "./link.ts";

/** All that may be used is in use. */
export function busy(reason: string): PoolFailure {
  return { kind: "busy", reason };
}

/** Why a request has waited for nothing; `last`: what the last attempt failed of, if it did. */
export function waitedTooLong<L extends Link>(
  { queue, share }: Waiting<L>,
  last: PoolFailure | undefined,
): PoolFailure {
  if (queue.expected > 0) {
    return { kind: "timeout", reason: "no connection to the backend in time" };
  }
  if (share.parked.size > 0) return busy("the client has its share of the backend's connections");
  return last ?? busy("every connection to the backend is in use");
}
