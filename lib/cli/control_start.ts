import type { Config } from "../config/mod.ts";
import type { DatabaseAdmission } from "../connector/mod.ts";
import { Control, type ControlOptions, type FleetOptions } from "../control/mod.ts";
import type { Database } from "../db/mod.ts";
import type { History } from "../history/mod.ts";
import { describeError, DescriptorBudget, type LogSink, MAX_WORKERS } from "../observe/mod.ts";
import { chooseSockets, type InheritedSockets, type SocketsKind } from "../tcp/mod.ts";
import { InlinePlane, WorkerPool } from "../workers/mod.ts";
import { CommandError } from "./command_error.ts";
import { fileTime } from "./file_time.ts";
import type { Logging } from "./logging.ts";
import type { ConfigFile } from "./reloader.ts";
import { VERSION } from "./version.ts";

/** What the control plane is started with. */
export interface ControlParts {
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
  readonly fleet?: FleetOptions;
}

/**
 * Starts both planes; resolves when every listener is bound.
 *
 * @throws {CommandError}
 */
export async function startControl(parts: ControlParts): Promise<Control> {
  const { config, database, admission, logging, takeOver, inherited, history, file } = parts;
  const { log, logConnection, logRequest } = logging;
  const startPlane = planeStarter(parts, await usableSockets(config, log));
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
      ...parts.fleet && { fleet: parts.fleet },
      ...file && {
        file: {
          path: file.path,
          copyTo: () =>
            `${config.database.path}.before-${
              config.state.source === "postgres" ? "group" : "file"
            }.${fileTime(new Date())}.bak`,
        },
      },
    });
  } catch (error) {
    throw new CommandError(describeError(error), { cause: error });
  }
}

/** In workers, or in this thread where there are to be none. */
function planeStarter(
  { config: { server }, inherited, descriptors, onStuck }: ControlParts,
  sockets: SocketsKind,
): ControlOptions["startPlane"] {
  const workers = server.workers ?? Math.min(navigator.hardwareConcurrency, MAX_WORKERS);
  return (snapshot, sinks) => {
    const options = { ...sinks, sockets, ...inherited && { inherited } };
    return workers === 0
      ? InlinePlane.start(snapshot, {
        ...options,
        descriptors: new DescriptorBudget(descriptors).of(0),
        idPrefix: crypto.randomUUID().slice(0, 6),
      })
      : WorkerPool.start(workers, snapshot, { ...options, onStuck, descriptors });
  };
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
