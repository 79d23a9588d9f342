/** The seconds of a SOA record (RFC 1035 §3.3.13). */
export interface ZoneTimers {
  readonly refresh: number;
  readonly retry: number;
  readonly expire: number;
}

/** What of them is taken, in seconds. */
export interface TimerBounds {
  readonly minRefresh: number;
  readonly maxRefresh: number;
  readonly minRetry: number;
  readonly maxRetry: number;
  readonly maxExpire: number;
}

/** A zone that says less has its primary asked too often, one that says more is forgotten. */
export const DEFAULT_BOUNDS: TimerBounds = {
  minRefresh: 5,
  maxRefresh: 7 * 86_400,
  minRetry: 5,
  maxRetry: 86_400,
  maxExpire: 365 * 86_400,
};

/**
 * The timers of a zone within bounds. One that would expire before it is asked for again, and once more
 * if that fails, expires after that (as NSD does it): a mistake in a record is no outage.
 */
export function boundedTimers(
  { refresh, retry, expire }: ZoneTimers,
  bounds: TimerBounds = DEFAULT_BOUNDS,
): ZoneTimers {
  const between = (value: number, least: number, most: number) =>
    Math.max(least, Math.min(value, most));
  const own = {
    refresh: between(refresh, bounds.minRefresh, bounds.maxRefresh),
    retry: between(retry, bounds.minRetry, bounds.maxRetry),
  };
  const least = own.refresh + own.retry + 1;
  return { ...own, expire: between(expire, least, Math.max(bounds.maxExpire, least)) };
}
