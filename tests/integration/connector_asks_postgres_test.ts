import assert from "node:assert/strict";
import { createPostgresAuthorizer } from "../../lib/connector/mod.ts";
import { openPostgres } from "../../lib/postgres/mod.ts";
import { type AuthorizerHarness, testAuthorizer } from "../contract/authorizer.ts";
import {
  postgresTest,
  sharedDatabase,
  startConnectorDatabase,
} from "../support/connector_database.ts";

const database = sharedDatabase(startConnectorDatabase);

const COLUMNS = [
  ...["internal_ip_addr", "org_id", "user_ids", "team_ids"].map((name) => ["backend_hosts", name]),
  ...["org_id", "user_ids"].map((name) => ["teams", name]),
  ["users", "org_id"],
];

function createHarness(): Promise<AuthorizerHarness> {
  const authorizer = createPostgresAuthorizer({ server: database().server, deadlineMs: 10_000 });
  return Promise.resolve({
    authorizer,
    fill: (rows) => database().fill(rows),
    async allowNulls() {
      const statements = COLUMNS.map(([table, column]) =>
        `ALTER TABLE ${table} ALTER COLUMN ${column} DROP NOT NULL;`
      );
      await database().postgres.run(statements.join("\n"));
    },
    [Symbol.asyncDispose]: () => authorizer.close(),
  });
}

testAuthorizer("the PostgreSQL authorizer", createHarness, postgresTest);

postgresTest(
  "the PostgreSQL authorizer needs SELECT on its tables and uses nothing more",
  async () => {
    await using harness = await createHarness();
    await harness.fill({
      hosts: [{ connectId: "h", address: "10.0.0.1", orgId: "o", userIds: ["u"], teamIds: [] }],
      teams: [],
      users: [{ userId: "u", orgId: "o" }],
    });
    await harness.authorizer.authorize({ orgId: "o", userId: "u", connectId: "h" });
    const [session] = await database().postgres.run(`
    SELECT count(*)::int AS sessions FROM pg_stat_activity
    WHERE usename = 'tinyscale' AND application_name = 'mc-proxy connector'
  `);
    assert.equal(session?.sessions, 1);
    const [role] = await database().postgres.run(`
    SELECT has_table_privilege('tinyscale', 'users', 'INSERT, UPDATE, DELETE, TRUNCATE') AS writes
  `);
    assert.equal(role?.writes, false);
  },
);

postgresTest("sessions of the connector are read-only, whatever its role may do", async () => {
  const client = openPostgres({
    server: database().server,
    connections: 1,
    connectTimeoutMs: 10_000,
    statementTimeoutMs: 10_000,
    applicationName: "mc-proxy test",
  });
  try {
    const [row] = await client.sql`SHOW transaction_read_only`;
    assert.equal(row?.transaction_read_only, "on");
    await assert.rejects(client.sql`CREATE TABLE written (x int)`, { code: "25006" });
  } finally {
    await client.destroy();
  }
});

postgresTest("schema.sql and notify.sql can be applied again", async () => {
  for (const file of ["schema.sql", "notify.sql", "schema.sql", "notify.sql"] as const) {
    await database().apply(file);
  }
});

postgresTest("the PostgreSQL authorizer works without any environment", async () => {
  const script = `
    import { createPostgresAuthorizer } from ${
    JSON.stringify(
      new URL("../../lib/connector/mod.ts", import.meta.url).href,
    )
  };
    const authorizer = createPostgresAuthorizer({ server: ${JSON.stringify(database().server)} });
    console.log(JSON.stringify(await authorizer.authorize({ orgId: "o", userId: "u", connectId: "-" })));
    await authorizer.close();
  `;
  const config = new URL("../../deno.json", import.meta.url).pathname;
  const command = new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", "--allow-net", "--ignore-env", `--config=${config}`, "-"],
    env: { PGHOST: "192.0.2.1", PGSSL: "require", PGUSER: "nobody", PGTARGETSESSIONATTRS: "bad" },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = command.stdin.getWriter();
  await writer.write(new TextEncoder().encode(script));
  await writer.close();
  const { stdout, stderr } = await command.output();
  const answer = new TextDecoder().decode(stdout).trim();
  assert.equal(
    answer,
    '{"allowed":false,"cause":"unknown_host"}',
    new TextDecoder().decode(stderr),
  );
});
