/** A proxy looks at its group's log every second: one that has not for so long may be behind. */
const LAGS_MS = 3_000;

/** A proxy of a group that answers for itself. */
export interface Sayer {
  readonly proxy: string;
  /** What it has in effect. */
  readonly revision: number;
  /** How long ago it has been where its group is. */
  readonly lagMs: number;
}

/** Says who answers, and whether others may know better; nothing of a proxy that is alone. */
export function saidBy<T extends { readonly steps: readonly string[] }>(
  says: Sayer | undefined,
  found: T,
): T {
  if (says === undefined) return found;
  const { proxy, revision, lagMs } = says;
  const lag = lagMs < LAGS_MS ? "" : `, which was the group's ${Math.round(lagMs / 1000)} s ago`;
  const words = `proxy: ${proxy} says so, at revision ${revision}${lag}`;
  return { ...found, says, steps: [words, ...found.steps] };
}
