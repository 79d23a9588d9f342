import { readdirSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { readIdentity } from "./identity.ts";

/** Where a timer puts copies, beside the database. */
const BACKUPS = "backups";

/** Of so many files the newest are opened; each is a look at two of its pages. */
const MAX_OPENED = 32;

/** A copy of a database that can be restored. */
export interface FoundSnapshot {
  readonly path: string;
  /** Of the audit log; -1 for copies of older schemas, which do not say. */
  readonly revision: number;
}

/**
 * The copy of a database with the most in it: `*.bak` beside it, which a command makes, and
 * whatever is in `backups/`. Copies of other databases are left out.
 */
export function findSnapshot(database: string, id: string | undefined): FoundSnapshot | undefined {
  const folder = dirname(database);
  const candidates = [
    ...filesIn(folder).filter((path) => path.endsWith(".bak")),
    ...filesIn(join(folder, BACKUPS)),
  ];
  const newestFirst = candidates
    .map((path) => ({ path, mtimeMs: statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0 }))
    .sort((a, b) => b.mtimeMs - a.mtimeMs)
    .slice(0, MAX_OPENED);
  let best: (FoundSnapshot & { readonly generation: number }) | undefined;
  for (const { path } of newestFirst) {
    const found = lookAt(path, id);
    if (found !== undefined && (best === undefined || found.generation > best.generation)) {
      best = found;
    }
  }
  return best && { path: best.path, revision: best.revision };
}

function filesIn(folder: string): string[] {
  try {
    return readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isFile() && !basename(entry.name).startsWith("."))
      .map(({ name }) => join(folder, name));
  } catch {
    return []; // There is no such folder, or it is not ours to read: then it names no snapshot.
  }
}

function lookAt(path: string, id: string | undefined) {
  let db: DatabaseSync | undefined;
  try {
    db = new DatabaseSync(path, { readOnly: true });
    const identity = readIdentity(db);
    if (identity === undefined) {
      const ours = db.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'schema_migrations'").get();
      return ours && { path, revision: -1, generation: -1 };
    }
    if (id !== undefined && identity.id !== id) return undefined;
    return { path, revision: identity.revision, generation: identity.generation };
  } catch {
    return undefined; // Not a database, or damaged: nothing to restore from.
  } finally {
    db?.close();
  }
}
