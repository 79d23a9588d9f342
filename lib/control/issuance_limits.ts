const HOUR_MS = 3_600_000;

/** Let's Encrypt: 300 orders of an account in three hours. */
export const MAX_ORDERS = 200;
const ORDERS_WITHIN_MS = 3 * HOUR_MS;
/** Let's Encrypt: five failed proofs of a name in an hour; each attempt may be one. */
export const MAX_OF_NAME = 4;
const OF_NAME_WITHIN_MS = HOUR_MS;

/** What counts: older attempts are forgotten. */
export const ATTEMPTS_WITHIN_MS = Math.max(ORDERS_WITHIN_MS, OF_NAME_WITHIN_MS);

/** An order that was begun, or gone on with. */
export interface Attempt {
  readonly name: string;
  readonly time: number;
}

/**
 * When a name may be tried, in milliseconds since 1970; now or before: at once. A bound of our own below
 * the authority's, counted in the database: whatever goes wrong here, a crash loop as well, the
 * authority never shuts the account out.
 */
export function allowedAt(
  attempts: readonly Attempt[],
  { name, now }: { readonly name: string; readonly now: number },
): number {
  const freeAt = (times: readonly number[], max: number, withinMs: number): number => {
    const counted = times.filter((time) => time > now - withinMs).sort((a, b) => a - b);
    const blocking = counted[counted.length - max];
    return blocking === undefined ? now : blocking + withinMs;
  };
  const ofName = attempts.filter((attempt) => attempt.name === name).map(({ time }) => time);
  const all = attempts.map(({ time }) => time);
  return Math.max(
    freeAt(ofName, MAX_OF_NAME, OF_NAME_WITHIN_MS),
    freeAt(all, MAX_ORDERS, ORDERS_WITHIN_MS),
  );
}
