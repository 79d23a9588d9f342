import type { SQLInputValue } from "node:sqlite";
import type { HistoryQuery } from "./messages.ts";
import { blockRange, IDS_PER_MS } from "./rows.ts";

/** The conditions of a query in SQL, and what their placeholders stand for. */
export function conditionsOf({ client, sni, outcomes, sinceMs, beforeId }: HistoryQuery) {
  const where = ["id >= ?"];
  const values: SQLInputValue[] = [sinceMs * IDS_PER_MS];
  const add = (condition: string, ...more: SQLInputValue[]) => {
    where.push(condition);
    values.push(...more);
  };
  if (beforeId !== undefined) add("id < ?", beforeId);
  if (client !== undefined) add("client BETWEEN ? AND ?", ...blockRange(client));
  if (sni?.startsWith("*.")) {
    const end = sni.slice(1);
    add("substr(sni, -length(?)) = ?", end, end);
  } else if (sni !== undefined) add("sni = ?", sni);
  if (outcomes !== undefined) {
    add(`outcome IN (${outcomes.map(() => "?").join(", ")})`, ...outcomes);
  }
  return { where, values };
}
