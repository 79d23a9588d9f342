import { dirname } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { AuditLog } from "./audit_log.ts";
import { DatabaseError, toDatabaseError } from "./errors.ts";
import type { Marker } from "./marker.ts";
import { readVersion } from "./migrate.ts";
import type { ProgramSchema } from "./program_schema.ts";
import { probeWriting } from "./probe.ts";
import { Safekeeping } from "./safekeeping.ts";
import { runInSlices, type Steps } from "../slices/mod.ts";
import { type Snapshot, type SnapshotOptions, writeSnapshot } from "./snapshot.ts";
import { Statements } from "./statements.ts";
import { transact } from "./transact.ts";
import { UndoLog } from "./undo.ts";
import { WriteRole } from "./write_role.ts";

/** What has to fit on the disk beside the database: less is a disk that is full in a moment. */
const PROBE_BYTES = 256 * 1024;

/** What a {@link StateDatabase} is made of beside its connection. */
export interface DatabaseParts {
  readonly schema: ProgramSchema;
  readonly path: string;
  readonly busyTimeoutMs: number;
  readonly marker?: Marker;
  /** Opens the path anew, as the connection was opened. */
  readonly connect?: () => DatabaseSync;
  /** Another connection, which only reads; a database in memory has none. */
  readonly read?: () => DatabaseSync;
}

/**
 * A database with a program's state in it: transactions that can be taken back, the log of who
 * changed what, and the guard of what was acknowledged. What the state is made of, a program adds in
 * a class of its own. Every error is a {@link DatabaseError}.
 */
export class StateDatabase implements Disposable {
  /** The absolute path of the file. */
  readonly path: string;
  /** How long a write waits for the lock of another process. */
  readonly busyTimeoutMs: number;
  #neverBlocks = false;
  /** A transaction is open over several turns of the event loop. */
  #isSliced = false;
  /** What others read by meanwhile. */
  #reader: DatabaseSync | undefined;
  readonly #read: (() => DatabaseSync) | undefined;
  #db: DatabaseSync;
  /** For the tables of a program. */
  protected readonly statements: Statements;
  readonly #undo: UndoLog;
  readonly audit: AuditLog;
  /** Guards what was acknowledged; a database in memory, or one that is only read, has none. */
  readonly safekeeping: Safekeeping | undefined;
  /** Which process writes; see {@link safekeeping} for those that have none. */
  readonly role: WriteRole | undefined;

  constructor(
    db: DatabaseSync,
    { path, busyTimeoutMs, marker, connect, read, schema }: DatabaseParts,
  ) {
    this.#db = db;
    this.path = path;
    this.busyTimeoutMs = busyTimeoutMs;
    this.statements = new Statements(db);
    const { statements } = this;
    this.#undo = new UndoLog(db, { statements, tables: schema.stateTables });
    this.audit = new AuditLog(statements);
    this.#read = read;
    if (marker === undefined || connect === undefined) return;
    const connection = () => this.#db;
    const reopen = () => this.#use(connect());
    this.safekeeping = new Safekeeping({ path, marker, schema, connection, reopen });
    this.role = new WriteRole(statements, marker.path);
  }

