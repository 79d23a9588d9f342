import type { Config } from "../config/mod.ts";
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { DatabaseAdmission } from "../connector/mod.ts";
import { Control, Drift } from "../control/mod.ts";
import { type Database, openDatabase, ServingLock, whenFree } from "../db/mod.ts";
import { History } from "../history/mod.ts";
import {
  describeError,
  DescriptorBudget,
  DESCRIPTORS_BYTES,
  type LogSink,
  MAX_WORKERS,
} from "../observe/mod.ts";
import type { Plane, Snapshot } from "../plane/mod.ts";
import { answers, readServiceEnvironment, ServiceManager } from "../service/mod.ts";
import type { State } from "../state/mod.ts";
import { chooseSockets, type InheritedSockets, type SocketsKind } from "../tcp/mod.ts";
import { ENTRY_URL, InlinePlane, type PlaneSinks, WorkerPool } from "../workers/mod.ts";
import { inheritedSockets, warnOfUnused } from "./activation.ts";
import { CommandError } from "./command_error.ts";
import { VERSION } from "./version.ts";
import { type AdminParts, startAdmin } from "./admin.ts";
import { openConfiguredAdmission } from "./connector_admission.ts";
import { DescriptorWatch } from "./descriptors.ts";
import { fileTime } from "./file_time.ts";
import { loadConfigFile } from "./load.ts";
import { type Logging, setUpLogging } from "./logging.ts";
import { copyBeforeMigration, logMigration, type PendingMigration } from "./migration_snapshot.ts";
import { type Monitoring, type MonitoringOptions, startMonitoring } from "./monitoring.ts";
import { patienceFor } from "./patience.ts";
import { checkPermissions } from "./permissions.ts";
import { type ConfigFile, Reloader } from "./reloader.ts";
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

/** What {@link runProxy} serves. */
export interface ProxyOptions {
  readonly config: Config;
  /** One line each. */
  readonly warnings: readonly string[];
  /** Where listeners, routes and rules are kept. */
  readonly openDatabase: () => Database;
  /** Copies it where it is about to be migrated. Absent: there is nothing to copy. */
  readonly beforeOpening?: () => Promise<PendingMigration | undefined>;
  /** Whether to share ports with a process that is to be replaced. */
  readonly takeOver: boolean;
  /**
   * The configuration as it is now, without a look at the files that it names.
   *
   * @throws {CommandError}
   */
  readonly rereadConfig: () => Config;
  /** Absent: the flags are the whole truth. */
  readonly file?: ConfigFile;
  /** What of the file can be changed at run time. */
  readonly state?: State;
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
  using database = openClaimed(options);
  logMigration(migration, log);
  await using admission = openConfiguredAdmission(config, log);
  // Closed after the last connection has ended.
  await using history = config.history && await History.open({ ...config.history, log });
  const stuck = Promise.withResolvers<number>();
  const onStuck = stuck.resolve;
  const descriptors = new SharedArrayBuffer(DESCRIPTORS_BYTES);
  const control = await start({
    ...{ config, database, admission, logging, takeOver, onStuck, descriptors, history },
    ...inherited && { inherited },
    ...options.file && { file: options.file },
  });
  warnOfUnused(inherited, { listeners: control.listeners, log });
  using watch = watchDescriptors(new DescriptorBudget(descriptors), { config, control, log });
  const { lostLines } = logging;
  using drift = watchDrift(options, control, log);
  const warnings = () => [
    ...drift?.warning === undefined ? [] : [drift.warning],
    ...watch.warnings,
    ...history?.warnings ?? [],
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

/**
 * Before the database is migrated or claimed: who was started beside a running proxy by mistake would
 * for a moment have taken from it the right to write.
 *
 * @returns what tells the next one, until it is disposed of; nothing for a database in memory.
 */
async function refuseSecond(
  { config: { grpc, database: { path } }, takeOver }: ProxyOptions,
): Promise<Disposable | undefined> {
  const remedy = "stop it first, or take over from it with --take-over";
  if (!takeOver && grpc !== undefined && await answers(grpc.addr)) {
    throw new CommandError(
      `another process answers on the admin socket ${grpc.addr}: ${remedy}`,
    );
  }
  if (path === "") return undefined;
  const lock = asCommandError(() => ServingLock.take(resolve(path), { takeOver }));
  if (lock !== undefined) return lock;
  throw new CommandError(`another process serves the database ${path}: ${remedy}`);
}

function openClaimed({ openDatabase }: ProxyOptions): Database {
  const database = asCommandError(openDatabase);
  try {
    // Before anything of the state is read: what another process acknowledges later would be unknown.
    asCommandError(() => database.role?.claim());
    asCommandError(() => database.safekeeping?.acknowledge());
    return database;
  } catch (error) {
    database[Symbol.dispose]();
    throw error;
  }
}

/** The database may be in use for a moment, by its own checkpoint or by whoever is being replaced. */
async function confirmRole(database: Database): Promise<void> {
  const until = performance.now() + database.busyTimeoutMs;
  try {
    await whenFree(() => database.role?.confirm(), { until });
  } catch (error) {
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
  if (file === undefined || desired === undefined || control.source.kind === "file") {
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

async function start(
  parts: {
    readonly config: Config;
    readonly database: Database;
    readonly admission: DatabaseAdmission | undefined;
    readonly logging: Logging;
    readonly takeOver: boolean;
    readonly onStuck: (worker: number) => void;
    readonly descriptors: SharedArrayBuffer;
    readonly inherited?: InheritedSockets;
    readonly history: History | undefined;
    readonly file?: ConfigFile;
  },
): Promise<Control> {
  const { config, database, admission, logging, takeOver, onStuck } = parts;
  const { descriptors, inherited, history, file } = parts;
  const { log, logConnection, logRequest } = logging;
  const workers = config.server.workers ?? Math.min(navigator.hardwareConcurrency, MAX_WORKERS);
  const sockets = await usableSockets(config, log);
  const startPlane = (snapshot: Snapshot, sinks: PlaneSinks): Promise<Plane> => {
    const options = { ...sinks, sockets, ...inherited && { inherited } };
    return workers === 0
      ? InlinePlane.start(snapshot, {
        ...options,
        descriptors: new DescriptorBudget(descriptors).of(0),
        idPrefix: crypto.randomUUID().slice(0, 6),
      })
      : WorkerPool.start(workers, snapshot, { ...options, onStuck, descriptors });
  };
  try {
    return await Control.start({
      config,
      database,
      log,
      onEvent: logConnection,
      onRequest: logRequest,
      startPlane,
      takeOver,
      userAgent: `mc-proxy/${VERSION}`,
      ...inherited && { isInherited: (listener) => inherited.has(listener) },
      ...admission && { admission },
      ...history && { history },
      ...file && {
        file: {
          path: file.path,
          copyTo: () => `${config.database.path}.before-file.${fileTime(new Date())}.bak`,
        },
      },
    });
  } catch (error) {
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

/** Asked once for all workers; whoever reads the log learns when it is not the fast ones. */
async function usableSockets({ server }: Config, log: LogSink): Promise<SocketsKind> {
  const { kind, problem } = await chooseSockets(server.sockets);
  if (problem !== undefined) {
    const message = "the runtime's TCP handles do not work as known, node:net is used instead";
    log({ level: "warn", message, fields: { problem } });
  } else if (kind === "node") {
    log({ level: "info", message: "node:net is used instead of the runtime's TCP handles" });
  }
  return kind;
}

function asCommandError<T>(action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw new CommandError(describeError(error), { cause: error });
  }
}
