/**
 * A proxy for the metrics to measure.
 *
 * @module
 */
import type { MetricsSource } from "../../lib/metrics/mod.ts";
import {
  ConnectionGauge,
  COUNTERS_BYTES,
  createCounters,
  GAUGE_BYTES,
  HISTOGRAM_NAMES,
  readRequestCounts,
  RequestCounts,
  sumCounters,
  sumHistogram,
} from "../../lib/observe/mod.ts";

/** When it is measured. */
export const NOW = Date.parse("2026-06-01T00:00:00Z");

/** A proxy in which everything that is measured has happened once. */
export function busySource(listenerAddr = ":443"): MetricsSource {
  const buffer = new SharedArrayBuffer(COUNTERS_BYTES);
  const counters = createCounters(buffer);
  counters.add("blocked_country", 3);
  for (const name of HISTOGRAM_NAMES) counters.observe(name, 0.3);
  const gauge = new SharedArrayBuffer(GAUGE_BYTES);
  new ConnectionGauge(gauge).counts.record(0, {
    mode: "l7",
    outcome: "backend_timeout",
    bytesIn: 7,
    bytesOut: 11,
  });
  const blocks: SharedArrayBuffer[] = [];
  const requests = new RequestCounts((_route, block) => blocks.push(block));
  requests.record({ route: "a.test", status: 503, protocol: "h2", durationMs: 30 });
  return {
    missingHistory: () => 4,
    version: "1.2.3",
    startedAtMs: NOW - 5000,
    now: () => NOW,
    status: () => ({
      workers: [{ index: 0, state: "serving", restarts: 2, lateMs: 2500, pendingChanges: 3 }],
      counters: sumCounters([buffer]),
    }),
    plane: () => ({
      histograms: new Map(HISTOGRAM_NAMES.map((name) => [name, sumHistogram(name, [buffer])])),
      eventLoopLag: [sumHistogram("event_loop_lag", [buffer])],
      requests: new Map([["a.test", readRequestCounts(blocks)]]),
    }),
    listeners: () => [{ addr: listenerAddr, routes: [], gauge }],
    health: () => ({
      state: "unhealthy",
      problems: ["the database cannot be written"],
      refusals: ["certificate a.pem: is cut off"],
      warnings: [],
      databaseWritable: false,
      certificates: [
        { file: "/a.pem", expiresAtMs: NOW + 60_000 },
        { file: "/broken.pem", expiresAtMs: undefined, problem: "no such file" },
      ],
      issuance: { attempts: 3, failures: 1 },
      geoipBuiltMs: NOW - 120_000,
    }),
    routes: () => [
      { listener: ":443", route: "a.test", connections: 4, bytesIn: 50, bytesOut: 60 },
    ],
    backends: () => [{
      ...{ listener: ":443", route: "a.test", backend: "10.0.0.1:443" },
      outcome: "backend_unreachable",
      count: 5,
    }],
    backendStates: () => [{
      path: "exact /a",
      ...{ listener: ":443", listenerId: 1, route: "a.test", isRemoved: false, since: NOW },
      backend: { addr: "10.0.0.2:443", weight: 1, backup: false, state: "up" },
      ...{ condition: "out", reason: "5 failures in a row", open: 6 },
    }],
    drift: () => 9,
    heavyClients: () => 2,
    lostLines: () => 7,
    fleet: () => ({
      members: 3,
      lagSeconds: 0.5,
      isDrained: true,
      checks: { all: 5, here: 2 },
      limits: { told: 1, shares: 3 },
    }),
    memory: () => ({ rss: 1000, heapUsed: 100 }),
  };
}
