/** By what clients can be grouped. */
export const HITTER_GROUPS = ["client", "network", "name", "country"] as const;

/** One of {@link HITTER_GROUPS}. */
export type HitterGroup = typeof HITTER_GROUPS[number];

/** What makes one heavy. */
export const HITTER_WEIGHTS = ["connections", "refused", "bytes"] as const;

/** One of {@link HITTER_WEIGHTS}. */
export type HitterWeight = typeof HITTER_WEIGHTS[number];

/** The heaviest of one group by one weight, over a time; plain data that a worker can send. */
export interface HitterCount {
  readonly group: HitterGroup;
  readonly by: HitterWeight;
  /** Addresses and blocks in canonical form, server names, codes of countries. */
  readonly keys: readonly string[];
  /** At most how heavy each of `keys` was. */
  readonly counts: readonly number[];
  /** How much of each count may belong to others. */
  readonly errors: readonly number[];
  /** At most how heavy each of the others was. */
  readonly missed: number;
  /** How heavy all were together. */
  readonly total: number;
}
