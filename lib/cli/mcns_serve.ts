import type { McnsConfig } from "../dns_config/mod.ts";
import type { LogSink } from "../observe/mod.ts";
import { readVariable, type ServiceManager, type WatchdogReport } from "../service/mod.ts";
import { allocatorName } from "./allocator.ts";
import type { McnsManagement } from "./mcns_admin.ts";
import type { McnsMonitoring } from "./mcns_monitoring.ts";
import type { Mcns } from "./mcns_plane.ts";
import type { McnsReloader } from "./mcns_reloader.ts";
import type { Signals } from "./signals.ts";
import { VERSION } from "./version.ts";

/** Exit code of a stop that a second signal cut short, or that a worker forced. */
const EXIT_CUT_SHORT = 1;

/** What runs between start and stop. */
export interface RunningMcns {
  readonly config: McnsConfig;
  readonly reloader: McnsReloader;
  readonly mcns: Mcns;
  readonly monitoring: McnsMonitoring;
  readonly management: McnsManagement;
  readonly manager: ServiceManager;
  readonly signals: Signals;
  /** Resolves with the address whose worker loops and cannot be ended. */
  readonly stuck: Promise<string>;
  readonly log: LogSink;
}

/** From ready to stopped; resolves with the exit code. */
export async function serveMcns(running: RunningMcns): Promise<number> {
  const { config, mcns, monitoring, management, manager, signals, stuck, log } = running;
  signals.onReload(() => reload(running));
  for (const { address: { host }, port, tlsPort } of mcns.status) {
    const fields = { host, port, ...tlsPort > 0 && { tlsPort } };
    log({ level: "info", message: "listening", fields });
  }
  const allocator = allocatorName(readVariable("LD_PRELOAD"));
  const zones = mcns.control.table.size;
  log({ level: "info", message: "ready", fields: { version: VERSION, allocator, zones } });
  manager.ready(() => reportOf(mcns, monitoring));
  const stop = await Promise.race([
    signals.stop.then((signal) => ({ signal, hangs: false })),
    stuck.then((host) => ({ signal: `the worker of ${host} hangs`, hangs: true })),
  ]);
  if (stop.hangs) {
    // Its socket cannot be bound again before the process ends; the service manager starts it anew.
    const message = "a worker hangs and cannot be ended, so the program drains and ends";
    log({ level: "error", message });
  }
  const timeoutMs = config.dns.shutdownTimeoutMs;
  manager.stopping(timeoutMs);
  log({ level: "info", message: "draining", fields: { signal: stop.signal, timeoutMs } });
  await Promise.all([monitoring.close(), management.close()]);
  const ended = await Promise.race([
    mcns.drain(timeoutMs).then(() => "drained" as const),
    signals.stopAgain.then(() => "cut short" as const),
  ]);
  log({ level: "info", message: `stopped, ${ended}` });
  return ended === "drained" && !stop.hangs ? 0 : EXIT_CUT_SHORT;
}

/** SIGHUP: the configuration as it is now; what is wrong with it is in the log. */
async function reload({ reloader, manager }: RunningMcns): Promise<void> {
  manager.reloading();
  try {
    await reloader.reload();
  } catch {
    // It was said, and nothing has changed.
  } finally {
    manager.reloaded();
  }
}

/** The watchdog asks whether a restart would help: it would bring workers back. */
function reportOf(mcns: Mcns, { state }: McnsMonitoring): WatchdogReport {
  const { status, problems, control } = mcns;
  const serving = status.filter((own) => own.state === "serving").length;
  const words = `${state}: ${control.table.size} zones at ${serving} of ${status.length} addresses`;
  const alive = serving > 0 || state === "draining";
  return { alive, status: [words, ...problems].join("; ") };
}
