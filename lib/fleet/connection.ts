import { openPostgres, type PostgresClient, type PostgresServer } from "../postgres/mod.ts";
import { FleetLinkError, isReadOnly, linkErrorOf } from "./link_error.ts";

/** Every answer comes within this time, or is not waited for. */
const DEADLINE_MS = 3_000;
/** What a whole state takes, and changes of many things. */
export const LONG_DEADLINE_MS = 60_000;
/** The server gives up before we do, and then keeps its connection. */
const STATEMENT_SHARE = 0.75;

/** Settings of a {@link FleetConnection}. */
export interface FleetConnectionOptions {
  /** What an ordinary question may take. Default: 3,000. */
  readonly deadlineMs?: number;
  /** So many questions may be asked at once, each on a connection of its own. */
  readonly connections: number;
}

/** What PostgreSQL answers with. */
export type Row = Readonly<Record<string, unknown>>;

/**
 * A connection to PostgreSQL whose every question has a deadline: opened by the first, given up with
 * all that is asked on it when an answer is late, and opened anew by the next.
 */
export class FleetConnection implements AsyncDisposable {
  /** What an ordinary question may take. */
  readonly deadlineMs: number;
  readonly #server: PostgresServer;
  readonly #connections: number;
  #client: PostgresClient | undefined;
  #ending: Promise<unknown> = Promise.resolve();
  #isClosed = false;

  constructor(
    server: PostgresServer,
    { deadlineMs = DEADLINE_MS, connections }: FleetConnectionOptions,
  ) {
    this.#server = server;
    this.#connections = connections;
    this.deadlineMs = deadlineMs;
  }

  /**
   * Sends a statement. Without values it may be several, which are one transaction then.
   *
   * @throws {FleetLinkError}
   */
  async ask(
    statement: string,
    values: readonly (string | number)[] = [],
    deadlineMs: number = this.deadlineMs,
  ): Promise<readonly Row[]> {
    if (this.#isClosed) throw new FleetLinkError("the proxy is shutting down");
    const client = this.#client ??= this.#open();
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(() => {
      if (this.#client === client) this.abandon();
      const message = `PostgreSQL has not answered within ${deadlineMs} ms`;
      late.reject(new FleetLinkError(message, { isUncertain: true }));
    }, deadlineMs);
    try {
      const query = values.length === 0
        ? client.sql.unsafe(statement).simple()
        : client.sql.unsafe(statement, values.map(String), { prepare: true });
      return await Promise.race([query, late.promise]) as unknown as Row[];
    } catch (cause) {
      if (isReadOnly(cause) && this.#client === client) this.abandon();
      throw linkErrorOf(cause);
    } finally {
      clearTimeout(timer);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    this.abandon();
    await this.#ending;
  }

  /** Nothing on these connections can be trusted to answer: the next question gets new ones. */
  abandon(): void {
    const client = this.#client;
    this.#client = undefined;
    if (client !== undefined) this.#ending = Promise.all([this.#ending, client.destroy()]);
  }

  #open(): PostgresClient {
    return openPostgres({
      server: this.#server,
      connections: this.#connections,
      connectTimeoutMs: this.deadlineMs,
      statementTimeoutMs: Math.ceil(LONG_DEADLINE_MS * STATEMENT_SHARE),
      applicationName: "mc-proxy fleet",
      isWriter: true,
    });
  }
}
