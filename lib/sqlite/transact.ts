import type { DatabaseSync } from "node:sqlite";

/**
 * Runs `body` in a transaction that takes the write lock at once, so that it cannot fail half-way
 * because another writer was faster. Whatever is thrown undoes everything and is thrown on. Inside
 * another transaction it is a savepoint.
 */
export function transact<T>(db: DatabaseSync, body: () => T): T {
  const [begin, commit, undo] = db.isTransaction
    ? ["SAVEPOINT inner", "RELEASE inner", ["ROLLBACK TO inner", "RELEASE inner"]] as const
    : ["BEGIN IMMEDIATE", "COMMIT", ["ROLLBACK"]] as const;
  // Prepared, because `exec()` errors come without SQLite's result code.
  db.prepare(begin).run();
  try {
    const result = body();
    db.prepare(commit).run();
    return result;
  } catch (error) {
    // A full disk makes SQLite roll back on its own.
    if (db.isTransaction) { for (const statement of undo) db.prepare(statement).run(); }
    throw error;
  }
}
