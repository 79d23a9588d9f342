import type { DatabaseSync } from "node:sqlite";

/** A look costs microseconds. */
const INTERVAL_MS = 500;

/** Settings of {@link watchSqliteChanges}. */
export interface SqliteChangesOptions {
  readonly database: DatabaseSync;
  /** Called when another process has committed. */
  readonly onChange: () => void;
  /** Told why it could not be looked. */
  readonly onFault?: (error: unknown) => void;
}

/** Notices what other processes write, such as `mc-proxy connector import`. */
export function watchSqliteChanges(options: SqliteChangesOptions): Disposable {
  const { database, onChange, onFault } = options;
  // "changes when the database is modified by another connection" (sqlite.org/pragma.html)
  const statement = database.prepare("PRAGMA data_version");
  const read = () => statement.get()?.data_version;
  let version = read();
  const timer = setInterval(() => {
    try {
      const found = read();
      if (found === version) return;
      version = found;
      onChange();
    } catch (error) {
      onFault?.(error);
    }
  }, INTERVAL_MS);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}
