import type { BackendCell } from "./cell.ts";
import { BALANCE_LIMITS } from "./limits.ts";
import type { BalancedBackend } from "./member.ts";

/**
 * How a backend is: `up`; `starting`, which is up with less than its share; `failing`: its checks
 * say so; `out`: connections say so; `drain` and `down`: the operator says so.
 */
export const CONDITIONS = ["up", "starting", "failing", "out", "drain", "down"] as const;

/** One of {@link CONDITIONS}. */
export type Condition = typeof CONDITIONS[number];

/** How a backend is, and why as far as the shared memory tells. */
export interface BackendState {
  readonly condition: Condition;
  readonly reason: string;
  /** Connections (l7: requests) that it has. */
  readonly open: number;
}

/** How a backend is now. */
export function stateOf(
  { state, weight }: Pick<BalancedBackend, "state" | "weight">,
  cell: BackendCell,
  nowMs: number,
): BackendState {
  const { open } = cell;
  if (state === "drain") return { condition: "drain", reason: "drained by an operator", open };
  if (state === "down") return { condition: "down", reason: "taken down by an operator", open };
  if (cell.check === "failing") return { condition: "failing", reason: "its checks fail", open };
  if (cell.isOut(nowMs)) {
    const until = new Date(cell.outUntil).toISOString();
    const times = cell.timesOut > 1 ? `, ${cell.timesOut} times in a row` : "";
    const reason = `${BALANCE_LIMITS.failures} failures in a row${times}, until ${until}`;
    return { condition: "out", reason, open };
  }
  const share = cell.share(nowMs);
  if (share === 1) return { condition: "up", reason: "", open };
  const part = Math.round(share * 100);
  return { condition: "starting", reason: `back, with ${part} % of its weight ${weight}`, open };
}
