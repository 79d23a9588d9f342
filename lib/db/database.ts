import type { DatabaseSync } from "node:sqlite";
import type { FirewallRule } from "../firewall/mod.ts";
import { AuditLog } from "./audit_log.ts";
import { toDatabaseError } from "./errors.ts";
import type { Marker } from "./marker.ts";
import { readVersion } from "./migrations.ts";
import { Policies } from "./policies.ts";
import { complete } from "../schema/mod.ts";
import { LISTENER as LISTENER_RECORD, type Policy, ROUTE as ROUTE_RECORD } from "../state/mod.ts";
import {
  LISTENER_COLUMNS,
  type ListenerRow,
  type NewFirewallRule,
  type NewListener,
  type NewRoute,
  ROUTE_COLUMNS,
  type RouteRow,
  toListenerRow,
  toRouteRow,
} from "./rows.ts";
import { Rules } from "./rules.ts";
import { Safekeeping } from "./safekeeping.ts";
import { Settings } from "./settings.ts";
import { type Snapshot, type SnapshotOptions, writeSnapshot } from "./snapshot.ts";
import { Statements } from "./statements.ts";
import { transact } from "./transact.ts";
import { UndoLog } from "./undo.ts";
import { WriteRole } from "./write_role.ts";

const LISTENER = `id, ${LISTENER_COLUMNS.names}`;
const ROUTE = `id, listener_id, ${ROUTE_COLUMNS.names}`;

const SQL = {
  listeners: `SELECT ${LISTENER} FROM listeners ORDER BY id`,
  addListener: `INSERT INTO listeners (${LISTENER_COLUMNS.names})
    VALUES (${LISTENER_COLUMNS.placeholders})`,
  updateListener: `UPDATE listeners SET ${LISTENER_COLUMNS.assignments} WHERE id = ?`,
  removeListener: "DELETE FROM listeners WHERE id = ?",
  routes: `SELECT ${ROUTE} FROM routes WHERE listener_id = ? ORDER BY id`,
  route: `SELECT ${ROUTE} FROM routes WHERE id = ?`,
  addRoute: `INSERT INTO routes (${ROUTE_COLUMNS.names}, listener_id)
    VALUES (${ROUTE_COLUMNS.placeholders}, ?)`,
  updateRoute: `UPDATE routes SET ${ROUTE_COLUMNS.assignments} WHERE id = ?`,
  removeRoute: "DELETE FROM routes WHERE id = ?",
  seeded: "SELECT 1 FROM seeded",
} as const;

/** A route with its policies. */
type SeedRoute = NewRoute & { readonly policies?: readonly Policy[] };

/** The part of a configuration that a new database starts with. */
export interface Seed {
  readonly listeners: readonly (NewListener & { readonly routes: readonly SeedRoute[] })[];
  readonly firewall: {
    readonly blockedIps: readonly string[];
    readonly blockedCidrs: readonly string[];
    readonly blockedCountries: readonly string[];
  };
}

/** What a {@link Database} is made of beside its connection. */
interface DatabaseParts {
  readonly path: string;
  readonly busyTimeoutMs: number;
  readonly marker?: Marker;
  /** Opens the path anew, as the connection was opened. */
  readonly connect?: () => DatabaseSync;
}

/**
 * Listeners, routes and firewall rules. Every method is one step that happens entirely or not at
 * all; {@link transaction} makes one of several. What is written is taken as valid and canonical:
 * the caller has parsed it. Every error is a {@link DatabaseError}.
 */
export class Database implements Disposable {
  /** The absolute path of the file. */
  readonly path: string;
  /** How long a write waits for the lock of another process. */
  readonly busyTimeoutMs: number;
  #neverBlocks = false;
  #db: DatabaseSync;
  readonly #statements: Statements;
  readonly #undo: UndoLog;
  /** Firewall rules with everything that is known of them. */
  readonly rules: Rules;
  readonly policies: Policies;
  readonly settings: Settings;
  readonly audit: AuditLog;
  /** Guards what was acknowledged; a database in memory, or one that is only read, has none. */
  readonly safekeeping: Safekeeping | undefined;
  /** Which process writes; see {@link safekeeping} for those that have none. */
  readonly role: WriteRole | undefined;

