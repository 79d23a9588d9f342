import type { ConnectorConfig } from "../config/mod.ts";
import { describeError, type LogSink } from "../observe/mod.ts";
import type { Admission, SessionRequest } from "./admission.ts";
import { type AuthorizationCache, createAuthorizationCache } from "./authorization_cache.ts";
import type { Authorizer, Decision } from "./authorizer.ts";
import { type WallClock, wallClock } from "./clock.ts";
import { openDirectory } from "./directory_store.ts";
import { createPostgresAuthorizer } from "./postgres_authorizer.ts";
import { watchPostgresChanges } from "./postgres_changes.ts";
import type { PostgresServer } from "../postgres/mod.ts";
import {
  createSessionRegistry,
  type SessionEnd,
  type SessionRegistry,
} from "./session_registry.ts";
import { createSqliteAuthorizer } from "./sqlite_authorizer.ts";
import { watchSqliteChanges } from "./sqlite_changes.ts";

/** While the database is down every question fails: one line in this time tells of all of them. */
const FAULT_LOG_INTERVAL_MS = 10_000;

/** What starts the value of `db` that names a file of the embedded database. */
const SQLITE = "sqlite:";

/** How live sessions are looked after. */
export type AdmissionSettings = Pick<
  ConnectorConfig,
  "authorizationCacheMs" | "revalidateMs" | "outageGraceMs"
>;

/** What {@link DatabaseAdmission} is made of. */
export interface DatabaseAdmissionOptions {
  readonly authorizer: Authorizer;
  readonly settings: AdmissionSettings;
  readonly log: LogSink;
  readonly clock?: WallClock;
}

/**
 * {@link Admission} by a database: the authorizer behind its cache, and the registry that ends
 * sessions whose right is gone.
 */
export class DatabaseAdmission implements Admission, AsyncDisposable {
  readonly #authorizer: Authorizer;
  readonly #cache: AuthorizationCache;
  readonly #registry: SessionRegistry<SessionRequest & { address: string; close: Close }>;
  /** By the connection's id; without a registration while the question is under way. */
  readonly #sessions = new Map<string, Disposable | undefined>();
  readonly #resources = new AsyncDisposableStack();

  constructor({ authorizer, settings, log, clock = wallClock }: DatabaseAdmissionOptions) {
    this.#authorizer = authorizer;
    this.#cache = createAuthorizationCache(authorizer, {
      ttlMs: settings.authorizationCacheMs,
      clock,
    });
    this.#registry = createSessionRegistry({
      authorizer,
      revalidateMs: settings.revalidateMs,
      outageGraceMs: settings.outageGraceMs,
      clock,
      onError: (error) =>
        log({
          level: "error",
          message: "connector session could not be ended",
          fields: { error: describeError(error) },
        }),
    });
  }

  /** Sessions that are going on. */
  get size(): number {
    return this.#registry.size;
  }

  async admit(request: SessionRequest, end: Close): Promise<Decision> {
    this.#sessions.set(request.id, undefined);
    // Of before the question: a change that comes in between is not missed.
    const { epoch } = this.#registry;
    const decision = await this.#cache.authorize(request);
    // It may have left in the meantime.
    if (!this.#sessions.has(request.id)) return decision;
    if (decision.allowed) {
      const session = { ...request, address: decision.address, close: end };
      this.#sessions.set(request.id, this.#registry.add(session, epoch));
    } else {
      this.#sessions.delete(request.id);
    }
    return decision;
  }

  leave(id: string): void {
    this.#sessions.get(id)?.[Symbol.dispose]();
    this.#sessions.delete(id);
  }

  /** Rows may have changed: nothing that is remembered counts, and every session is asked about. */
  changed(): void {
    this.#cache.clear();
    this.#registry.changed();
  }

  /** Closes a resource together with this, after it. */
  own(resource: AsyncDisposable | Disposable): void {
    this.#resources.use(resource);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#registry[Symbol.asyncDispose]();
    await this.#resources.disposeAsync();
    await this.#authorizer.close();
  }
}

type Close = (end: SessionEnd) => void;

/** Settings of {@link openAdmission}. */
export interface OpenAdmissionOptions {
  readonly config: ConnectorConfig;
  /** From `db_password_file` or `db_password`. */
  readonly password: string;
  /** PEM of the authorities that the database's certificate is checked against. */
  readonly databaseCa?: string;
  readonly log: LogSink;
}

/**
 * Opens the database that the configuration names. PostgreSQL is connected to when it is first
 * needed: a proxy that starts before its database refuses until that is there.
 *
 * @throws what node:sqlite and node:fs throw.
 */
export function openAdmission(options: OpenAdmissionOptions): DatabaseAdmission {
  const path = sqlitePath(options.config.db);
  return path === undefined ? openPostgresAdmission(options) : openSqliteAdmission(path, options);
}

/** The file that `db = "sqlite:PATH"` names; `undefined` for PostgreSQL. */
export function sqlitePath(db: string): string | undefined {
  return db.startsWith(SQLITE) ? db.slice(SQLITE.length) : undefined;
}

function openSqliteAdmission(
  path: string,
  { config, log }: OpenAdmissionOptions,
): DatabaseAdmission {
  const database = openDirectory(path);
  const onFault = reportFaults(log);
  const admission = new DatabaseAdmission({
    authorizer: createSqliteAuthorizer({ database, onFault }),
    settings: config,
    log,
  });
  admission.own({ [Symbol.dispose]: () => database.close() });
  admission.own(watchSqliteChanges({ database, onChange: () => admission.changed(), onFault }));
  return admission;
}

function openPostgresAdmission(
  { config, password, databaseCa, log }: OpenAdmissionOptions,
): DatabaseAdmission {
  const server: PostgresServer = {
    host: config.dbHost,
    port: config.dbPort,
    user: config.dbUser,
    password,
    database: config.dbName,
    ...config.dbTls && { tls: databaseCa === undefined ? {} : { ca: databaseCa } },
  };
  const admission = new DatabaseAdmission({
    authorizer: createPostgresAuthorizer({ server, onFault: reportFaults(log) }),
    settings: config,
    log,
  });
  admission.own(watchPostgresChanges({
    server,
    onChange: () => admission.changed(),
    onState: reportListening(log),
  }));
  return admission;
}

function reportFaults(log: LogSink): (fault: unknown) => void {
  let loggedAt = -Infinity;
  let unlogged = 0;
  return (fault) => {
    const now = performance.now();
    if (now - loggedAt < FAULT_LOG_INTERVAL_MS) {
      unlogged++;
      return;
    }
    log({
      level: "error",
      message: "connector database did not answer, access is refused",
      fields: { error: describeError(fault), before: unlogged },
    });
    loggedAt = now;
    unlogged = 0;
  };
}

/** Each state once: a database that stays down is tried again all the time. */
function reportListening(log: LogSink) {
  let last: string | undefined;
  return (state: "listening" | "interrupted", error?: unknown) => {
    if (state === last) return;
    last = state;
    const fields = error === undefined ? {} : { error: describeError(error) };
    log(
      state === "listening"
        ? { level: "info", message: "connector listens for changes of its database" }
        : { level: "warn", message: "connector cannot listen for changes of its database", fields },
    );
  };
}
