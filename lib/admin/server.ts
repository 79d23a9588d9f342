import { Server, ServerCredentials } from "@grpc/grpc-js";
import type { Control } from "../control/mod.ts";
import { describeError, type LogSink } from "../observe/mod.ts";
import { type Handlers, implement, type ServeOptions } from "../rpc/mod.ts";
import { type AdminContext, sleep } from "./context.ts";
import { toRpcError } from "./errors.ts";
import { firewallHandlers } from "./firewall_handlers.ts";
import { health, ProxyAdminService, reflection, reflectionAlpha } from "./gen/mod.ts";
import { healthHandlers } from "./health.ts";
import { observeHandlers } from "./observe_handlers.ts";
import { reflectionHandlers } from "./reflection.ts";
import { routingHandlers } from "./routing_handlers.ts";
import { bindPrivately, type BoundSocket } from "./socket.ts";
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
  /** Replace a socket on which another process answers, which is about to stop. */
  readonly takeOver?: boolean;
}

/** A state with 100,000 routes has about 15 MB. */
const MAX_MESSAGE_BYTES = 16 * 1024 * 1024;
/** Calls that one connection may have open. */
const MAX_CALLS_PER_CONNECTION = 128;
/** Over all connections: more than operators, their scripts and their monitoring need. */
const LIMITS = { maxCalls: 256, maxStreams: 64, maxCallMs: 60_000 };
/** A caller that has died without a word is noticed after both. */
const KEEPALIVE_MS = 30_000;
const KEEPALIVE_TIMEOUT_MS = 10_000;
/** Calls that are answered when the server closes have this long to end. */
const CLOSE_GRACE_MS = 2000;

/** The admin API on its socket. */
export class AdminServer {
  readonly #server: Server;
  readonly #socket: BoundSocket;
  readonly #closing: AbortController;

  private constructor(server: Server, socket: BoundSocket, closing: AbortController) {
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
    const server = new Server({
      "grpc.max_receive_message_length": MAX_MESSAGE_BYTES,
      "grpc.max_send_message_length": -1,
      "grpc.max_concurrent_streams": MAX_CALLS_PER_CONNECTION,
      "grpc.keepalive_time_ms": KEEPALIVE_MS,
      "grpc.keepalive_timeout_ms": KEEPALIVE_TIMEOUT_MS,
      "grpc.enable_channelz": 0,
    });
    let owner = -1;
    const context: AdminContext = {
      control,
      version,
      owner: () => owner,
      problem: () => control.problem || (options.problem?.() ?? ""),
      closing: closing.signal,
    };
    addServices(server, context, options.log);
    const { takeOver = false } = options;
    const socket = await bindPrivately(socketPath, (path) => bind(server, path), { takeOver });
    owner = socket.owner;
    return new AdminServer(server, socket, closing);
  }

  /** The socket's path, absolute. */
  get path(): string {
    return this.#socket.path;
  }

  /** Removes the socket and ends: first streams, then calls that take too long. */
  async close(): Promise<void> {
    this.#socket[Symbol.dispose]();
    this.#closing.abort();
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(() => this.#server.forceShutdown(), CLOSE_GRACE_MS);
    this.#server.tryShutdown(() => resolve());
    await promise;
    clearTimeout(timer);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

function addServices(server: Server, context: AdminContext, log: LogSink): void {
  const options: ServeOptions = {
    ...LIMITS,
    translate: toRpcError,
    onError: (method, error) => {
      const fields = { method, error: describeError(error) };
      log({ level: "error", message: "admin call failed", fields });
    },
  };
  const handlers: Handlers<typeof ProxyAdminService> = {
    ...routingHandlers(context),
    ...firewallHandlers(context),
    ...stateHandlers(context),
    ...observeHandlers(context),
  };
  implement(server, ProxyAdminService, handlers, options);
  const source = {
    healthy: () => context.problem() === "",
    services: [ProxyAdminService.typeName],
    sleep: (ms: number, signal: AbortSignal) => sleep(ms, signal, context.closing),
    closing: context.closing,
  };
  implement(server, health.Health, healthHandlers(source), options);
  const described = [
    ProxyAdminService,
    health.Health,
    reflection.ServerReflection,
    reflectionAlpha.ServerReflection,
  ];
  const { v1, v1alpha } = reflectionHandlers(described);
  implement(server, reflection.ServerReflection, v1, options);
  implement(server, reflectionAlpha.ServerReflection, v1alpha, options);
}

function bind(server: Server, path: string): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.bindAsync(`unix:${path}`, ServerCredentials.createInsecure(), (error) => {
    if (error === null) resolve();
    else reject(error);
  });
  return promise;
}
