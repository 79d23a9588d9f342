import type { Config } from "../config/mod.ts";
import type { Control, Health } from "../control/mod.ts";
import type { LogSink } from "../observe/mod.ts";
import { readVariable, type ServiceManager, type WatchdogReport } from "../service/mod.ts";
import { allocatorName } from "./allocator.ts";
import type { Monitoring } from "./monitoring.ts";
import type { Reloader } from "./reloader.ts";
import type { Signals } from "./signals.ts";
import { VERSION } from "./version.ts";

/** Exit code of a stop that a second signal cut short, or that a worker forced. */
const EXIT_CUT_SHORT = 1;

/** What runs between start and stop. */
export interface Running {
  readonly config: Config;
  readonly reloader: Reloader;
  readonly control: Control;
  readonly monitoring: Monitoring;
  readonly manager: ServiceManager;
  readonly signals: Signals;
  /** Resolves with a worker that hangs and cannot be ended. */
  readonly stuck: Promise<number>;
  readonly log: LogSink;
}

/** From ready to stopped; resolves with the exit code. */
export async function serve(running: Running): Promise<number> {
  const { config, reloader, control, monitoring, manager, signals, stuck, log } = running;
  signals.onReload(() => reloader.onSignal());
  logListeners(control, log);
  const allocator = allocatorName(readVariable("LD_PRELOAD"));
  log({ level: "info", message: "ready", fields: { version: VERSION, allocator } });
  manager.ready(() => watchdogReportOf(control, monitoring.health()));
  const signal = await Promise.race([signals.stop, stuck]);
  const hangs = typeof signal === "number";
  if (hangs) {
    // Its thread takes its share of the connections and answers none, until the process ends; the
    // service manager then starts it anew. What the other workers carry is given time to end.
    const message = "a worker hangs and cannot be ended, so the program drains and ends";
    log({ level: "error", message, fields: { worker: signal } });
  }
  const timeoutMs = config.proxy.shutdownTimeoutMs;
  manager.stopping(timeoutMs);
  const reason = hangs ? "a worker hangs" : signal;
  log({ level: "info", message: "draining", fields: { signal: reason, timeoutMs } });
  await monitoring.closeEndpoint();
  const ended = await Promise.race([
    control.drain(timeoutMs).then(() => "drained" as const),
    signals.stopAgain.then(() => "cut short" as const),
  ]);
  log({ level: "info", message: `stopped, ${ended}` });
  return ended === "drained" && !hangs ? 0 : EXIT_CUT_SHORT;
}

/** Where connections are taken, or that the group wanted none before the start. */
function logListeners({ listeners, drained }: Control, log: LogSink): void {
  if (drained !== undefined) {
    const message = "drained: the group wants no new connections here";
    return log({ level: "warn", message, fields: { by: drained.by } });
  }
  for (const { addr, port, routes, proxyProtocol } of listeners) {
    const fields = { addr, port, routes: routes.length, proxyProtocol };
    log({ level: "info", message: "listening", fields });
  }
}

/**
 * The watchdog asks whether a restart would help: it would bring workers back, and not make room
 * on a disk.
 */
function watchdogReportOf({ plane, listeners }: Control, health: Health): WatchdogReport {
  const { state, problems, refusals, warnings } = health;
  const { workers } = plane.status();
  const serving = workers.filter((worker) => worker.state === "serving").length;
  const parts = [
    `${state}: ${listeners.length} listeners, ${serving} of ${workers.length} workers`,
    ...problems,
    ...refusals,
    ...warnings,
  ];
  return { alive: serving > 0 || state === "draining", status: parts.join("; ") };
}
