import { isRefusal, type OutcomeName } from "../observe/mod.ts";
import type { PastVisits } from "./messages.ts";
import { type Row, timeOf } from "./rows.ts";

/** Names that one client asks for, beyond which they are not told apart: who scans asks for many. */
const MAX_VISITS_OF_CLIENT = 1_000;

/** Counts a row among what its client asked for: one visit for each name at each listener. */
export function addVisit(by: Map<string, PastVisits>, client: string, row: Row): void {
  const [listener, sni, count] = [String(row.listener), String(row.sni), Number(row.count)];
  const key = `${listener} ${sni}`;
  const before = by.get(key);
  if (before === undefined && by.size >= MAX_VISITS_OF_CLIENT) return;
  const served = isRefusal(row.outcome as OutcomeName) ? 0 : count;
  by.set(key, {
    client,
    listener,
    sni,
    connections: (before?.connections ?? 0) + count,
    served: (before?.served ?? 0) + served,
    lastMs: Math.max(before?.lastMs ?? 0, timeOf(Number(row.id))),
  });
}
