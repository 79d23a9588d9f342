import {
  bindPrivately,
  type BoundSocket,
  type GrpcLimits,
  GrpcServer,
  type Handlers,
  healthHandlers,
  type Method,
  methodsOf,
  reflectionHandlers,
  sleep,
} from "../rpc_server/mod.ts";
import type { Control, Reload } from "../control/mod.ts";
import { describeError, type LogSink } from "../observe/mod.ts";
import { backendHandlers } from "./backend_handlers.ts";
import { certificateHandlers } from "./certificate_handlers.ts";
import type { AdminContext } from "./context.ts";
import { toRpcError } from "./errors.ts";
import { firewallHandlers } from "./firewall_handlers.ts";
import { fleetHandlers } from "./fleet_handlers.ts";
import { health, ProxyAdminService, reflection, reflectionAlpha } from "./gen/mod.ts";
import { heaviestHandlers } from "./heaviest_handlers.ts";
import { historyHandlers } from "./history_handlers.ts";
import { observeHandlers } from "./observe_handlers.ts";
import { routingHandlers } from "./routing_handlers.ts";
import { stateHandlers } from "./state_handlers.ts";

/** What {@link AdminServer.start} is given. */
export interface AdminOptions {
  readonly control: Control;
  /** Where to make the socket. */
  readonly socketPath: string;
  /** The program's version. */
  readonly version: string;
  readonly log: LogSink;
  /** Why the proxy is not healthy, beyond what `control` knows; empty if it is. */
  readonly problem?: () => string;
  /** What works and is not as it should be, one sentence each. */
  readonly warnings?: () => readonly string[];
  /** Reads files again; absent where there are none. */
  readonly reload?: Reload;
  /** Replace a socket on which another process answers, which is about to stop. */
  readonly takeOver?: boolean;
}

/**
 * What is about a state as a whole: one with 100,000 routes has about 15 MB, one with a million rules
 * 25 to 60, and takes minutes.
 */
const WHOLE_STATE = { maxCallMs: 600_000, maxMessageBytes: 96 * 1024 * 1024 };

/** More than operators, their scripts and their monitoring need. */
const LIMITS = {
  maxConnections: 256,
  maxCallsPerConnection: 128,
  maxCalls: 256,
  maxStreams: 64,
  maxCallMs: 60_000,
  maxMessageBytes: 16 * 1024 * 1024,
  large: {
    Apply: WHOLE_STATE,
    ExportState: WHOLE_STATE,
    Reload: WHOLE_STATE,
    WriteBack: WHOLE_STATE,
  },
  maxWaitingRequests: 64,
};
/** Calls that are answered when the server closes have this long to end. */
const CLOSE_GRACE_MS = 2000;

/** The admin API on its socket. */
export class AdminServer {
  readonly #server: GrpcServer;
  #socket: BoundSocket;
  readonly #closing: AbortController;

  private constructor(server: GrpcServer, socket: BoundSocket, closing: AbortController) {
    this.#server = server;
    this.#socket = socket;
    this.#closing = closing;
  }

  /**
   * Makes the socket and answers on it.
   *
   * @throws {AdminSocketError} if the socket cannot be made.
   */
  static async start(options: AdminOptions): Promise<AdminServer> {
    const { control, version, socketPath } = options;
    const closing = new AbortController();
    let owner = -1;
    const context: AdminContext = {
      control,
      version,
      owner: () => owner,
      problem: () => control.problem || (options.problem?.() ?? ""),
      warnings: () => options.warnings?.() ?? [],
      ...options.reload && { reload: options.reload },
      closing: closing.signal,
    };
    const server = new GrpcServer(methods(context), callLimits(options.log));
    const { takeOver = false } = options;
    const socket = await bindPrivately(socketPath, (path) => server.listen(path), { takeOver });
    owner = socket.owner;
    const admin = new AdminServer(server, socket, closing);
    control.keepReachable(() => admin.#publish());
    return admin;
  }

  /** The socket's path, absolute. */
  get path(): string {
    return this.#socket.path;
  }

  /** Takes the socket's name again, after a process that failed to take over had it, or it was removed. */
  async #publish(): Promise<void> {
    if (this.#closing.signal.aborted || this.#socket.isInPlace()) return;
    this.#socket = await bindPrivately(this.path, (path) => this.#server.listen(path));
  }

  /** Removes the socket and ends: first streams, then calls that take too long. */
  async close(): Promise<void> {
    this.#socket[Symbol.dispose]();
    this.#closing.abort();
    await this.#server.close(CLOSE_GRACE_MS);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

function callLimits(log: LogSink): GrpcLimits {
  return {
    ...LIMITS,
    translate: toRpcError,
    onError: (method, error) => {
      const fields = { method, error: describeError(error) };
      log({ level: "error", message: "admin call failed", fields });
    },
  };
}

/** Every method of every service by its path. */
function methods(context: AdminContext): ReadonlyMap<string, Method> {
  const admin: Handlers<typeof ProxyAdminService> = {
    ...routingHandlers(context),
    ...firewallHandlers(context),
    ...stateHandlers(context),
    ...observeHandlers(context),
    ...heaviestHandlers(context),
    ...historyHandlers(context),
    ...certificateHandlers(context),
    ...backendHandlers(context),
    ...fleetHandlers(context),
  };
  const source = {
    healthy: () => context.problem() === "",
    services: [ProxyAdminService.typeName],
    sleep: (ms: number, signal: AbortSignal) => sleep(ms, signal, context.closing),
    closing: context.closing,
  };
  const { v1, v1alpha } = reflectionHandlers([
    ProxyAdminService,
    health.Health,
    reflection.ServerReflection,
    reflectionAlpha.ServerReflection,
  ]);
  return new Map([
    ...methodsOf(ProxyAdminService, admin),
    ...methodsOf(health.Health, healthHandlers(source)),
    ...methodsOf(reflection.ServerReflection, v1),
    ...methodsOf(reflectionAlpha.ServerReflection, v1alpha),
  ]);
}
