import type { McnsConfig } from "../dns_config/mod.ts";
import { MetricsEndpoint } from "../metrics_endpoint/mod.ts";
import { describeError, type LogSink } from "../observe/mod.ts";
import { CommandError } from "./command_error.ts";
import { McnsMetrics } from "./mcns_metrics.ts";
import type { Mcns } from "./mcns_plane.ts";
import { VERSION } from "./version.ts";

/** What {@link monitorMcns} watches. */
export interface McnsMonitoringOptions {
  readonly config: McnsConfig;
  readonly mcns: Mcns;
  readonly log: LogSink;
  /** Log lines that nobody will read, since the start. */
  readonly lostLines: () => number;
}

/** How a name server is, and who asks that. */
export interface McnsMonitoring extends AsyncDisposable {
  /** `serving`, `impaired` or `draining`. */
  readonly state: string;
  /** From now on it says that it drains, and answers no more. */
  close(): Promise<void>;
}

/**
 * Shows metrics and health where they are configured.
 *
 * @throws {CommandError} if their address cannot be bound.
 */
export async function monitorMcns(
  { config, mcns, log, lostLines }: McnsMonitoringOptions,
): Promise<McnsMonitoring> {
  let isDraining = false;
  let endpoint: MetricsEndpoint | undefined;
  const stateOf = () => isDraining ? "draining" : mcns.problems.length > 0 ? "impaired" : "serving";
  if (config.metrics !== undefined) {
    const { addr } = config.metrics;
    const metrics = new McnsMetrics({
      version: VERSION,
      status: () => mcns.status,
      zones: () => mcns.control.table.size,
      stored: () => mcns.control.counts,
      servers: () => mcns.serverStatus(),
      exchanges: {
        follow: () => mcns.followed.counts,
        desk: () => mcns.deskCounts,
        secondaries: () => mcns.followed.samples(),
      },
      isHealthy: () => stateOf() === "serving",
      lostLines,
    });
    endpoint = await openEndpoint({
      ...{ addr, log, contentType: metrics.contentType },
      render: () => metrics.render(),
      health: () => {
        const problems = mcns.problems;
        return { state: stateOf(), problems, refusals: [], warnings: [] };
      },
    });
    log({ level: "info", message: "metrics", fields: { addr, port: endpoint.port } });
  }
  const close = async () => {
    isDraining = true;
    await endpoint?.[Symbol.asyncDispose]();
    endpoint = undefined;
  };
  return {
    get state() {
      return stateOf();
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

async function openEndpoint(
  options: Parameters<typeof MetricsEndpoint.open>[0],
): Promise<MetricsEndpoint> {
  try {
    return await MetricsEndpoint.open(options);
  } catch (error) {
    throw new CommandError(describeError(error), { cause: error });
  }
}
