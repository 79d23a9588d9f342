import { chmodSync, closeSync, existsSync, openSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import type { Directory } from "./directory.ts";
import { DIRECTORY_SCHEMA } from "./sqlite_authorizer.ts";

/** How long a statement waits for the lock of another process. */
const BUSY_TIMEOUT_MS = 2_000;

/** The file says who may reach what: nobody else's business. */
const FILE_MODE = 0o600;

/**
 * Opens the embedded database of the connector, a file of its own, and creates file and tables
 * where they are missing. The file's mode becomes 0600. The caller closes it.
 *
 * @throws what node:sqlite and node:fs throw.
 */
export function openDirectory(path: string): DatabaseSync {
  if (!existsSync(path)) closeSync(openSync(path, "a", FILE_MODE));
  chmodSync(path, FILE_MODE);
  const database = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS });
  try {
    // Readers go on while an import of another process writes.
    database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;");
    database.exec(DIRECTORY_SCHEMA);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

/** Replaces every row by those of `directory`, in one step. */
export function replaceDirectory(database: DatabaseSync, directory: Directory): void {
  database.exec("BEGIN IMMEDIATE");
  try {
    database.exec("DELETE FROM backend_hosts; DELETE FROM teams; DELETE FROM users;");
    const host = database.prepare("INSERT INTO backend_hosts VALUES (?, ?, ?, ?, ?, ?)");
    for (const row of directory.hosts) {
      const lists = [JSON.stringify(row.userIds), JSON.stringify(row.teamIds)] as const;
      host.run(row.connectId, row.internalIpAddr, row.orgId, ...lists, row.hostUser ?? null);
    }
    const team = database.prepare("INSERT INTO teams VALUES (?, ?, ?)");
    for (const row of directory.teams) {
      team.run(row.teamId, row.orgId, JSON.stringify(row.userIds));
    }
    const user = database.prepare("INSERT INTO users VALUES (?, ?, ?)");
    for (const row of directory.users) {
      user.run(row.userId, row.orgId, JSON.stringify(row.publicKeys));
    }
    database.exec("COMMIT");
  } catch (error) {
    // A full disk makes SQLite roll back on its own.
    if (database.isTransaction) database.exec("ROLLBACK");
    throw error;
  }
}