  /**
   * From now on no statement waits for a lock or for the disk, which would stop the thread; whoever
   * writes waits for the one with `whenFree`, and for the other with {@link reachDisk}. Readers never
   * wait for writers in a log (WAL).
   */
  neverBlock(): void {
    this.#neverBlocks = true;
    this.#run("cannot set the timeout", () => {
      this.#db.prepare("PRAGMA busy_timeout = 0").get();
      // A commit writes to the log and leaves it to us to bring it to the disk.
      this.#db.prepare("PRAGMA synchronous = NORMAL").run();
    });
    this.safekeeping?.keepLog();
  }

  /**
   * Resolves when everything that was committed is on the disk: before that nothing is to be
   * acknowledged, or to be in effect. Without {@link neverBlock} each commit has waited for it.
   *
   * @throws {DatabaseError} if the disk refuses.
   */
  async reachDisk(): Promise<void> {
    try {
      await this.safekeeping?.reachDisk();
    } catch (error) {
      throw this.#describeWriting(error);
    }
  }

  /** The version of the schema. */
  get version(): number {
    return this.#run("cannot read the version", () => readVersion(this.#db));
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
      this.#refuseWhileHeld();
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
      throw error === failed.error ? error : this.#describeWriting(error);
    }
  }

  /**
   * Writes the header page as it is, and a file beside the database, to find out whether anything can
   * be written: the disk may be full or read-only, another process may hold the lock.
   *
   * @throws {DatabaseError}
   */
  checkWritable(): void {
    // SQLite keeps this number for programs and does not use it; this one does not either.
    // It is being written this very moment.
    if (this.#isSliced || this.safekeeping?.isHeld) return;
    const write = () => this.statements.write("PRAGMA user_version = 0");
    this.transaction(write, { byAnyone: true });
    if (this.safekeeping === undefined) return; // In memory.
    // A page still fits on a disk on which the next change does not.
    const error = probeWriting(dirname(this.path), PROBE_BYTES);
    if (error !== undefined) throw toDatabaseError(error, "cannot write beside the database");
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
   * {@link undoable} for many steps: between them the thread does other things, which see the state
   * as it was before. Nothing else may be written until the promise settles.
   */
  async undoableInSlices<T>(
    steps: Steps<T>,
  ): Promise<{ result: T; undo: () => void }> {
    this.#refuseWhileHeld();
    this.role?.check();
    this.safekeeping?.check();
    this.#undo.begin();
    try {
      this.#run("cannot write the database", () => this.#db.prepare("BEGIN IMMEDIATE").run());
      this.#isSliced = true;
      // Again, under the lock: from here on nobody can take it.
      this.role?.check();
      const result = await runInSlices(steps, {
        enter: () => this.statements.readFrom(undefined),
        leave: () => this.statements.readFrom(this.#reader ??= this.#read?.()),
      });
      this.statements.readFrom(undefined);
      this.#commit();
      this.#isSliced = false;
      this.safekeeping?.committed();
      return { result, undo: () => this.transaction(() => this.#undo.undo()) };
    } finally {
      this.statements.readFrom(undefined);
      if (this.#db.isTransaction) this.#db.prepare("ROLLBACK").run();
      this.#isSliced = false;
      this.#undo.end();
    }
  }

  #commit(): void {
    try {
      this.#db.prepare("COMMIT").run();
    } catch (error) {
      throw this.#describeWriting(error);
    }
  }

  /** Files that are open fail with an "I/O error" on a disk that has become read-only under them. */
  #describeWriting(error: unknown): DatabaseError {
    const action = "cannot write the database";
    const found = toDatabaseError(error, action);
    if (found.code !== "io_error" || this.safekeeping === undefined) return found;
    return toDatabaseError(probeWriting(dirname(this.path), 1) ?? error, action);
  }

  #refuseWhileHeld(): void {
    if (!this.#isSliced && !this.safekeeping?.isHeld) return;
    throw new DatabaseError("locked", "cannot write the database: a change is being written");
  }

  /**
   * Writes a consistent copy to a new file of mode 0600, complete and on disk when the promise
   * resolves, while writers go on. A failure leaves no file, and an existing one as it was.
   *
   * @throws {AlreadyExistsError} if the file exists and `overwrite` is not set.
   */
  async snapshot(path: string, options: SnapshotOptions = {}): Promise<Snapshot> {
    // Of the state before, when a change is half written.
    const source = this.#isSliced ? this.#reader ?? this.#db : this.#db;
    return await writeSnapshot(source, { ...options, from: this.path, to: path });
  }

  /**
   * A connection that sees the state as it is now, and goes on seeing it while others write; nothing
   * for a database in memory. Whoever asks closes it.
   */
  protected frozenConnection(): DatabaseSync | undefined {
    return this.#run("cannot read the database", () => {
      const db = this.#read?.();
      if (db === undefined) return undefined;
      db.prepare("BEGIN").run();
      readVersion(db); // What is read first is what is seen.
      return db;
    });
  }

  /** Closes the file; nothing can be read or written afterwards. */
  [Symbol.dispose](): void {
    if (this.#db.isOpen) this.role?.giveBack();
    this.statements.clear();
    this.#reader?.close();
    this.#reader = undefined;
    this.safekeeping?.[Symbol.dispose]();
    // Closing removes the log by its name, which would then be somebody else's.
    if (this.#db.isOpen && this.safekeeping?.isLost !== true) this.#db.close();
  }

  #use(db: DatabaseSync): void {
    this.#db = db;
    this.#reader?.close();
    this.#reader = undefined;
    this.statements.use(db);
    this.#undo.use(db);
    if (this.#neverBlocks) this.neverBlock();
  }

  #run<T>(action: string, body: () => T): T {
    return this.statements.run(action, body);
  }
}
