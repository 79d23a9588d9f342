import type { FirewallRule } from "../firewall/mod.ts";
import type {
  ConnectionEvent,
  ConnectionGauge,
  CountedMode,
  Counters,
  HistogramName,
} from "../observe/mod.ts";

/** Where an ended connection is counted. */
export interface Account {
  readonly counters: Counters;
  /** Of the connection's listener. */
  readonly gauge: ConnectionGauge;
  readonly worker: number;
  /** The type of the firewall rule behind a block. */
  readonly ruleType?: FirewallRule["type"] | undefined;
}

const DURATION_OF: Readonly<Record<CountedMode, HistogramName>> = {
  none: "connection_none",
  l4: "connection_l4",
  l7: "connection_l7",
  mtls: "connection_mtls",
};

/** Counts an ended connection everywhere it counts. */
export function countEnded(event: ConnectionEvent, account: Account): void {
  const { counters, gauge, worker, ruleType } = account;
  const { outcome, bytesIn, bytesOut } = event;
  const mode = event.mode ?? "none";
  counters.add(outcome);
  counters.add("bytes_in", bytesIn);
  counters.add("bytes_out", bytesOut);
  if (ruleType !== undefined) counters.add(`blocked_${ruleType}`);
  counters.observe(DURATION_OF[mode], event.durationMs / 1000);
  gauge.counts.record(worker, { mode, outcome, bytesIn, bytesOut });
}