  /** @private Use `openDatabase`. */
  constructor(db: DatabaseSync, { path, busyTimeoutMs, marker, connect }: DatabaseParts) {
    this.#db = db;
    this.path = path;
    this.busyTimeoutMs = busyTimeoutMs;
    this.#statements = new Statements(db);
    this.#undo = new UndoLog(db, this.#statements);
    this.rules = new Rules(this.#statements);
    this.policies = new Policies(this.#statements);
    this.settings = new Settings(this.#statements);
    this.audit = new AuditLog(this.#statements);
    if (marker === undefined || connect === undefined) return;
    const connection = () => this.#db;
    const reopen = () => this.#use(connect());
    this.safekeeping = new Safekeeping({ path, marker, connection, reopen });
    this.role = new WriteRole(this.#statements, marker.path);
  }

  /**
   * From now on no statement waits for a lock, which would stop the thread; whoever writes waits with
   * `whenFree`. Readers never wait for writers in a log (WAL).
   */
  neverBlock(): void {
    this.#neverBlocks = true;
    this.#run("cannot set the timeout", () => {
      this.#db.prepare("PRAGMA busy_timeout = 0").get();
    });
  }

  /** The version of the schema. */
  get version(): number {
    return this.#run("cannot read the version", () => readVersion(this.#db));
  }

  /** In the order in which they were added. */
  listeners(): ListenerRow[] {
    return this.#run("cannot read the listeners", () => {
      return this.#statements.all(SQL.listeners).map(toListenerRow);
    });
  }

  addListener(listener: NewListener): ListenerRow {
    const { routes, ...full } = complete(LISTENER_RECORD, listener);
    return this.#run(`cannot add the listener ${JSON.stringify(full.addr)}`, () => {
      const values = LISTENER_COLUMNS.values({ ...full, routes });
      return { id: this.#statements.insert(SQL.addListener, values), ...full };
    });
  }

  /** @throws {NotFoundError} */
  updateListener({ id, ...listener }: ListenerRow): void {
    const values = LISTENER_COLUMNS.values({ ...listener, routes: [] });
    this.#statements.change(SQL.updateListener, [...values, id], `cannot update listener ${id}`);
  }

  /**
   * Removes a listener and its routes.
   *
   * @throws {NotFoundError}
   */
  removeListener(id: number): void {
    this.#statements.change(SQL.removeListener, [id], `cannot remove listener ${id}`);
  }

