import assert from "node:assert/strict";
import { Metrics, type MetricsSource } from "../../../lib/metrics/mod.ts";
import { runCommand, testWithCommands } from "../../support/commands.ts";
import { busySource, NOW } from "../../support/metrics_source.ts";

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
      'mc_proxy_backend_up{listener=":443",route="a.test",path="exact /a",backend="10.0.0.2:443"} 0',
      'mc_proxy_backend_condition{listener=":443",route="a.test",path="exact /a",backend="10.0.0.2:443",condition="out"} 1',
      `mc_proxy_backend_condition_since_seconds{listener=":443",route="a.test",path="exact /a",backend="10.0.0.2:443"} ${
        NOW / 1000
      }`,
      'mc_proxy_backend_open{listener=":443",route="a.test",path="exact /a",backend="10.0.0.2:443"} 6',
      "mc_proxy_log_lines_lost_total 7",
      "mc_proxy_history_missing_total 4",
      "mc_proxy_worker_restarts_total 2",
      'mc_proxy_worker_late_seconds{worker="0"} 2.5',
      'mc_proxy_worker_pending_changes{worker="0"} 3',
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
