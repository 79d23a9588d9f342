/**
 * What PostgreSQL itself guarantees of a fleet: one log a group, and nothing of it to others.
 */
import assert from "node:assert/strict";
import postgres from "postgres";
import {
  type Edit,
  FleetLink,
  FleetLinkError,
  type NewEntry,
  stepsOf,
} from "../../lib/fleet/mod.ts";
import { postgresTest, startPostgres, type TestPostgres } from "../support/postgres.ts";
import { createFleet, linkOptions, openLink, ROLE_PASSWORD } from "../support/fleet.ts";

const WRITERS = ["p1", "p2", "p3", "p4", "p5"];
const CHANGES = 200;

postgresTest("a fleet's log has no gaps, and shows nothing of it to another group", async () => {
  await using server = await startPostgres();
  await createFleet(server, { edge: WRITERS, other: ["stranger"] });
  await writeAtOnce(server);
  await sayTwice(server);
  await keepOut(server);
  await keepInOrder(server);
  await makeFirst(server);
});

/** Five writers, each as fast as it can. */
async function writeAtOnce(server: TestPostgres): Promise<void> {
  await Promise.all(WRITERS.map(async (role, n) => {
    await using link = openLink(server, { role });
    let after = 0;
    for (let i = 0; i < CHANGES / WRITERS.length;) {
      const answer = await link.append(newEntry(after, [ban(`10.${n}.0.${i}`)]));
      assert.ok(answer.status !== "unfit");
      after = answer.revision;
      if (answer.status === "done") i++;
    }
  }));
  const rows = await server.run(`SELECT count(*)::int AS count, min(revision)::int AS first,
    max(revision)::int AS last, count(DISTINCT role)::int AS roles FROM mc_proxy_fleet.log`);
  assert.deepEqual({ ...rows[0] }, { count: CHANGES, first: 1, last: CHANGES, roles: 5 });
  await using link = openLink(server, { role: "p1" });
  const { head, entries } = await link.follow(0);
  assert.equal(head.revision, CHANGES);
  const [step, ...more] = stepsOf(0, entries);
  assert.deepEqual(more, []);
  const { objects } = await link.snapshot();
  assert.equal(objects.length, CHANGES);
  assert.deepEqual(objects, step?.edits.map((edit) => edit.do === "put" && edit.object));
}

/** An answer that was lost is asked for again. */
async function sayTwice(server: TestPostgres): Promise<void> {
  await using link = openLink(server, { role: "p1" });
  const said = newEntry(CHANGES, [ban("192.0.2.1")]);
  assert.deepEqual(await link.append(said), { status: "done", revision: CHANGES + 1 });
  assert.deepEqual(await link.append(said), { status: "done", revision: CHANGES + 1 });
  assert.deepEqual(await link.append({ ...said, id: crypto.randomUUID() }), {
    status: "stale",
    revision: CHANGES + 1,
  });
  const elsewhere = { ...newEntry(CHANGES + 1, [ban("192.0.2.2")]), epoch: 7 };
  assert.equal((await link.append(elsewhere)).status, "stale");
}

async function keepOut(server: TestPostgres): Promise<void> {
  const { address: { host, port, database } } = server;
  const sql = postgres({
    ...{ host, port, database, user: "stranger", password: ROLE_PASSWORD, max: 1 },
    onnotice: () => {},
  });
  try {
    for (const table of ["groups", "objects", "log", "members", "audit"]) {
      const rows = await sql.unsafe(
        `SELECT * FROM mc_proxy_fleet.${table} WHERE group_name <> 'other'`,
      );
      assert.deepEqual([...rows], [], table);
    }
    const refused = [
      "SELECT * FROM mc_proxy_fleet.roles",
      "INSERT INTO mc_proxy_fleet.roles VALUES ('edge', 'stranger')",
      "UPDATE mc_proxy_fleet.groups SET revision = 0",
      "DELETE FROM mc_proxy_fleet.log",
      "SELECT mc_proxy_fleet.admit('edge', 'stranger')",
      "SELECT mc_proxy_fleet.accept_restored('other')",
      "SELECT mc_proxy_fleet.strip('edge', '{rule}')",
      "SELECT mc_proxy_fleet.forget('edge', 'p1')",
      "SET ROLE p1",
    ];
    for (const statement of refused) {
      await assert.rejects(sql.unsafe(statement), { code: "42501" }, statement);
    }
  } finally {
    await sql.end();
  }
  await using link = openLink(server, { role: "stranger", group: "edge" });
  await assert.rejects(link.follow(0), /the role stranger knows no group "edge"/);
  await assert.rejects(
    link.append(newEntry(CHANGES + 1, [])),
    (error) =>
      error instanceof FleetLinkError && !error.isUncertain &&
      /the role stranger does not belong to the group 'edge'/.test(error.message),
  );
}

