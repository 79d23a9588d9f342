import {
  type AccessRequest,
  type Authorizer,
  type Decision,
  decisionOf,
  type DecisionRow,
  denied,
  denyImpossible,
} from "./authorizer.ts";
import { openPostgres, type PostgresClient, type PostgresServer } from "../postgres/mod.ts";

/** Every answer comes within this time, "I do not know" included. */
const DEFAULT_DEADLINE_MS = 2_000;

/** The server gives up before we do, and then keeps its connection. */
const STATEMENT_SHARE = 0.75;

const DEFAULT_CONNECTIONS = 8;

/** Requests that wait for a connection: more would only wait for their deadline. */
const MAX_WAITING = 10_000;

/** Requests in one query: each is a few hundred octets of JSON. */
const MAX_BATCH = 500;

/** Requests as rows: of one, which the planner then knows to be one, and of many as JSON. */
const ONE = "SELECT 1 AS n, $1::text AS org_id, $2::text AS user_id, $3::text AS connect_id";
const MANY = `SELECT n, r ->> 0 AS org_id, r ->> 1 AS user_id, r ->> 2 AS connect_id
  FROM json_array_elements($1::text::json) WITH ORDINALITY AS requests (r, n)`;

/**
 * The one query that decides. NULL arrays, NULL organisations and NULL elements are never a yes.
 * Only SELECT on the three tables is needed.
 */
const decide = (requests: string) => `
SELECT h.internal_ip_addr AS "address", h.host_user AS "hostUser",
  CASE
    WHEN h.internal_ip_addr IS NULL THEN 'unknown_host'
    WHEN u.user_id IS NULL THEN 'unknown_user'
    WHEN h.org_id IS DISTINCT FROM q.org_id OR u.org_id IS DISTINCT FROM q.org_id THEN 'other_org'
    WHEN q.user_id = ANY (h.user_ids)
      OR EXISTS (
        SELECT FROM teams t
        WHERE t.team_id = ANY (h.team_ids) AND t.org_id = q.org_id AND q.user_id = ANY (t.user_ids)
      ) THEN 'allowed'
    ELSE 'not_listed'
  END AS "verdict"
FROM (${requests}) q
LEFT JOIN backend_hosts h ON h.connect_id = q.connect_id
LEFT JOIN users u ON u.user_id = q.user_id
ORDER BY q.n
`;
const DECIDE_ONE = decide(ONE);
const DECIDE_MANY = decide(MANY);

/** Why the database did not answer; the driver's own errors can hold identifiers. */
export class DatabaseFault extends Error {
  override readonly name = "DatabaseFault";
  /** The driver's, the system's or PostgreSQL's code, or `DEADLINE` or `OVERLOADED`. */
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/** Settings of {@link createPostgresAuthorizer}. */
export interface PostgresAuthorizerOptions {
  readonly server: PostgresServer;
  /** Connections at most. */
  readonly connections?: number;
  /** Longest time to a decision, milliseconds: the wait for a connection, login and query. */
  readonly deadlineMs?: number;
  /** Told why a decision was `unavailable`. */
  readonly onFault?: (fault: DatabaseFault) => void;
}

/**
 * An {@link Authorizer} over PostgreSQL. It connects when it is first asked and reconnects by
 * itself, with back-off; while the database is down or slow every decision is `unavailable`, within
 * the deadline.
 *
 * The driver also reads PGAPPNAME and PGTARGETSESSIONATTRS: run with `--ignore-env`, or allow both.
 *
 * @example
 * ```ts
 * import { createPostgresAuthorizer } from "./postgres_authorizer.ts";
 * import assert from "node:assert/strict";
 *
 * const authorizer = createPostgresAuthorizer({
 *   server: { host: "127.0.0.1", port: 1, user: "u", password: "p", database: "d" },
 * });
 * const request = { orgId: "acme", userId: "alice", connectId: "host-1" };
 * assert.deepEqual(await authorizer.authorize(request), { allowed: false, cause: "unavailable" });
 * await authorizer.close();
 * ```
 */
export function createPostgresAuthorizer(options: PostgresAuthorizerOptions): Authorizer {
  return new PostgresAuthorizer(options);
}

/** A request that waits for its decision. */
interface Waiting {
  readonly request: AccessRequest;
  /** Harmless when repeated. */
  decide(decision: Decision): void;
}

/**
 * Requests that come while every connection is busy wait together and go together: one query then
 * answers all of them, so that a rush costs the database less for each, not more.
 */
class PostgresAuthorizer implements Authorizer {
  readonly #options: PostgresAuthorizerOptions;
  readonly #deadlineMs: number;
  readonly #connections: number;
  readonly #waiting = new Set<Waiting>();
  /** Clients that were given up and are not quite gone. */
  readonly #ending = new Set<Promise<void>>();
  #client: PostgresClient | undefined;
  #queries = 0;
  #closed = false;

