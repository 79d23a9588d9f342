import assert from "node:assert/strict";
import { join } from "node:path";
import { startEchoBackend } from "../support/backends.ts";
import { connectRaw } from "../support/clients.ts";
import { runCommand, testWithCommands } from "../support/commands.ts";
import { eventually } from "../support/deadline.ts";
import { buildClientHello } from "../support/hello.ts";
import { connectHttp2, identity } from "../support/l7.ts";
import { ROOT } from "../support/module_graph.ts";
import { unusedPort } from "../support/ports.ts";
import { type Proxy, startProxy } from "../support/proxy.ts";

const ALERTS = join(ROOT, "deploy/prometheus-alerts.yml");

async function startWith(backend: string, mode: "l4" | "l7"): Promise<Proxy> {
  const { certPem, keyPem } = await identity();
  return await startProxy({
    files: { "cert.pem": certPem, "key.pem": keyPem },
    config: (folder) => ({
      listeners: [{
        addr: "127.0.0.1:0",
        routes: [{
          hostname: "a.test",
          backend,
          mode,
          ...mode === "l7" &&
            { tls_cert: join(folder, "cert.pem"), tls_key: join(folder, "key.pem") },
        }],
      }],
      metrics: { addr: "127.0.0.1:0" },
    }),
  });
}

async function scrape(proxy: Proxy): Promise<string[]> {
  const response = await fetch(`http://127.0.0.1:${proxy.events("metrics")[0]?.port}/metrics`);
  return (await response.text()).split("\n");
}

const valueOf = (lines: readonly string[], series: string) =>
  Number(lines.find((line) => line.startsWith(`${series} `))?.slice(series.length + 1));

const hello = buildClientHello({ serverName: "a.test" });

testWithCommands(
  ["promtool"],
  "a dead l7 backend fires the alert, which names route and backend",
  async () => {
    const backend = `127.0.0.1:${await unusedPort()}`;
    await using proxy = await startWith(backend, "l7");
    {
      await using client = await connectHttp2({ port: proxy.port() });
      for (let i = 0; i < 3; i++) assert.equal((await client.ask()).status, 502);
    }
    const labels = `listener="127.0.0.1:0",route="a.test",backend="${backend}"`;
    const series = `mc_proxy_backend_outcomes_total{${labels},outcome="backend_unreachable"}`;
    await eventually(async () => valueOf(await scrape(proxy), series) === 3, series);
    const [request] = proxy.events("request");
    assert.equal(request?.backend_outcome, "backend_unreachable");
    // The series as it was scraped, going on like that.
    const test = join(proxy.folder, "alerts_test.yml");
    await Deno.writeTextFile(
      test,
      `rule_files: [${JSON.stringify(ALERTS)}]
evaluation_interval: 1m
tests:
  - interval: 1m
    input_series:
      - series: '${series}'
        values: "0+3x15"
    alert_rule_test:
      - eval_time: 10m
        alertname: McProxyBackendFailing
        exp_alerts:
          - exp_labels: { severity: warning, ${labels.replaceAll("=", ": ").replaceAll(",", ", ")} }
            exp_annotations: { summary: "The backend ${backend} of a.test fails." }
`,
    );
    const { code, stdout, stderr } = await runCommand("promtool", ["test", "rules", test]);
    assert.equal(code, 0, stdout + stderr);
  },
);

testWithCommands(
  ["promtool"],
  "promtool finds nothing to complain about in the alerts",
  async () => {
    const { code, stdout, stderr } = await runCommand("promtool", ["check", "rules", ALERTS]);
    assert.equal(code, 0, stdout + stderr);
  },
);

Deno.test("a dead l4 backend counts under the same names", async () => {
  const backend = `127.0.0.1:${await unusedPort()}`;
  await using proxy = await startWith(backend, "l4");
  await using client = await connectRaw({ port: proxy.port() });
  client.end(hello);
  await client.readToEnd();
  const labels = `listener="127.0.0.1:0",route="a.test"`;
  const outcome =
    `mc_proxy_backend_outcomes_total{${labels},backend="${backend}",outcome="backend_unreachable"}`;
  await eventually(async () => valueOf(await scrape(proxy), outcome) === 1, outcome);
  assert.equal(valueOf(await scrape(proxy), `mc_proxy_route_connections_total{${labels}}`), 1);
});

Deno.test("octets of a stream count while it runs, once, by route and by listener", async () => {
  await using backend = await startEchoBackend();
  await using proxy = await startWith(backend.address, "l4");
  await using client = await connectRaw({ port: proxy.port() });
  await client.write(hello);
  await client.read(hello.length);
  const route = `mc_proxy_route_bytes_total{listener="127.0.0.1:0",route="a.test",direction="in"}`;
  const mode = `mc_proxy_bytes_total{listener="127.0.0.1:0",mode="l4",direction="out"}`;
  await eventually(async () => {
    const lines = await scrape(proxy);
    return valueOf(lines, route) === hello.length && valueOf(lines, mode) === hello.length;
  }, "the octets so far");
  await client.write(hello);
  await client.read(hello.length);
  client.end();
  await client.readToEnd();
  const outcome =
    `mc_proxy_backend_outcomes_total{listener="127.0.0.1:0",route="a.test",backend="${backend.address}",outcome="ok"}`;
  await eventually(async () => valueOf(await scrape(proxy), outcome) === 1, outcome);
  const lines = await scrape(proxy);
  assert.equal(valueOf(lines, route), 2 * hello.length);
  assert.equal(valueOf(lines, mode), 2 * hello.length);
});