  /** Of one listener, in the order in which they were added; none if there is no such listener. */
  routes(listenerId: number): RouteRow[] {
    return this.#run("cannot read the routes", () => {
      return this.#statements.all(SQL.routes, [listenerId]).map(toRouteRow);
    });
  }

  /**
   * @throws {NotFoundError} if there is no such listener.
   * @throws {AlreadyExistsError} if the listener has a route of that hostname.
   */
  addRoute(listenerId: number, route: NewRoute): RouteRow {
    const full = complete(ROUTE_RECORD, route);
    return this.#run(`cannot add the route ${JSON.stringify(route.hostname)}`, () => {
      const id = this.#statements.insert(SQL.addRoute, [...ROUTE_COLUMNS.values(full), listenerId]);
      const { policies: _, ...settings } = full;
      return { ...settings, id, listenerId };
    });
  }

  /**
   * Replaces every field of a route but its listener.
   *
   * @throws {NotFoundError}
   * @throws {AlreadyExistsError} if the listener has another route of that hostname.
   */
  updateRoute(id: number, route: NewRoute): RouteRow {
    const action = `cannot update route ${id}`;
    return this.transaction(() => {
      const values = ROUTE_COLUMNS.values(complete(ROUTE_RECORD, route));
      this.#statements.change(SQL.updateRoute, [...values, id], action);
      return this.#run(action, () => toRouteRow(this.#statements.get(SQL.route, [id]) ?? {}));
    });
  }

  /** @throws {NotFoundError} */
  removeRoute(id: number): void {
    this.#statements.change(SQL.removeRoute, [id], `cannot remove route ${id}`);
  }

  /** In the order in which they were added. */
  firewallRules(): FirewallRule[] {
    return this.rules.plain();
  }

  /** @throws {AlreadyExistsError} */
  addFirewallRule(rule: NewFirewallRule): FirewallRule {
    const { id, type, value } = this.rules.add(rule);
    return { id, type, value };
  }

  /** @throws {NotFoundError} */
  removeFirewallRule(id: number): void {
    this.rules.remove(id);
  }

  /**
   * Fills a database that has never held a listener or a firewall rule; any other is left alone,
   * also one from which an operator has removed everything. Returns whether it wrote something.
   */
  seed({ listeners, firewall }: Seed): boolean {
    return this.transaction(() => {
      if (this.#statements.get(SQL.seeded) !== undefined) return false;
      for (const { routes, ...listener } of listeners) {
        const { id } = this.addListener(listener);
        for (const { policies = [], ...route } of routes) {
          const row = this.addRoute(id, route);
          // The configuration warns that those of other modes are ignored.
          if (row.mode !== "l7") continue;
          for (const policy of policies) this.policies.add(row.id, policy);
        }
      }
      for (const value of firewall.blockedIps) this.addFirewallRule({ type: "ip", value });
      for (const value of firewall.blockedCidrs) this.addFirewallRule({ type: "cidr", value });
      for (const value of firewall.blockedCountries) {
        this.addFirewallRule({ type: "country", value });
      }
      return this.#statements.get(SQL.seeded) !== undefined;
    });
  }

  /**
   * Runs `body` as one step: if it throws, nothing has happened. Holds the write lock from start to
   * end, so `body` is synchronous. Inside another transaction it undoes only itself.
   *
   * @throws {DatabaseError} `not_writer` if another process has taken over, unless `byAnyone`.
   */
  transaction<T>(body: () => T, { byAnyone = false } = {}): T {
    const failed: { error?: unknown } = {};
    try {
      const isInner = this.#db.isTransaction;
      const isOurs = !isInner && !byAnyone;
      if (isOurs) {
        this.role?.check();
        this.safekeeping?.check();
      }
      const result = transact(this.#db, () => {
        try {
          // Again, under the lock: from here on nobody can take it.
          if (isOurs) this.role?.check();
          const result = body();
          if (!(result instanceof Promise)) return result;
          throw new TypeError("the body of a transaction must not be async");
        } catch (error) {
          failed.error = error;
          throw error;
        }
      });
      if (isOurs) this.safekeeping?.committed();
      return result;
    } catch (error) {
      // The caller's own error stays what it is.
      throw error === failed.error ? error : toDatabaseError(error, "cannot write the database");
    }
  }

  /**
   * Writes the header page as it is, to find out whether anything can be written: the disk may be
   * full or read-only, another process may hold the lock.
   *
   * @throws {DatabaseError}
   */
  checkWritable(): void {
    // SQLite keeps this number for programs and does not use it; this one does not either.
    const write = () => this.#statements.write("PRAGMA user_version = 0");
    this.transaction(write, { byAnyone: true });
  }

  /**
   * {@link transaction}, and a function that takes it back after it was committed, in a transaction
   * of its own. It may be called once, and before the next call of this method.
   */
  undoable<T>(body: () => T): { result: T; undo: () => void } {
    const result = this.#undo.record(() => this.transaction(body));
    return { result, undo: () => this.transaction(() => this.#undo.undo()) };
  }

  /**
   * Writes a consistent copy to a new file of mode 0600, complete and on disk when the promise
   * resolves, while writers go on. A failure leaves no file, and an existing one as it was.
   *
   * @throws {AlreadyExistsError} if the file exists and `overwrite` is not set.
   */
  async snapshot(path: string, options: SnapshotOptions = {}): Promise<Snapshot> {
    return await writeSnapshot(this.#db, { ...options, from: this.path, to: path });
  }

  /** Closes the file; nothing can be read or written afterwards. */
  [Symbol.dispose](): void {
    if (this.#db.isOpen) this.role?.giveBack();
    this.#statements.clear();
    // Closing removes the log by its name, which would then be somebody else's.
    if (this.#db.isOpen && this.safekeeping?.isLost !== true) this.#db.close();
  }

  #use(db: DatabaseSync): void {
    this.#db = db;
    this.#statements.use(db);
    this.#undo.use(db);
    if (this.#neverBlocks) this.neverBlock();
  }

  #run<T>(action: string, body: () => T): T {
    return this.#statements.run(action, body);
  }
}
