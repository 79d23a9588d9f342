import { Registry } from "prom-client";
import { COUNTERS_BYTES, createCounters, sumHistogram } from "../observe/mod.ts";
import { startLagProbe } from "../workers/mod.ts";
import { addConnectionMetrics } from "./connections.ts";
import { Families } from "./families.ts";
import { addFleetMetrics } from "./fleet.ts";
import { addHealthMetrics } from "./health.ts";
import { addProcessMetrics } from "./process.ts";
import { addRequestMetrics } from "./requests.ts";
import { addBackendMetrics, addRouteMetrics } from "./routes.ts";
import type { MetricsSource } from "./source.ts";

/** Every metric, in Prometheus' text format. */
export class Metrics implements Disposable {
  readonly contentType = Registry.PROMETHEUS_CONTENT_TYPE;
  readonly #registry = new Registry();
  readonly #lagBuffer = new SharedArrayBuffer(COUNTERS_BYTES);
  readonly #lagProbe: Disposable;

  constructor(source: MetricsSource) {
    const counters = createCounters(this.#lagBuffer);
    this.#lagProbe = startLagProbe((seconds) => counters.observe("event_loop_lag", seconds));
    const families = new Families(this.#registry);
    addConnectionMetrics(families, source);
    addRequestMetrics(families, source);
    addRouteMetrics(families, source);
    addBackendMetrics(families, source);
    addProcessMetrics(families, source, () => sumHistogram("event_loop_lag", [this.#lagBuffer]));
    addHealthMetrics(families, source);
    addFleetMetrics(families, source);
  }

  /** The text of one scrape. */
  async render(): Promise<string> {
    return await this.#registry.metrics();
  }

  [Symbol.dispose](): void {
    this.#lagProbe[Symbol.dispose]();
  }
}
