/**
 * The connector's tables in a test's PostgreSQL, and the role that may only read them.
 *
 * @module
 */
import postgres from "postgres";
import type { PostgresServer } from "../../lib/connector/mod.ts";
import type { DirectoryRows } from "../contract/authorizer.ts";
import { HAS_POSTGRES, startPostgres, type TestPostgres } from "./postgres.ts";

export { postgresTest } from "./postgres.ts";

const DEPLOY = new URL("../../deploy/postgres/", import.meta.url);
const PASSWORD = "secret of the connector";

/** A server with the tables of `deploy/postgres/schema.sql`. */
export interface ConnectorDatabase extends AsyncDisposable {
  readonly postgres: TestPostgres;
  /** As the role that may only read. */
  readonly server: PostgresServer;
  /** Replaces every row. */
  fill(rows: DirectoryRows): Promise<void>;
  /** Runs a file of `deploy/postgres`. */
  apply(file: "schema.sql" | "notify.sql"): Promise<void>;
}

/** Starts a server and creates tables and role. */
export async function startConnectorDatabase(
  ...options: Parameters<typeof startPostgres>
): Promise<ConnectorDatabase> {
  const server = await startPostgres(...options);
  const apply = async (file: string) => {
    await server.run(await Deno.readTextFile(new URL(file, DEPLOY)));
  };
  await apply("schema.sql");
  await server.run(`
    CREATE ROLE tinyscale LOGIN PASSWORD '${PASSWORD}';
    GRANT SELECT ON backend_hosts, teams, users TO tinyscale;
  `);
  return {
    postgres: server,
    server: { ...server.address, user: "tinyscale", password: PASSWORD },
    apply,
    fill: (rows) => fill(server, rows),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

/** One database for all tests of a file, from before the first until after the last. */
export function sharedDatabase(start: () => Promise<ConnectorDatabase>): () => ConnectorDatabase {
  let database: ConnectorDatabase | undefined;
  Deno.test.beforeAll(async () => {
    if (HAS_POSTGRES) database = await start();
  });
  Deno.test.afterAll(async () => {
    await database?.[Symbol.asyncDispose]();
  });
  return () => {
    if (database === undefined) throw new Error("the database has not been started");
    return database;
  };
}

async function fill(server: TestPostgres, { hosts, teams, users }: DirectoryRows): Promise<void> {
  const sql = postgres({ ...server.address, max: 1, onnotice: () => {} });
  // Lists travel as JSON: an array of arrays of different lengths is no PostgreSQL array.
  const insert = (statement: string, rows: readonly unknown[]) =>
    sql.unsafe(statement, [JSON.stringify(rows)]);
  try {
    await sql.unsafe("TRUNCATE backend_hosts, teams, users");
    await insert(
      `INSERT INTO backend_hosts
       SELECT h->>'connectId', h->>'address', h->>'orgId', ${list("h->'userIds'")},
         ${list("h->'teamIds'")}, h->>'hostUser'
       FROM json_array_elements($1::text::json) h`,
      hosts,
    );
    await insert(
      `INSERT INTO teams SELECT t->>'teamId', t->>'orgId', ${list("t->'userIds'")}
       FROM json_array_elements($1::text::json) t`,
      teams,
    );
    await insert(
      `INSERT INTO users (user_id, org_id) SELECT u->>'userId', u->>'orgId'
       FROM json_array_elements($1::text::json) u`,
      users,
    );
  } finally {
    await sql.end({ timeout: 5 });
  }
}

/** A JSON list as TEXT[]; JSON null as NULL. */
function list(json: string): string {
  return `CASE json_typeof(${json}) WHEN 'array'
    THEN ARRAY(SELECT json_array_elements_text(${json})) END`;
}
