/**
 * In which order to probe the prefix lengths. Any binary search tree over them works; a marker is
 * needed for every rule at every length where its search turns to the longer ones. So lengths that
 * have many rules belong near the root: a million single addresses need no marker at all if /32 is
 * probed first, and four million with it at the end of a balanced search.
 */

/** A search tree over prefix lengths; the root is node 0, and −1 is no node. */
export interface SearchPlan {
  readonly lengths: Uint8Array<SharedArrayBuffer>;
  /** Where to go on when the length has an entry for the address. */
  readonly longer: Int16Array<SharedArrayBuffer>;
  /** Where to go on when it has none. */
  readonly shorter: Int16Array<SharedArrayBuffer>;
}

/** Probes allowed beyond those of a balanced tree, in exchange for fewer markers. */
const EXTRA_DEPTH = 1;
/** With fewer rules their markers cost less than the planning, which can take 50 ms. */
const MIN_PLANNED_RULES = 16_384;

/**
 * The tree with the fewest markers among those at most one deeper than a balanced one, by dynamic
 * programming over spans of lengths; for few rules a balanced one.
 *
 * @param counts Number of rules by prefix length.
 */
export function planSearch(counts: Float64Array): SearchPlan {
  const lengths: number[] = [];
  counts.forEach((count, length) => count > 0 && lengths.push(length));
  const depth = Math.ceil(Math.log2(lengths.length + 1)) + EXTRA_DEPTH;
  const rules = counts.reduce((sum, count) => sum + count, 0);
  const picks = rules < MIN_PLANNED_RULES ? middle : cheapestPicks(lengths, counts, depth);
  const plan = allocatePlan(lengths.length);
  let nodes = 0;
  const place = (from: number, to: number, left: number): number => {
    if (from >= to) return -1;
    const pick = picks(from, to, left);
    const node = nodes++;
    plan.lengths[node] = lengths[pick] as number;
    plan.longer[node] = place(pick + 1, to, left - 1);
    plan.shorter[node] = place(from, pick, left - 1);
    return node;
  };
  place(0, lengths.length, depth);
  return plan;
}

/** The pick of a balanced tree. */
function middle(from: number, to: number): number {
  return (from + to) >>> 1;
}

/** For a span of lengths `[from, to)` and a depth, the best length to probe first. */
function cheapestPicks(
  lengths: readonly number[],
  counts: Float64Array,
  maxDepth: number,
): (from: number, to: number, depth: number) => number {
  const side = lengths.length + 1;
  const at = (from: number, to: number, depth: number) => (depth * side + from) * side + to;
  const costs = new Float64Array((maxDepth + 1) * side * side).fill(Infinity);
  const picks = new Uint8Array(costs.length);
  /** Rules with a length before each. */
  const before = new Float64Array(side);
  lengths.forEach((length, i) =>
    before[i + 1] = (before[i] as number) + (counts[length] as number)
  );
  for (let depth = 0; depth < maxDepth; depth++) {
    for (let from = 0; from < side; from++) costs[at(from, from, depth)] = 0;
  }
  for (let depth = 1; depth <= maxDepth; depth++) {
    for (let span = 1; span < side; span++) {
      for (let from = 0; from + span < side; from++) {
        const to = from + span;
        const cell = at(from, to, depth);
        for (let pick = from; pick < to; pick++) {
          const longer = (before[to] as number) - (before[pick + 1] as number);
          // There are no more prefixes of a length than its bits can tell apart.
          const markers = Math.min(longer, 2 ** (lengths[pick] as number));
          const cost = markers + (costs[at(from, pick, depth - 1)] as number) +
            (costs[at(pick + 1, to, depth - 1)] as number);
          if (cost < (costs[cell] as number)) {
            costs[cell] = cost;
            picks[cell] = pick;
          }
        }
      }
    }
  }
  return (from, to, depth) => picks[at(from, to, depth)] as number;
}

function allocatePlan(nodes: number): SearchPlan {
  return {
    lengths: new Uint8Array(new SharedArrayBuffer(nodes)),
    longer: new Int16Array(new SharedArrayBuffer(nodes * 2)),
    shorter: new Int16Array(new SharedArrayBuffer(nodes * 2)),
  };
}
