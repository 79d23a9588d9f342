/**
 * The candidate that was probably meant, or nothing if none is near: at most one slip for every
 * three characters, and always one.
 */
export function suggest(given: string, candidates: Iterable<string>): string | undefined {
  let best: string | undefined;
  let bestDistance = Infinity;
  for (const candidate of candidates) {
    const allowed = Math.max(1, Math.floor(Math.max(given.length, candidate.length) / 3));
    // The distance is at least the difference of the lengths; a long text is not worth a table.
    if (Math.abs(given.length - candidate.length) > allowed) continue;
    const distance = editDistance(given.toLowerCase(), candidate.toLowerCase());
    if (distance <= allowed && distance < bestDistance && !isOpposite(given, candidate)) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** Words that mean the opposite of each other, by how they begin. */
const OPPOSITES = [
  [/^(allow|permit|accept)/, /^(block|den[iy]|refuse|reject|forbid)/],
  [/^(enable|on$|true$|yes$)/, /^(disable|off$|false$|no$)/],
  [/^(min|least)/, /^(max|most)/],
] as const;

/** Whether one name says the opposite of the other, which no slip of the keyboard does. */
function isOpposite(a: string, b: string): boolean {
  const has = (name: string, word: RegExp) =>
    name.toLowerCase().split(/[^a-z]+/).some((part) => word.test(part));
  return OPPOSITES.some(([one, other]) =>
    (has(a, one) && has(b, other)) || (has(a, other) && has(b, one))
  );
}

/**
 * The Damerau–Levenshtein distance in its restricted form: insertions, deletions, substitutions and
 * swaps of neighbours, no part edited twice.
 */
export function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const substituted = (last[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      let cost = Math.min((last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, substituted);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        cost = Math.min(cost, (beforeLast[j - 2] ?? 0) + 1);
      }
      row.push(cost);
    }
    beforeLast = last;
    last = row;
  }
  return last[b.length] ?? 0;
}
