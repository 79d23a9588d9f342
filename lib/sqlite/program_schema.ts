/** One step from a version of the schema to the next. Never edited once it has been released. */
export interface Migration {
  readonly version: number;
  /** Each is one statement: only prepared statements report SQLite's result code. */
  readonly statements: readonly string[];
}

/** What a program keeps in its database: all that this folder has to know of it. */
export interface ProgramSchema {
  /** Commands that messages tell an operator to run. */
  readonly commands: {
    /** Takes `--from SNAPSHOT` or `--as-it-is`. */
    readonly restore: string;
    readonly writeBack: string;
  };
  readonly migrations: readonly Migration[];
  /**
   * The tables that are its state: every row counts, and none may go unnoticed. Triggers of the
   * digest and of the undo log stand on them.
   */
  readonly stateTables: readonly string[];
  /** Columns of these, as `table.column`, that change without anybody's wish. */
  readonly statistics?: ReadonlySet<string>;
}

/**
 * The tables that this folder itself needs, for the first migration of a program. One that has them
 * from earlier versions of its own has the same columns.
 */
export const FOUNDATION: readonly string[] = [
  `CREATE TABLE audit_log (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    time INTEGER NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    subject TEXT NOT NULL,
    before TEXT NOT NULL,
    after TEXT NOT NULL
  )`,
  `CREATE TABLE identity (
    once INTEGER PRIMARY KEY CHECK(once = 1),
    id TEXT NOT NULL,
    generation INTEGER NOT NULL CHECK(generation >= 0),
    digest INTEGER NOT NULL,
    digest_version INTEGER NOT NULL,
    writer TEXT NOT NULL DEFAULT '',
    previous TEXT NOT NULL DEFAULT ''
  )`,
];
