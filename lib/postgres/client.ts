import type { Socket } from "node:net";
import postgres from "postgres";
import { failingSocket, openPostgresSocket, type PostgresServer } from "./socket.ts";

/**
 * First wait before connecting again, and the longest; each failure doubles it. The longest is below
 * the usual deadline of a question, so the first one after a recovery finds a connection.
 */
const MIN_BACKOFF_MS = 100;
const MAX_BACKOFF_MS = 1_000;

/** Settings of {@link openPostgres}. */
export interface PostgresClientOptions {
  readonly server: PostgresServer;
  /** Connections at most. */
  readonly connections: number;
  /** For the TCP and TLS handshakes and the login. */
  readonly connectTimeoutMs: number;
  /** The server ends a statement that takes longer, waiting for locks included; 0: never. */
  readonly statementTimeoutMs: number;
  readonly applicationName: string;
  /** Called when a connection has ended. */
  readonly onClose?: () => void;
  /** Called with the payload of every notification on a channel that is listened to. */
  readonly onNotify?: (payload: string) => void;
  /** Whether sessions may write; default: they may not, whatever the role may do. */
  readonly isWriter?: boolean;
}

/** The driver's client and a way to end it that waits for nobody. */
export interface PostgresClient {
  readonly sql: postgres.Sql;
  /** Drops every connection and rejects what is under way; harmless when repeated. */
  destroy(): Promise<void>;
}

/**
 * Opens a client of npm:postgres, with what the driver leaves to its caller:
 *
 * - Every setting is given, so that no PG* variable of the environment changes where or how
 *   securely it connects.
 * - It gets connected sockets, see {@link openPostgresSocket}: the driver's own TLS can end the
 *   process (its exceptions are not caught), it reconnects in a tight loop to a server that accepts
 *   and closes (a load balancer without a backend does), and a server that has stopped answering
 *   can only be left by destroying its sockets.
 * - Sessions are read-only unless they are said to write, whatever their role may do.
 */
export function openPostgres(options: PostgresClientOptions): PostgresClient {
  const { server } = options;
  const sockets = new Sockets(server);
  const sql = postgres({
    host: server.host,
    port: server.port,
    user: server.user,
    password: server.password,
    database: server.database,
    // Ours are secure already.
    ssl: false,
    sslnegotiation: null,
    max: options.connections,
    connect_timeout: options.connectTimeoutMs / 1000,
    idle_timeout: 0,
    max_lifetime: null,
    max_pipeline: 1,
    keep_alive: 30,
    backoff: () => 0,
    prepare: true,
    debug: false,
    fetch_types: false,
    publications: "",
    connection: {
      application_name: options.applicationName,
      statement_timeout: options.statementTimeoutMs,
      default_transaction_read_only: options.isWriter !== true,
    },
    socket: () => sockets.open(),
    onnotice: () => {},
    // The first thing that a server says after a login.
    onparameter: () => sockets.loggedIn(),
    ...options.onClose && { onclose: options.onClose },
    ...options.onNotify && {
      onnotify: (_channel: string, payload: string) => options.onNotify?.(payload),
    },
  } as postgres.Options<Record<string, never>>);
  return {
    sql,
    async destroy() {
      sockets.destroy();
      await sql.end({ timeout: 0 });
      // A connection that was about to be made anew now sees that the end has come.
      await new Promise((resolve) => setTimeout(resolve, 10));
    },
  };
}

/** How long to wait after so many failures in a row: exponential, with jitter of a half. */
export function backoffMs(failures: number, maxMs: number = MAX_BACKOFF_MS): number {
  if (failures === 0) return 0;
  const full = Math.min(MIN_BACKOFF_MS * 2 ** Math.min(failures - 1, 16), maxMs);
  return full * (0.5 + Math.random() / 2);
}

/** The sockets of one client, with a pause after each that ended before it was of use. */
class Sockets {
  readonly #server: PostgresServer;
  readonly #open = new Set<Socket>();
  readonly #end = new AbortController();
  #failures = 0;
  #logins = 0;
  #notBeforeMs = 0;

  constructor(server: PostgresServer) {
    this.#server = server;
  }

  /** A connected socket, or one that fails: the driver forgets a connection whose socket throws. */
  async open(): Promise<Socket> {
    try {
      await this.#pause();
      const socket = await openPostgresSocket(this.#server, this.#end.signal);
      this.#open.add(socket);
      const logins = this.#logins;
      socket.once("close", () => {
        this.#open.delete(socket);
        if (logins === this.#logins) this.#failed();
      });
      return socket;
    } catch (error) {
      this.#failed();
      return failingSocket(error);
    }
  }

  destroy(): void {
    this.#end.abort();
    for (const socket of this.#open) socket.destroy();
  }

  /** Somebody has logged in: the server is there. */
  loggedIn(): void {
    this.#logins++;
    this.#failures = 0;
  }

  #failed(): void {
    this.#failures++;
    this.#notBeforeMs = performance.now() + backoffMs(this.#failures);
  }

  #pause(): Promise<void> {
    return pause(this.#notBeforeMs - performance.now(), this.#end.signal);
  }
}

/** Waits, but not longer than until `signal` aborts. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (ms <= 0 || signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener("abort", end);
  });
}
