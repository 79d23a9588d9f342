import type { Config } from "../config/mod.ts";
import { type Control, drainWords, type Health, HealthMonitor } from "../control/mod.ts";
import type { Metrics, MetricsEndpoint } from "../metrics/mod.ts";
import type { LogSink } from "../observe/mod.ts";
import { VERSION } from "./version.ts";

/** Who counts as a heavy client, in the metrics that name nobody. */
const HEAVY_SHARE = 0.01;
const HEAVY_WINDOW_MS = 600_000;

/** What {@link startMonitoring} watches. */
export interface MonitoringOptions {
  readonly config: Config;
  readonly control: Control;
  readonly log: LogSink;
  /** What else an operator should know, one sentence each. */
  readonly warnings: () => readonly string[];
  /** How many differences there are between the configuration file and what is in effect. */
  readonly drift: () => number;
  /** Log lines that nobody will read, since the start. */
  readonly lostLines: () => number;
}

/** Health, and the metrics where they are configured. */
export interface Monitoring extends AsyncDisposable {
  health(): Health;
  /** Logs what certificates will become a problem, after a reload. */
  refresh(): void;
  /** Stops answering scrapes: whoever takes over answers them. */
  closeEndpoint(): Promise<void>;
}

/**
 * Starts to watch a running proxy.
 *
 * @throws {EndpointError} if the metrics' address cannot be bound.
 */
export async function startMonitoring(options: MonitoringOptions): Promise<Monitoring> {
  const { config, control, log, warnings } = options;
  await using stack = new AsyncDisposableStack();
  const monitor = stack.use(
    new HealthMonitor({
      status: () => control.plane.status(),
      certificates: () => control.upkeep.expiries,
      geoipBuiltMs: () => control.geoip.builtMs,
      issuance: () => control.issuance?.counts,
      refusals: () => control.upkeep.refusals,
      fileWarnings: () => [
        ...control.upkeep.warnings,
        ...control.board.warnings(),
        ...control.issuance?.warnings ?? [],
        ...warnings(),
      ],
      checkDatabase: () => control.database.check(),
      databaseProblem: () => control.database.problem,
      groupProblem: () => control.groupProblem,
      groupDrain: () => drainWords(control.drained),
      log,
      now: Date.now,
    }),
  );
  await monitor.start();
  control.onWriteFailed(() => void monitor.checkDatabase());
  let endpoint: MetricsEndpoint | undefined;
  if (config.metrics !== undefined) {
    // With its libraries a tenth of what a start loads.
    const { Metrics, MetricsEndpoint } = await import("../metrics/mod.ts");
    const metrics = stack.use(new Metrics(metricsOptions(options, monitor)));
    endpoint = await MetricsEndpoint.open({
      addr: config.metrics.addr,
      contentType: metrics.contentType,
      render: () => metrics.render(),
      health: () => monitor.get(),
      log,
    });
    const fields = { addr: config.metrics.addr, port: endpoint.port };
    log({ level: "info", message: "metrics", fields });
  }
  const closeEndpoint = async () => {
    await endpoint?.[Symbol.asyncDispose]();
    endpoint = undefined;
  };
  stack.defer(closeEndpoint);
  const resources = stack.move();
  return {
    health: () => monitor.get(),
    refresh: () => monitor.checkFiles(),
    closeEndpoint,
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

function metricsOptions(
  { control, drift, lostLines }: MonitoringOptions,
  monitor: HealthMonitor,
): ConstructorParameters<typeof Metrics>[0] {
  return {
    version: VERSION,
    startedAtMs: performance.timeOrigin,
    now: Date.now,
    status: () => control.plane.status(),
    plane: () => control.plane.metrics(),
    listeners: () => control.listeners,
    health: () => monitor.get(),
    routes: () => control.totals.taken,
    backends: () => control.totals.backends,
    backendStates: () => control.board.status(),
    drift,
    heavyClients: (by) =>
      control.totals.heavyClients(HEAVY_SHARE, { by, windowMs: HEAVY_WINDOW_MS }),
    missingHistory: () => control.history?.missing,
    fleet: () => control.fleetFigures,
    memory: () => Deno.memoryUsage(),
    lostLines,
  };
}
