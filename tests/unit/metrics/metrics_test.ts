import assert from "node:assert/strict";
import { Metrics, type MetricsSource } from "../../../lib/metrics/mod.ts";
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
} from "../../../lib/observe/mod.ts";
import { runCommand, testWithCommands } from "../../support/commands.ts";

const NOW = Date.parse("2026-06-01T00:00:00Z");

/** A proxy in which everything that is measured has happened once. */
function busySource(listenerAddr = ":443"): MetricsSource {
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
    version: "1.2.3",
    startedAtMs: NOW - 5000,
    now: () => NOW,
    status: () => ({
      workers: [{ index: 0, state: "serving", restarts: 2 }],
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
      warnings: [],
      databaseWritable: false,
      certificates: [
        { file: "/a.pem", expiresAtMs: NOW + 60_000 },
        { file: "/broken.pem", expiresAtMs: undefined, problem: "no such file" },
      ],
      geoipBuiltMs: NOW - 120_000,
    }),
    memory: () => ({ rss: 1000, heapUsed: 100 }),
  };
}

async function render(source: MetricsSource): Promise<string[]> {
  using metrics = new Metrics(source);
  return (await metrics.render()).split("\n");
}

Deno.test("Metrics renders what its source says, with cumulative buckets", async () => {
  const lines = await render(busySource());
  for (
    const line of [
      `mc_proxy_connections_total{listener=":443",mode="l7",outcome="backend_timeout"} 1`,
      `mc_proxy_backend_errors_total{listener=":443",mode="l7",error="backend_timeout"} 1`,
      `mc_proxy_bytes_total{listener=":443",mode="l7",direction="out"} 11`,
      `mc_proxy_blocked_connections_total{rule="country"} 3`,
      `mc_proxy_tls_handshake_seconds_bucket{le="0.25"} 0`,
      `mc_proxy_tls_handshake_seconds_bucket{le="0.5"} 1`,
      `mc_proxy_tls_handshake_seconds_bucket{le="+Inf"} 1`,
      "mc_proxy_tls_handshake_seconds_sum 0.3",
      "mc_proxy_tls_handshake_seconds_count 1",
      `mc_proxy_http_requests_total{route="a.test",status="5xx",protocol="h2"} 1`,
      `mc_proxy_http_request_duration_seconds_bucket{route="a.test",le="0.05"} 1`,
      "mc_proxy_worker_restarts_total 2",
      `mc_proxy_certificate_expiry_seconds{file="/a.pem"} 60`,
      "mc_proxy_geoip_age_seconds 120",
      "mc_proxy_healthy 0",
      "mc_proxy_database_writable 0",
      `mc_proxy_event_loop_lag_seconds_count{thread="worker0"} 1`,
      `mc_proxy_event_loop_lag_seconds_count{thread="main"} 0`,
      `process_start_time_seconds ${(NOW - 5000) / 1000}`,
    ]
  ) assert.ok(lines.includes(line), `${line}\nin\n${lines.join("\n")}`);
  assert.ok(!lines.some((line) => line.includes("broken.pem")));
});

Deno.test("Metrics escapes label values", async () => {
  const lines = await render(busySource('a"b\\c\nd'));
  assert.ok(lines.includes('mc_proxy_listener_routes{listener="a\\"b\\\\c\\nd"} 0'));
});

testWithCommands(["promtool"], "promtool accepts every metric there is", async () => {
  const file = await Deno.makeTempFile();
  try {
    await Deno.writeTextFile(file, (await render(busySource())).join("\n"));
    const { code, stdout, stderr } = await runCommand("sh", [
      "-c",
      'promtool check metrics < "$0"',
      file,
    ]);
    assert.deepEqual([code, stdout, stderr], [0, "", ""]);
  } finally {
    await Deno.remove(file);
  }
});
