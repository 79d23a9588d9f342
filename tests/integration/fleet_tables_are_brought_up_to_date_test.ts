/**
 * Tables of the first version of `fleet.sql`, with what proxies of that time have written, become what
 * the newest file makes of nothing, and those proxies go on calling them as ever.
 */
import assert from "node:assert/strict";
import postgres from "postgres";
import { FLEET_SCHEMA, FLEET_VERSION, FleetLink } from "../../lib/fleet/mod.ts";
import { createFleet, linkOptions, ROLE_PASSWORD } from "../support/fleet.ts";
import { postgresTest, startPostgres, type TestPostgres } from "../support/postgres.ts";

const BAN = '{"type": "ip", "value": "192.0.2.1"}';
const OLD_APPEND = `SELECT status, revision::float8 AS revision FROM mc_proxy_fleet.append(
  $1::text, $2::bigint, $3::bigint, $4::uuid, $5::bigint, $6::text, $7::text, $8::text,
  $9::text::jsonb, $10::text::jsonb)`;
const OLD_REPORT = "SELECT mc_proxy_fleet.report('edge', 'old', '0.1.0', 1, 1, '', 1000)";

postgresTest(
  "tables of a fleet's first version are brought up to date under its proxies",
  async () => {
    await using server = await startPostgres();
    await createFleet(server, { edge: [] }); // What the newest file makes of nothing.
    await server.run(`CREATE ROLE owner LOGIN PASSWORD '${ROLE_PASSWORD}';
    CREATE ROLE old LOGIN PASSWORD '${ROLE_PASSWORD}';
    CREATE ROLE gone; GRANT gone TO owner`);
    await server.run("CREATE DATABASE long_ago OWNER owner");
    const first = await Deno.readTextFile("tests/testdata/fleet_v1.sql");
    const owner = connect(server, "owner");
    const old = connect(server, "old");
    try {
      await owner.unsafe(first);
      await owner.unsafe(`SELECT mc_proxy_fleet.create_group('edge');
      SELECT mc_proxy_fleet.admit('edge', 'old'); SELECT mc_proxy_fleet.admit('edge', 'gone');
      DROP OWNED BY gone; REVOKE EXECUTE ON FUNCTION mc_proxy_fleet.forget FROM old`);
      await server.run("DROP ROLE gone");
      await oldCalls(old, 0);

      // A role that may not goes on with what there is, and says what is amiss.
      await using mere = open(server, "old");
      const problem = await mere.prepare() ?? "";
      assert.match(problem, /are of version 1, and what came with version \d+ does not work/);
      assert.match(problem, /apply this version's deploy\/postgres\/fleet.sql as their owner/);
      assert.equal((await mere.head(0)).revision, 1);
      assert.equal(await versionOf(owner), 1);

      // One that may brings them up to date, once for all, while others write.
      await using able = open(server, "owner");
      const writing = oldCalls(old, 1, 20);
      assert.equal(await able.prepare(), undefined);
      await writing;
      assert.equal(await mere.prepare(), undefined);
      assert.equal(await versionOf(owner), FLEET_VERSION);
      await oldCalls(old, 21);
      assert.equal((await mere.follow(0)).entries.length, 22);
      assert.equal((await mere.members())[0]?.proxy, "old");

      // Nothing tells them from new ones, the rights of whoever was let in before included.
      const fresh = await describe(server, server.address.database);
      assert.deepEqual(await describe(server, "long_ago"), fresh);
      assert.ok(fresh.length > 20, "something is compared");

      // Once more changes nothing; a newer program's tables are left alone.
      await owner.unsafe(FLEET_SCHEMA);
      assert.equal((await mere.head(0)).revision, 22);
      await owner.unsafe("INSERT INTO mc_proxy_fleet.migrations (version) VALUES (9999)");
      assert.equal(await able.prepare(), undefined);
      await assert.rejects(owner.unsafe(FLEET_SCHEMA), /the tables are at version 9999/);
      await oldCalls(old, 22);
    } finally {
      await Promise.all([owner.end(), old.end()]);
    }
  },
);

/** As a proxy of the first version speaks. */
async function oldCalls(sql: postgres.Sql, after: number, count = 1): Promise<void> {
  for (let i = after; i < after + count; i++) {
    const values = ["edge", 1, i, crypto.randomUUID(), 0, "old", "uid 0", "Test"];
    const edits = `[["put", ["rule", "block", "ip", "192.0.2.1"], ${BAN}]]`;
    const [row] = await sql.unsafe(OLD_APPEND, [...values.map(String), edits, "[]"]);
    assert.deepEqual({ ...row }, { status: "done", revision: i + 1 });
  }
  await sql.unsafe(OLD_REPORT);
}

async function versionOf(sql: postgres.Sql): Promise<number> {
  const [row] = await sql.unsafe("SELECT max(version) AS version FROM mc_proxy_fleet.migrations");
  return Number(row?.version);
}

/** Tables, columns, indexes, functions, policies, and what a role has that is let in. */
async function describe(server: TestPostgres, database: string): Promise<unknown[]> {
  const sql = connect(server, server.address.user, { ...server.address, database });
  const space = "'mc_proxy_fleet'::regnamespace";
  try {
    const rows = await sql.unsafe(`
      SELECT concat_ws(' ', c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
          pg_get_expr(d.adbin, d.adrelid), c.relrowsecurity) AS text
        FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
        LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
        WHERE c.relnamespace = ${space} AND NOT a.attisdropped AND c.relkind <> 'S'
      UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'mc_proxy_fleet'
      UNION ALL SELECT concat_ws(' ', conrelid::regclass, conname, pg_get_constraintdef(oid))
        FROM pg_constraint WHERE connamespace = ${space}
      UNION ALL SELECT concat_ws(' ', tablename, policyname, cmd, roles, qual, with_check)
        FROM pg_policies WHERE schemaname = 'mc_proxy_fleet'
      UNION ALL SELECT pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = ${space}
      ORDER BY text`);
    const rights = await sql.unsafe(`
      SELECT c.relname AS text FROM pg_class c, aclexplode(c.relacl) x
        WHERE c.relnamespace = ${space} AND x.grantee = 'old'::regrole
      UNION ALL SELECT p.oid::regprocedure::text FROM pg_proc p, aclexplode(p.proacl) x
        WHERE p.pronamespace = ${space} AND x.grantee = 'old'::regrole
      ORDER BY text`);
    if (rights.length === 0) {
      await sql.unsafe("SELECT mc_proxy_fleet.admit('edge', 'old')");
      return await describe(server, database);
    }
    return [...rows, ...rights].map(({ text }) => text);
  } finally {
    await sql.end();
  }
}

function connect(
  { address }: TestPostgres,
  user: string,
  { database = "long_ago", password = ROLE_PASSWORD } = {},
): postgres.Sql {
  const { host, port } = address;
  return postgres({ host, port, user, password, database, max: 1, onnotice: () => {} });
}

function open(server: TestPostgres, role: string): FleetLink {
  const { server: there, ...rest } = linkOptions(server, { role });
  return new FleetLink({ ...rest, server: { ...there, database: "long_ago" } });
}
