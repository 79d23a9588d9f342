import type { HistogramValue } from "../observe/mod.ts";
import type { WorkerStatus } from "../plane/mod.ts";
import type { Families } from "./families.ts";
import type { MetricsSource } from "./source.ts";

/** States of a worker, so that each has a series from the start. */
const WORKER_STATES = ["starting", "serving", "draining", "dead"] as const;

/** How the process is: workers, memory, event loops, log events. */
export function addProcessMetrics(
  families: Families,
  source: MetricsSource,
  mainLag: () => HistogramValue,
): void {
  const { status, memory } = source;
  families.gauge({
    name: "mc_proxy_build_info",
    help: "Always 1; the labels say what runs.",
    labels: ["version", "deno"],
  }, () => [[{ version: source.version, deno: Deno.version.deno }, 1]]);
  families.gauge({
    name: "process_start_time_seconds",
    help: "When the process started, in seconds since 1970.",
  }, () => [[{}, source.startedAtMs / 1000]]);
  families.gauge({
    name: "process_resident_memory_bytes",
    help: "Memory of the process that is in RAM.",
  }, () => [[{}, memory().rss]]);
  families.gauge({
    name: "mc_proxy_heap_used_bytes",
    help: "JavaScript objects of the control plane's thread.",
  }, () => [[{}, memory().heapUsed]]);
  families.gauge({
    name: "mc_proxy_workers",
    help: "Workers of the data plane, by state.",
    labels: ["state"],
  }, () =>
    WORKER_STATES.map((state) => [
      { state },
      status().workers.filter((worker) => worker.state === state).length,
    ]));
  families.counter({
    name: "mc_proxy_worker_restarts_total",
    help: "Workers that died and were replaced.",
  }, () => [[{}, status().workers.reduce((sum, { restarts }) => sum + restarts, 0)]]);
  const byWorker = (read: (worker: WorkerStatus) => number) =>
    status().workers.map((worker) => [{ worker: `${worker.index}` }, read(worker)] as const);
  families.gauge({
    name: "mc_proxy_worker_late_seconds",
    help: "For how long a worker has not turned to its work; 0 while it is on time.",
    labels: ["worker"],
  }, () => byWorker(({ lateMs }) => lateMs / 1000));
  families.gauge({
    name: "mc_proxy_worker_pending_changes",
    help: "Changes of the state that a worker has not applied yet.",
    labels: ["worker"],
  }, () => byWorker(({ pendingChanges }) => pendingChanges));
  families.counter({
    name: "mc_proxy_log_events_dropped_total",
    help: "Log events of connections that were dropped because the log was too slow.",
  }, () => [[{}, status().counters.events_dropped]]);
  families.counter({
    name: "mc_proxy_log_lines_lost_total",
    help: "Log lines that could not be written, or not in time.",
  }, () => [[{}, source.lostLines()]]);
  families.counter({
    name: "mc_proxy_history_missing_total",
    help: "Connections that the history could not keep; absent without [history].",
  }, () => {
    const missing = source.missingHistory();
    return missing === undefined ? [] : [[{}, missing]];
  });
  families.counter({
    name: "mc_proxy_accepted_connections_total",
    help: "Connections that were accepted, also those that are open.",
  }, () => [[{}, status().counters.accepted]]);
  families.counter({
    name: "mc_proxy_accept_failures_total",
    help: "Looks of a worker at a listener, one a second, at which it could accept no connection.",
  }, () => [[{}, status().counters.accept_failures]]);
  families.histogram({
    name: "mc_proxy_event_loop_lag_seconds",
    help: "How late timers fire, by thread: what everything else has to wait for its turn.",
    labels: ["thread"],
  }, () => [
    [{ thread: "main" }, mainLag()] as const,
    ...source.plane().eventLoopLag.map((lag, i) => [{ thread: `worker${i}` }, lag] as const),
  ]);
}
