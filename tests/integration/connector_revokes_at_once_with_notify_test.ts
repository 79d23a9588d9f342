import assert from "node:assert/strict";
import {
  createPostgresAuthorizer,
  createSessionRegistry,
  type SessionEnd,
  wallClock,
  watchPostgresChanges,
} from "../../lib/connector/mod.ts";
import { postgresTest, startConnectorDatabase } from "../support/connector_database.ts";
import { eventually } from "../support/deadline.ts";

/** Longer than any test: only a notification can end a session. */
const NEVER_MS = 3_600_000;

postgresTest(
  "a change in PostgreSQL ends the sessions it concerns, also after a restart",
  async () => {
    await using database = await startConnectorDatabase();
    await database.apply("notify.sql");
    const users = ["alice", "bob", "carol"];
    await database.fill({
      hosts: [{ connectId: "h", address: "10.0.0.1", orgId: "o", userIds: users, teamIds: [] }],
      teams: [],
      users: users.map((userId) => ({ userId, orgId: "o" })),
    });
    const { server } = database;
    const authorizer = createPostgresAuthorizer({ server });
    await using registry = createSessionRegistry({
      authorizer,
      revalidateMs: NEVER_MS,
      outageGraceMs: NEVER_MS,
      clock: wallClock,
    });
    const ends = new Map<string, SessionEnd>();
    for (const userId of users) {
      registry.add({
        orgId: "o",
        userId,
        connectId: "h",
        address: "10.0.0.1",
        notAfter: Infinity,
        close: (end) => ends.set(userId, end),
      });
    }
    const states: string[] = [];
    const changes = watchPostgresChanges({
      server,
      onChange: () => registry.changed(),
      onState: (state) => states.push(state),
    });
    await eventually(() => states.length === 1, "listening");
    assert.equal(registry.size, 3);

    await database.postgres.run("DELETE FROM users WHERE user_id = 'alice'");
    await eventually(() => ends.has("alice"), "alice's session ends");
    assert.deepEqual(ends.get("alice"), { reason: "access_revoked", cause: "unknown_user" });

    await database.postgres.kill();
    await eventually(() => states.at(-1) === "interrupted", "the connection is lost");
    assert.equal(registry.size, 2);
    await database.postgres.start();
    await eventually(() => states.at(-1) === "listening", "listening again");
    await database.postgres.run(
      "UPDATE backend_hosts SET user_ids = array_remove(user_ids, 'bob')",
    );
    await eventually(() => ends.has("bob"), "bob's session ends");
    assert.deepEqual([...registry.sessions()].map(({ userId }) => userId), ["carol"]);

    await changes[Symbol.asyncDispose]();
    await authorizer.close();
  },
);

postgresTest(
  "a change that happened while nobody listened is found when listening starts",
  async () => {
    await using database = await startConnectorDatabase();
    let heard = 0;
    const changes = watchPostgresChanges({ server: database.server, onChange: () => heard++ });
    // Without the triggers, too.
    await eventually(() => heard === 1, "listening");
    await changes[Symbol.asyncDispose]();
  },
);

Deno.test("watchPostgresChanges() stops at once while the database is away", async () => {
  let interrupted = 0;
  const changes = watchPostgresChanges({
    server: { host: "127.0.0.1", port: 1, user: "u", password: "p", database: "d" },
    onChange: () => assert.fail("nothing can have changed"),
    onState: () => interrupted++,
  });
  await eventually(() => interrupted > 1, "two attempts");
  await changes[Symbol.asyncDispose]();
});
