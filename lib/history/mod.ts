/**
 * Yesterday: refused and ended connections in a database of their own, bounded by days and size,
 * written by a thread that nobody waits for.
 *
 * @module
 */
export { History, HistoryError, type HistoryOptions } from "./history.ts";
export type {
  HistoryPage,
  HistoryQuery,
  HistorySettings,
  KeptConnection,
  PastConnection,
  PastVisits,
  VisitsPage,
} from "./messages.ts";
export { HistoryStore } from "./store.ts";
