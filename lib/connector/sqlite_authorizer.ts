import type { DatabaseSync } from "node:sqlite";
import {
  type AccessRequest,
  type Authorizer,
  type Decision,
  decisionOf,
  denied,
  denyImpossible,
} from "./authorizer.ts";

/**
 * The tables of `deploy/postgres/schema.sql` in SQLite: arrays are JSON. For lib/db to include among
 * its migrations; harmless where the tables are there already.
 */
export const DIRECTORY_SCHEMA = `
CREATE TABLE IF NOT EXISTS backend_hosts (
  connect_id TEXT PRIMARY KEY,
  internal_ip_addr TEXT NOT NULL,
  org_id TEXT NOT NULL,
  user_ids TEXT NOT NULL DEFAULT '[]' CHECK (json_type(user_ids) = 'array'),
  team_ids TEXT NOT NULL DEFAULT '[]' CHECK (json_type(team_ids) = 'array'),
  host_user TEXT
);
CREATE TABLE IF NOT EXISTS teams (
  team_id TEXT PRIMARY KEY,
  org_id TEXT NOT NULL,
  user_ids TEXT NOT NULL DEFAULT '[]' CHECK (json_type(user_ids) = 'array')
);
CREATE TABLE IF NOT EXISTS users (
  user_id TEXT PRIMARY KEY,
  org_id TEXT NOT NULL,
  public_keys TEXT NOT NULL DEFAULT '[]' CHECK (json_type(public_keys) = 'array')
);
`;

/** The same decision as PostgreSQL's, see `postgres_authorizer.ts`. */
const DECIDE = `
SELECT h.internal_ip_addr AS address, h.host_user AS hostUser,
  CASE
    WHEN h.internal_ip_addr IS NULL THEN 'unknown_host'
    WHEN u.user_id IS NULL THEN 'unknown_user'
    WHEN h.org_id IS NOT :orgId OR u.org_id IS NOT :orgId THEN 'other_org'
    WHEN EXISTS (SELECT 1 FROM json_each(h.user_ids) WHERE value = :userId)
      OR EXISTS (
        SELECT 1 FROM json_each(h.team_ids) AS listed
        JOIN teams AS t ON t.team_id = listed.value
        WHERE t.org_id = :orgId
          AND EXISTS (SELECT 1 FROM json_each(t.user_ids) WHERE value = :userId)
      ) THEN 'allowed'
    ELSE 'not_listed'
  END AS verdict
FROM (SELECT 1)
LEFT JOIN backend_hosts AS h ON h.connect_id = :connectId
LEFT JOIN users AS u ON u.user_id = :userId
`;

/** Settings of {@link createSqliteAuthorizer}. */
export interface SqliteAuthorizerOptions {
  /** An open database with the tables of {@link DIRECTORY_SCHEMA}; its owner closes it. */
  readonly database: DatabaseSync;
  /** Told why a decision was `unavailable`. */
  readonly onFault?: (error: unknown) => void;
}

/**
 * An {@link Authorizer} over the embedded database. It answers in microseconds and in the calling
 * thread, which must be the one with file permissions.
 *
 * @example
 * ```ts
 * import { DatabaseSync } from "node:sqlite";
 * import { createSqliteAuthorizer, DIRECTORY_SCHEMA } from "./sqlite_authorizer.ts";
 * import assert from "node:assert/strict";
 *
 * using database = new DatabaseSync(":memory:");
 * database.exec(DIRECTORY_SCHEMA);
 * database.exec(`
 *   INSERT INTO users (user_id, org_id) VALUES ('alice', 'acme');
 *   INSERT INTO backend_hosts (connect_id, internal_ip_addr, org_id, user_ids)
 *     VALUES ('host-1', '10.0.0.5:22', 'acme', '["alice"]');
 * `);
 * const authorizer = createSqliteAuthorizer({ database });
 * const request = { orgId: "acme", userId: "alice", connectId: "host-1" };
 * assert.deepEqual(await authorizer.authorize(request), { allowed: true, address: "10.0.0.5:22" });
 * ```
 */
export function createSqliteAuthorizer(options: SqliteAuthorizerOptions): Authorizer {
  const statement = options.database.prepare(DECIDE);
  let closed = false;
  const decide = ({ orgId, userId, connectId }: AccessRequest): Decision => {
    const impossible = denyImpossible({ orgId, userId, connectId });
    if (impossible) return impossible;
    if (closed) return denied("unavailable");
    try {
      const row = statement.get({ ":orgId": orgId, ":userId": userId, ":connectId": connectId });
      return decisionOf(
        row && {
          verdict: textOf(row.verdict),
          address: textOf(row.address),
          hostUser: textOf(row.hostUser),
        },
      );
    } catch (error) {
      options.onFault?.(error);
      return denied("unavailable");
    }
  };
  return {
    authorize: (request) => Promise.resolve(decide(request)),
    authorizeAll: (requests) => Promise.resolve(requests.map(decide)),
    close() {
      closed = true;
      return Promise.resolve();
    },
  };
}

function textOf(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}
