import { randomBytes } from "node:crypto";
import type { DatabaseSync } from "node:sqlite";
import { computeDigest, installDigest } from "./digest.ts";
import { DatabaseError } from "./errors.ts";
import { readVersion } from "./migrate.ts";
import type { ProgramSchema } from "./program_schema.ts";

const SQL = {
  exists: "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'identity'",
  read: `SELECT id, generation, digest, digest_version,
    coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'audit_log'), 0) AS revision
    FROM identity`,
  create: `INSERT OR IGNORE INTO identity (once, id, generation, digest, digest_version)
    VALUES (1, ?, 0, ?, ?)`,
  renew: "UPDATE identity SET digest = ?, digest_version = ?",
} as const;

/** Which database this is, and how far it has come. */
export interface Identity {
  /** Random, made with the database; copies share it. */
  readonly id: string;
  /** Grows with each change of the state. */
  readonly generation: number;
  /** Of the audit log; grows with each change by an operator. */
  readonly revision: number;
  /** Of the state; see {@link computeDigest}. */
  readonly digest: number;
}

/** {@link Identity}, and the version of the schema that the digest was made under. */
export interface StoredIdentity extends Identity {
  readonly digestVersion: number;
}

/** What a database says of itself; nothing if it is older than that. */
export function readIdentity(db: DatabaseSync): StoredIdentity | undefined {
  if (db.prepare(SQL.exists).get() === undefined) return undefined;
  const row = db.prepare(SQL.read).get();
  if (row === undefined) return undefined;
  return {
    id: String(row.id),
    generation: Number(row.generation),
    revision: Number(row.revision),
    digest: Number(row.digest),
    digestVersion: Number(row.digest_version),
  };
}

/**
 * Compares the state with its digest, which was committed with it.
 *
 * @throws {DatabaseError} `damaged`
 */
export function checkDigest(
  db: DatabaseSync,
  identity: StoredIdentity,
  schema: ProgramSchema,
): void {
  // Between a migration and the new digest the process may have been killed.
  if (identity.digestVersion !== readVersion(db)) return;
  if (computeDigest(db, schema) === identity.digest) return;
  throw new DatabaseError(
    "damaged",
    "its content is not what this program wrote: the file is damaged, or another program changed it",
  );
}

/** Gives a database its identity, brings the digest to the present schema, and keeps it true. */
export function establishIdentity(db: DatabaseSync, schema: ProgramSchema): Identity {
  const version = readVersion(db);
  let identity = readIdentity(db);
  if (identity === undefined) {
    const id = randomBytes(16).toString("hex");
    db.prepare(SQL.create).run(id, computeDigest(db, schema), version);
  } else if (identity.digestVersion !== version) {
    db.prepare(SQL.renew).run(computeDigest(db, schema), version);
  }
  identity = readIdentity(db);
  if (identity === undefined) throw new DatabaseError("corrupt", "the identity is missing");
  installDigest(db, schema);
  return identity;
}
