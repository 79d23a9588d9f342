import type { Config } from "../config/mod.ts";
import { Control, Drift } from "../control/mod.ts";
import { openDatabase } from "../db/mod.ts";
import { History } from "../history/mod.ts";
import {
  describeError,
  DescriptorBudget,
  DESCRIPTORS_BYTES,
  type LogSink,
} from "../observe/mod.ts";
import { readServiceEnvironment, ServiceManager } from "../service/mod.ts";
import { ENTRY_URL } from "../workers/mod.ts";
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { inheritedSockets, warnOfUnused } from "./activation.ts";
import { type AdminParts, startAdmin } from "./admin.ts";
import { confirmRole, openClaimed, refuseSecond } from "./claim.ts";
import { CommandError } from "./command_error.ts";
import { openConfiguredAdmission } from "./connector_admission.ts";
import { startControl } from "./control_start.ts";
import { DescriptorWatch } from "./descriptors.ts";
import { openFleet } from "./fleet.ts";
import { loadConfigFile } from "./load.ts";
import { setUpLogging } from "./logging.ts";
import { copyBeforeMigration, logMigration } from "./migration_snapshot.ts";
import { type Monitoring, type MonitoringOptions, startMonitoring } from "./monitoring.ts";
import { patienceFor } from "./patience.ts";
import { checkPermissions } from "./permissions.ts";
import type { ProxyOptions } from "./proxy_options.ts";
import { Reloader } from "./reloader.ts";
import { serve } from "./serve.ts";
import { Signals } from "./signals.ts";

/**
 * `mc-proxy server`: serves until SIGTERM or SIGINT, then drains. Resolves with the exit code.
 *
 * @throws {CommandError} if it cannot start.
 */
export async function runServer(
  configPath: string,
  { takeOver = false }: { readonly takeOver?: boolean } = {},
): Promise<number> {
  const loaded = loadConfigFile(configPath);
  return await runProxy({
    ...loaded,
    takeOver,
    openDatabase: () => openDatabase(loaded.config.database.path),
    beforeOpening: () => copyBeforeMigration(loaded.config.database.path),
    rereadConfig: () => loadConfigFile(configPath, { readsFiles: false }).config,
    file: { path: configPath, load: (options) => loadConfigFile(configPath, options) },
    state: loaded.state,
  });
}

/**
 * Serves until SIGTERM or SIGINT, then drains. Resolves with the exit code.
 *
 * @throws {CommandError} if it cannot start.
 */
export async function runProxy(options: ProxyOptions): Promise<number> {
  using signals = new Signals();
  const { config, takeOver, rereadConfig } = options;
  const environment = readServiceEnvironment();
  const { notifySocket } = environment;
  const excess = checkPermissions({ config, notifySocket, workerModule: workerModule() });
  await using logging = await setUpLogging(config.log, Deno.stderr);
  const { log } = logging;
  for (const warning of options.warnings) log({ level: "warn", message: warning });
  if (excess.length > 0) {
    const fields = { permissions: excess.join(", ") };
    log({ level: "warn", message: "Deno was given permissions that nothing needs", fields });
  }
  await using manager = new ServiceManager(environment, log);
  const inherited = inheritedSockets();
  using _serving = await refuseSecond(options);
  const patienceMs = patienceFor(config.database.path);
  if (patienceMs !== undefined) await manager.starting(patienceMs);
  const migration = await options.beforeOpening?.();
  using database = openClaimed(options.openDatabase);
  logMigration(migration, log);
  await using admission = openConfiguredAdmission(config, log);
  await using fleet = await openFleet(config, { database, log });
  // Closed after the last connection has ended.
  await using history = config.history && await History.open({ ...config.history, log });
  const stuck = Promise.withResolvers<number>();
  const onStuck = stuck.resolve;
  const descriptors = new SharedArrayBuffer(DESCRIPTORS_BYTES);
  const control = await startControl({
    ...{ config, database, admission, logging, takeOver, onStuck, descriptors, history },
    ...inherited && { inherited },
    ...options.file && { file: options.file },
    ...fleet && { fleet },
  });
  warnOfUnused(inherited, { listeners: control.listeners, log });
  using watch = watchDescriptors(new DescriptorBudget(descriptors), { config, control, log });
  const { lostLines } = logging;
  using drift = watchDrift(options, control, log);
  const warnings = () => [
    ...drift?.warning === undefined ? [] : [drift.warning],
    ...watch.warnings,
    ...history?.warnings ?? [],
    ...control.groupWarnings,
    ...control.nameServer.warnings,
    ...lostWords(lostLines()),
  ];
  const differences = () => drift?.differences ?? 0;
  await using monitoring = await monitor({
    ...{ config, control, log, warnings, lostLines },
    drift: differences,
  });
  const reloader = new Reloader({
    ...{ config, file: options.file, rereadConfig, control, manager, drift, log },
    onReloaded: () => monitoring.refresh(),
  });
  // Closed last: it answers questions while connections drain.
  await using _admin = await openAdmin({
    ...{ config, control, monitoring, log, takeOver },
    reload: reloader.reload,
  });
  // Until here whoever had the database before gets it back when something fails.
  await confirmRole(database);
  control.issuance?.start();
  control.nameServer.start();
  control.follow(() => monitoring.health().problems.join("; "));
  await drift?.look();
  const running = { config, reloader, control, monitoring, manager, signals, log };
  return await serve({ ...running, stuck: stuck.promise });
}

/** Compiled programs contain their modules; every other form reads them. */
function workerModule(): URL | undefined {
  return Deno.build.standalone ? undefined : ENTRY_URL;
}

/** A proxy that cannot be watched as configured does not start. */
async function monitor(options: MonitoringOptions): Promise<Monitoring> {
  try {
    return await startMonitoring(options);
  } catch (error) {
    await options.control.drain(0);
    throw new CommandError(describeError(error), { cause: error });
  }
}

/** A file that has seeded the database is edited by whoever does not know that it did. */
function watchDrift(
  { file, state: desired }: ProxyOptions,
  control: Control,
  log: LogSink,
): Drift | undefined {
  // Where the file is the truth it is in effect, or why not is said.
  if (file === undefined || desired === undefined || control.source.kind !== "database") {
    return undefined;
  }
  const { state, wholeState, firewall } = control;
  const options = { state, wholeState, firewall, now: Date.now, file: file.path, log };
  return new Drift(desired, options);
}

/** The last step that a start can fail at: after it the state is the database's. */
async function openAdmin(parts: AdminParts): Promise<AsyncDisposable | undefined> {
  const { control } = parts;
  try {
    return await control.keep(() => startAdmin(parts));
  } catch (error) {
    await control.drain(0);
    throw new CommandError(describeError(error), { cause: error });
  }
}

/** A log that is not written is not to be found out by reading it. */
function lostWords(lines: number): string[] {
  return lines === 0 ? [] : [`${lines} log lines were lost`];
}

/** Opens its own program, which it may read in any form but the compiled one. */
function watchDescriptors(
  budget: DescriptorBudget,
  { config, control, log }: {
    readonly config: Config;
    readonly control: Control;
    readonly log: LogSink;
  },
): DescriptorWatch {
  const own = workerModule();
  return new DescriptorWatch({
    budget,
    path: own === undefined ? dirname(resolve(config.database.path)) : fileURLToPath(own),
    maxConnections: () => control.listeners.map(({ maxConnections }) => maxConnections),
    log,
  });
}
