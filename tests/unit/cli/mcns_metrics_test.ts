import assert from "node:assert/strict";
import { join } from "node:path";
import { McnsMetrics } from "../../../lib/cli/mcns_metrics.ts";
import { busyMcns } from "../../support/mcns_metrics_source.ts";
import { ROOT } from "../../support/module_graph.ts";

interface Panel {
  readonly title: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number };
  readonly targets?: readonly { readonly expr: string }[];
}

const read = (path: string) => Deno.readTextFile(join(ROOT, path));
const { panels } = JSON.parse(await read("deploy/mcns-grafana-dashboard.json")) as {
  panels: Panel[];
};
const alerts = (await read("deploy/prometheus-alerts.yml")).split("- name: mcns\n")[1] ?? "";
const lines = (await new McnsMetrics(busyMcns()).render()).split("\n");

/** Series as the server names them, and the labels of each. */
const series = new Map<string, Set<string>>();
for (const line of lines) {
  const [, name = "", labels = ""] = /^([a-z_]+)(?:\{(.*)\})? /.exec(line) ?? [];
  if (name === "") continue;
  const known = series.get(name) ?? new Set();
  for (const [, label = ""] of labels.matchAll(/([a-z]+)="/g)) known.add(label);
  series.set(name, known);
}

/** What an expression asks for, and the labels that it needs. */
function refuseUnknown(expr: string): void {
  const names = expr.match(/\b(?:mcns|process)_[a-z_]+/g) ?? [];
  assert.ok(names.length > 0, expr);
  for (const name of names) {
    const labels = series.get(name);
    assert.ok(labels, `${name} is not a series of the server`);
    for (const [, grouped = ""] of expr.matchAll(/\bby \(([^)]*)\)/g)) {
      for (const label of grouped.split(",").map((each) => each.trim())) {
        // Prometheus adds the instance.
        assert.ok(label === "instance" || labels.has(label), `${name} has no label ${label}`);
      }
    }
  }
}

Deno.test("the metrics of a name server say what its parts say", () => {
  const value = (name: string) =>
    lines.find((line) => line.startsWith(`${name} `))?.slice(name.length + 1);
  const at = 'address="192.0.2.53"';
  const upstream = `${at},upstream="[2001:db8::1]:53"`;
  assert.deepEqual(
    [
      `mcns_cache_hits_total{${at}}`,
      `mcns_cache_misses_total{${at}}`,
      `mcns_cache_stale_total{${at}}`,
      `mcns_cache_entries{${at}}`,
      `mcns_cache_bytes{${at}}`,
      `mcns_forward_joined_total{${at}}`,
      `mcns_forward_loops_total{${at}}`,
      `mcns_upstream_up{${upstream}}`,
      `mcns_upstream_questions_total{${upstream}}`,
      `mcns_upstream_answer_seconds_total{${upstream}}`,
      `mcns_signatures_total{${at}}`,
      `mcns_signatures_kept{${at}}`,
      'mcns_transfers_taken_total{result="steps"}',
      'mcns_notifies_received_total{result="refused"}',
      'mcns_notifies_sent_total{result="heard"}',
      'mcns_updates_total{code="REFUSED"}',
      'mcns_updates_total{code="other"}',
      'mcns_secondary_serial{zone="z.example."}',
      'mcns_secondary_expired{zone="z.example."}',
      'mcns_secondary_expired{zone="new.example."}',
      'mcns_secondary_refreshed_timestamp_seconds{zone="z.example."}',
      'mcns_secondary_refreshed_timestamp_seconds{zone="new.example."}',
      "mcns_records",
      "mcns_changes_total",
    ].map(value),
    [
      ...["10", "5", "1", "9", "4096", "2", "8", "1", "7", "1.5", "50", "40", "2", "5", "9"],
      ...["7", "8", "7", "0", "1", "1000", undefined, "30", "40"],
    ],
  );
});

Deno.test("the dashboard of the name server asks for series that exist, by labels that they have", () => {
  const expressions = panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));
  assert.ok(expressions.length > 30);
  for (const expr of expressions) refuseUnknown(expr);
  const shown = expressions.join("\n");
  const missing = [...series.keys()].filter((name) => !new RegExp(`\\b${name}\\b`).test(shown));
  assert.deepEqual(missing, ["mcns_build_info"]);
});

Deno.test("the alerts of the name server, and its runbook, ask for series that exist", async () => {
  const [, ...rules] = alerts.split("- alert: ");
  assert.ok(rules.length >= 10);
  for (const rule of rules) {
    const [expr = ""] = rule.split(/\n\s+(?:for|labels):/);
    refuseUnknown(expr.replace(/^\S+/, ""));
    for (const [, label = ""] of rule.matchAll(/\$labels\.([a-z]+)/g)) {
      const [name = ""] = expr.match(/\bmcns_[a-z_]+/) ?? [];
      assert.ok(series.get(name)?.has(label), `${name} has no label ${label}`);
    }
  }
  const named = (await read("RUNBOOK.md")).match(/\bmcns_[a-z]+_[a-z_]+/g) ?? [];
  assert.deepEqual(named.filter((name) => !series.has(name)), []);
});

Deno.test("the panels of the name server's dashboard do not overlap", () => {
  const places = new Set<string>();
  for (const { title, gridPos: { x, y, w } } of panels) {
    assert.ok(x + w <= 24, title);
    for (let column = x; column < x + w; column++) {
      const place = `${column},${y}`;
      assert.ok(!places.has(place), `${title} at ${place}`);
      places.add(place);
    }
  }
});
