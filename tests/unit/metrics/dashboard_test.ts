import assert from "node:assert/strict";
import { join } from "node:path";
import { Metrics } from "../../../lib/metrics/mod.ts";
import { ROOT } from "../../support/module_graph.ts";
import { busySource } from "../../support/metrics_source.ts";

interface Panel {
  readonly title: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number };
  readonly targets?: readonly { readonly expr: string }[];
}

const { panels } = JSON.parse(
  await Deno.readTextFile(join(ROOT, "deploy/grafana-dashboard.json")),
) as { panels: Panel[] };

const expressions = panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));

/** Series as the proxy names them, and the labels of each. */
async function readSeries(): Promise<Map<string, Set<string>>> {
  using metrics = new Metrics(busySource());
  const series = new Map<string, Set<string>>();
  for (const line of (await metrics.render()).split("\n")) {
    const [, name = "", labels = ""] = /^([a-z_]+)(?:\{(.*)\})? /.exec(line) ?? [];
    if (name === "") continue;
    const known = series.get(name) ?? new Set();
    for (const [, label = ""] of labels.matchAll(/([a-z]+)="/g)) known.add(label);
    series.set(name, known);
  }
  return series;
}

Deno.test("the Grafana dashboard asks for series that exist, by labels that they have", async () => {
  const series = await readSeries();
  assert.ok(expressions.length > 20);
  for (const expr of expressions) {
    const names = expr.match(/\b(?:mc_proxy|process)_[a-z_]+/g) ?? [];
    assert.equal(names.length, 1, expr);
    const labels = series.get(names[0] ?? "");
    assert.ok(labels, `${names[0]} is not a series of the proxy`);
    const [, grouped = ""] = /\bby \(([^)]*)\)/.exec(expr) ?? [];
    for (const label of grouped.split(",").map((each) => each.trim())) {
      if (label !== "") assert.ok(labels.has(label), `${names[0]} has no label ${label}`);
    }
  }
});

Deno.test("the Grafana dashboard shows every metric family", async () => {
  const shown = expressions.join("\n");
  const aside = ["mc_proxy_build_info", "process_start_time_seconds", "mc_proxy_listener_routes"];
  const families = [...(await readSeries()).keys()]
    .map((name) => name.replace(/_(bucket|sum|count)$/, ""))
    .filter((name) => !aside.includes(name) && name !== "mc_proxy_database_writable");
  assert.deepEqual([...new Set(families)].filter((name) => !shown.includes(name)), []);
});

Deno.test("the runbook's alerts ask for series that exist", async () => {
  const series = await readSeries();
  const runbook = await Deno.readTextFile(join(ROOT, "RUNBOOK.md"));
  // What has a point behind it is in the schema of a fleet, in PostgreSQL.
  const names = runbook.match(/\bmc_proxy_[a-z_]+\b(?!\.)/g) ?? [];
  assert.ok(names.length >= 7);
  assert.deepEqual(names.filter((name) => !series.has(name)), []);
});

Deno.test("the Grafana dashboard's panels do not overlap", () => {
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
