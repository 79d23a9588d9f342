import { hashText, rendezvous } from "./hash.ts";
import type { Member } from "./member.ts";

/** How one of several backends is chosen. */
export type BalancePolicy = "round_robin" | "least" | "source";

/** What a choice depends on beside the backends. */
export interface ChoiceContext {
  /** The client. */
  readonly source: string;
  /** Milliseconds since 1970. */
  readonly nowMs: number;
  /** From 0 to below 1, as `Math.random`. */
  readonly random: () => number;
}

/** Chooses among members that can be used, of which there is one at least. */
export const POLICIES: Readonly<
  Record<BalancePolicy, (members: readonly Member[], context: ChoiceContext) => Member>
> = { "round_robin": inTurn, least: leastOfTwo, source: bySource };

/**
 * nginx's smooth round robin: each moves forward by its weight, the first is taken and goes back by
 * the sum of all, so that of weights 5, 1, 1 the heavy one is not taken five times in a row.
 */
function inTurn(members: readonly Member[], { nowMs }: ChoiceContext): Member {
  let best = members[0] as Member;
  let total = 0;
  for (const member of members) {
    const weight = member.weight(nowMs);
    total += weight;
    member.turn += weight;
    if (member.turn > best.turn) best = member;
  }
  best.turn -= total;
  return best;
}

/**
 * Of two by chance the one with less to do for its weight (Mitzenmacher, "The Power of Two Choices"):
 * nearly as even as the least of all, and workers that look at the same counters do not all run to
 * the same one.
 */
function leastOfTwo(members: readonly Member[], { nowMs, random }: ChoiceContext): Member {
  const first = Math.floor(random() * members.length);
  const one = members[first] as Member;
  const second = (first + 1 + Math.floor(random() * (members.length - 1))) % members.length;
  const other = members[second] as Member;
  return burden(other, nowMs) < burden(one, nowMs) ? other : one;
}

function burden(member: Member, nowMs: number): number {
  return (member.cell.open + 1) / member.weight(nowMs);
}

function bySource(members: readonly Member[], { source, nowMs }: ChoiceContext): Member {
  const client = hashText(source);
  let best = members[0] as Member;
  let most = -1;
  for (const member of members) {
    const score = rendezvous(client, member.hash, member.weight(nowMs));
    if (score <= most) continue;
    most = score;
    best = member;
  }
  return best;
}

/** Members that can be used, and why it is these. */
export interface Usable {
  readonly members: readonly Member[];
  readonly because: "primary" | "backup" | "all_down";
}

/**
 * Those that connections go to now: the primaries that are well, else the backups that are, else all
 * that the operator has left in. So the last one is never out, and there is no threshold at which
 * everything changes (envoy#12997).
 */
export function usable(members: readonly Member[], nowMs: number): Usable {
  const enabled = members.filter((member) => member.isEnabled);
  const well = enabled.filter(({ cell }) => cell.isWell(nowMs));
  const primaries = well.filter(({ backend }) => !backend.backup);
  if (primaries.length > 0) return { members: primaries, because: "primary" };
  if (well.length > 0) return { members: well, because: "backup" };
  return { members: enabled, because: "all_down" };
}