/** What is cut takes along what is below it, and nothing that only begins alike. */
async function keepInOrder(server: TestPostgres): Promise<void> {
  await using link = openLink(server, { role: "stranger", group: "other" });
  const add = async (edits: readonly Edit[]) => {
    const { head } = await link.follow(0);
    assert.equal((await link.append(newEntry(head.revision, edits))).status, "done");
  };
  await add([listener(":1"), route(":1", "a.test"), route(":1", "b.test"), listener(":12")]);
  await add([policy(":1", "a.test", "x"), policy(":1", "b.test", "y"), route(":12", "a.test")]);
  await add([{ do: "strip", key: ["listener", ":1", "route", "a.test"] }]);
  const names = async () =>
    (await server.run(`SELECT array_to_string(key, ' ') AS key FROM mc_proxy_fleet.objects
      WHERE group_name = 'other' ORDER BY place`)).map(({ key }) => key);
  assert.deepEqual(await names(), [
    "listener :1",
    "listener :1 route a.test",
    "listener :1 route b.test",
    "listener :12",
    "listener :1 route b.test policy require_header y",
    "listener :12 route a.test",
  ]);
  await add([{ do: "cut", key: ["listener", ":1"] }]);
  assert.deepEqual(await names(), ["listener :12", "listener :12 route a.test"]);
}

/** Where the role may, the first proxy makes everything; again it changes nothing. */
async function makeFirst(server: TestPostgres): Promise<void> {
  await server.run("CREATE DATABASE empty; ".trim());
  await server.run(`CREATE ROLE maker LOGIN PASSWORD '${ROLE_PASSWORD}';
    CREATE ROLE nobody LOGIN PASSWORD '${ROLE_PASSWORD}';
    GRANT CREATE ON DATABASE empty TO maker`);
  const open = (role: string) => {
    const { server: there, ...rest } = linkOptions(server, { role, group: "fresh" });
    return new FleetLink({ ...rest, server: { ...there, database: "empty" } });
  };
  await using nobody = open("nobody");
  await assert.rejects(nobody.prepare(), /apply deploy\/postgres\/fleet.sql as its owner/);
  await using maker = open("maker");
  await maker.prepare();
  await maker.prepare();
  assert.deepEqual(await maker.append(newEntry(0, [ban("192.0.2.1")])), {
    status: "done",
    revision: 1,
  });
  await assert.rejects(nobody.prepare(), /apply deploy\/postgres\/fleet.sql as its owner/);
}

function newEntry(after: number, edits: readonly Edit[]): NewEntry {
  return {
    ...{ id: crypto.randomUUID(), epoch: 1, after, edits, time: 1_700_000_000_000 },
    ...{ actor: "uid 0", action: "Test", audit: [["subject", "", "{}"]] },
  };
}

function ban(value: string): Edit {
  return { do: "put", object: { kind: "rule", rule: { type: "ip", value, reason: "" } } };
}

function listener(addr: string): Edit {
  const listener = { addr, proxyProtocol: false, maxConnections: 0, trustedProxies: [] };
  return { do: "put", object: { kind: "listener", listener } };
}

function route(addr: string, hostname: string): Edit {
  const route = {
    ...{ hostname, backend: "127.0.0.1:1", mode: "l7", tlsCert: "c", tlsKey: "k" } as const,
    ...{ backendTls: false, sendProxyProtocol: false },
  };
  return { do: "put", object: { kind: "route", addr, route } };
}

function policy(addr: string, hostname: string, value: string): Edit {
  const policy = { type: "require_header", value } as const;
  return { do: "put", object: { kind: "policy", addr, hostname, policy } };
}