  constructor(options: PostgresAuthorizerOptions) {
    this.#options = options;
    this.#deadlineMs = options.deadlineMs ?? DEFAULT_DEADLINE_MS;
    this.#connections = options.connections ?? DEFAULT_CONNECTIONS;
  }

  authorize(request: AccessRequest): Promise<Decision> {
    const impossible = denyImpossible(request);
    if (impossible) return Promise.resolve(impossible);
    if (this.#closed) return Promise.resolve(denied("unavailable"));
    if (this.#waiting.size >= MAX_WAITING) {
      this.#fault(new DatabaseFault("OVERLOADED", `${MAX_WAITING} requests wait already`));
      return Promise.resolve(denied("unavailable"));
    }
    return new Promise((resolve) => {
      const waiting: Waiting = {
        request,
        decide: (decision) => {
          clearTimeout(timer);
          this.#waiting.delete(waiting);
          resolve(decision);
        },
      };
      const timer = setTimeout(() => waiting.decide(denied("unavailable")), this.#deadlineMs);
      this.#waiting.add(waiting);
      this.#work();
    });
  }

  async authorizeAll(requests: readonly AccessRequest[]): Promise<Decision[]> {
    return await Promise.all(requests.map((request) => this.authorize(request)));
  }

  async close(): Promise<void> {
    this.#closed = true;
    const client = this.#client;
    this.#client = undefined;
    for (const waiting of this.#waiting) waiting.decide(denied("unavailable"));
    await client?.destroy();
    await Promise.all(this.#ending);
  }

  /** One query to a connection: one that hangs must not hold up others behind it. */
  #work(): void {
    while (this.#queries < this.#connections && this.#waiting.size > 0) {
      const batch = this.#waiting.values().take(MAX_BATCH).toArray();
      for (const waiting of batch) this.#waiting.delete(waiting);
      this.#queries++;
      this.#answer(batch).finally(() => {
        this.#queries--;
        this.#work();
      });
    }
  }

  /** Never rejects: whatever goes wrong is `unavailable` to all of the batch. */
  async #answer(batch: readonly Waiting[]): Promise<void> {
    let rows: DecisionRow[] = [];
    try {
      rows = await this.#query(batch.map(({ request }) => request));
      if (rows.length !== batch.length) {
        throw new DatabaseFault("ROW_COUNT", "the answer has another number of rows");
      }
    } catch (error) {
      rows = [];
      this.#fault(error);
    }
    batch.forEach((waiting, i) => waiting.decide(decisionOf(rows[i])));
  }

  async #query(requests: readonly AccessRequest[]): Promise<DecisionRow[]> {
    if (this.#closed) throw new DatabaseFault("CLOSED", "the authorizer is closed");
    const client = this.#client ??= this.#open();
    const rows = requests.map(({ orgId, userId, connectId }) => [orgId, userId, connectId]);
    const [row] = rows;
    const [statement, parameters] = row && rows.length === 1
      ? [DECIDE_ONE, row]
      : [DECIDE_MANY, [JSON.stringify(rows)]];
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(() => {
      this.#abandon(client);
      late.reject(new DatabaseFault("DEADLINE", `no answer within ${this.#deadlineMs} ms`));
    }, this.#deadlineMs);
    try {
      const query = client.sql.unsafe<DecisionRow[]>(statement, parameters, { prepare: true });
      return await Promise.race([query, late.promise]);
    } finally {
      clearTimeout(timer);
    }
  }

  /**
   * The server missed its own statement timeout, too: nothing on these connections can be trusted
   * to answer. The next query gets new ones.
   */
  #abandon(client: PostgresClient): void {
    if (this.#client === client) this.#client = undefined;
    const ended = client.destroy();
    this.#ending.add(ended);
    ended.finally(() => this.#ending.delete(ended));
  }

  #fault(error: unknown): void {
    if (!this.#closed) this.#options.onFault?.(faultOf(error));
  }

  #open(): PostgresClient {
    return openPostgres({
      server: this.#options.server,
      connections: this.#connections,
      connectTimeoutMs: this.#deadlineMs,
      statementTimeoutMs: Math.ceil(this.#deadlineMs * STATEMENT_SHARE),
      applicationName: "mc-proxy connector",
    });
  }
}

function faultOf(error: unknown): DatabaseFault {
  if (error instanceof DatabaseFault) return error;
  const { code, message } = error as { code?: unknown; message?: unknown };
  return new DatabaseFault(typeof code === "string" ? code : "UNKNOWN", String(message ?? error));
}
