import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { createSqliteAuthorizer, DIRECTORY_SCHEMA } from "../../../lib/connector/mod.ts";
import {
  type AuthorizerHarness,
  type DirectoryRows,
  testAuthorizer,
} from "../../contract/authorizer.ts";

const ALICE = { orgId: "acme", userId: "alice", connectId: "host-1" };

function createHarness(): Promise<AuthorizerHarness> {
  const database = new DatabaseSync(":memory:");
  database.exec(DIRECTORY_SCHEMA);
  return Promise.resolve({
    authorizer: createSqliteAuthorizer({ database }),
    fill: (rows) => Promise.resolve(fill(database, rows)),
    allowNulls() {
      database.exec("DROP TABLE backend_hosts; DROP TABLE teams; DROP TABLE users;");
      database.exec(DIRECTORY_SCHEMA.replaceAll("NOT NULL", ""));
      return Promise.resolve();
    },
    [Symbol.asyncDispose]() {
      database.close();
      return Promise.resolve();
    },
  });
}

function fill(database: DatabaseSync, { hosts, teams, users }: DirectoryRows): void {
  const json = (list: readonly unknown[] | null) => list && JSON.stringify(list);
  database.exec("BEGIN; DELETE FROM backend_hosts; DELETE FROM teams; DELETE FROM users;");
  const addHost = database.prepare("INSERT INTO backend_hosts VALUES (?, ?, ?, ?, ?, ?)");
  for (const { connectId, address, orgId, userIds, teamIds, hostUser = null } of hosts) {
    addHost.run(connectId, address, orgId, json(userIds), json(teamIds), hostUser);
  }
  const addTeam = database.prepare("INSERT INTO teams VALUES (?, ?, ?)");
  for (const { teamId, orgId, userIds } of teams) addTeam.run(teamId, orgId, json(userIds));
  const addUser = database.prepare("INSERT INTO users (user_id, org_id) VALUES (?, ?)");
  for (const { userId, orgId } of users) addUser.run(userId, orgId);
  database.exec("COMMIT");
}

testAuthorizer("the SQLite authorizer", createHarness);

Deno.test("DIRECTORY_SCHEMA takes arrays only and can be applied again", () => {
  using database = new DatabaseSync(":memory:");
  database.exec(DIRECTORY_SCHEMA);
  database.exec(DIRECTORY_SCHEMA);
  const insert = database.prepare("INSERT INTO teams VALUES ('t', 'o', ?)");
  for (const bad of ["alice", "", '"alice"', '{"a":1}', "[1", null]) {
    assert.throws(() => insert.run(bad), `${bad}`);
  }
  insert.run('["alice"]');
});

Deno.test("the SQLite authorizer does not take a number in a list for an identifier", () => {
  using database = new DatabaseSync(":memory:");
  database.exec(DIRECTORY_SCHEMA);
  database.exec(`
    INSERT INTO backend_hosts VALUES ('host-1', '10.0.0.1', 'acme', '[1, true]', '[2]', NULL);
    INSERT INTO teams VALUES ('2', 'acme', '["1"]');
    INSERT INTO users VALUES ('1', 'acme', '[]');
  `);
  const authorizer = createSqliteAuthorizer({ database });
  return authorizer.authorize({ ...ALICE, userId: "1" }).then((decision) => {
    assert.equal(decision.allowed, false);
  });
});

Deno.test("the SQLite authorizer answers unavailable when the database fails", async () => {
  const database = new DatabaseSync(":memory:");
  database.exec(DIRECTORY_SCHEMA);
  const faults: unknown[] = [];
  const authorizer = createSqliteAuthorizer({ database, onFault: (fault) => faults.push(fault) });
  database.close();
  assert.deepEqual(await authorizer.authorize(ALICE), { allowed: false, cause: "unavailable" });
  assert.equal(faults.length, 1);
});
