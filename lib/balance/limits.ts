/** The bounds by which backends are taken out and let back. */
export interface BalanceLimits {
  /** Dial errors and early resets in a row that take a backend out. */
  readonly failures: number;
  /** How long it is out the first time; each further time as much longer. */
  readonly outMs: number;
  readonly maxOutMs: number;
  /** Who was not taken out for so long begins at the first time again. */
  readonly forgetMs: number;
  /** How long one that comes back gets less than its share, and the least part of it. */
  readonly slowStartMs: number;
  readonly leastShare: number;
  /** Retries may be so much of the dials of `budgetMs`, … */
  readonly retryShare: number;
  /** … or this many, whatever they are of: a route without traffic has no dials to speak of. */
  readonly leastRetries: number;
  readonly budgetMs: number;
  /** Backends that one connection or request is offered to. */
  readonly attempts: number;
  /** How often those who wait look for a place that another worker has freed. */
  readonly pollMs: number;
}

/**
 * Envoy's numbers where it has them: 5 consecutive failures, 30 s times the number of times, at
 * most 5 minutes; its retry budget is 20 % of what is active, with at least 3.
 */
export const BALANCE_LIMITS: BalanceLimits = Object.freeze({
  failures: 5,
  outMs: 30_000,
  maxOutMs: 300_000,
  forgetMs: 300_000,
  slowStartMs: 30_000,
  leastShare: 0.1,
  retryShare: 0.2,
  leastRetries: 10,
  budgetMs: 10_000,
  attempts: 3,
  pollMs: 20,
});
