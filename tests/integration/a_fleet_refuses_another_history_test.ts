/**
 * What becomes of replicas when PostgreSQL says something else than before.
 */
import assert from "node:assert/strict";
import { eventually } from "../support/deadline.ts";
import {
  createFleet,
  type FleetMember,
  inStep,
  plainRoute,
  startMember,
} from "../support/fleet.ts";
import { unusedPorts } from "../support/ports.ts";
import { postgresTest, startPostgres, type TestPostgres } from "../support/postgres.ts";
import { temporaryFolder } from "../support/temporary_folder.ts";

const BY = { actor: "uid 0", action: "Test" };
const TABLES = ["groups", "log", "objects"];

postgresTest(
  "a fleet takes nothing from a PostgreSQL of another history, until told to",
  async () => {
    await using server = await startPostgres();
    await createFleet(server, { edge: ["p1", "p2"] });
    using one = temporaryFolder();
    using two = temporaryFolder();
    const [port, other = 0] = await unusedPorts(2);
    const broken = { is: false };
    await using first = await startMember(server, {
      ...{ role: "p1", folder: one.path, port: port ?? 0 },
      compile: (changeSet) => {
        if (broken.is) throw new Error("it is broken");
        return changeSet.compile();
      },
    });
    await using second = await startMember(server, { role: "p2", folder: two.path, port: other });
    const members = [first, second];
    broken.is = true;
    await tried(server, first);
    broken.is = false;
    await unannounced(server, members);
    await olderPoint(server, members);
    await sameRevision(server, members);
    await afar(server, members);
    await unfit(server, members);
  },
);

/** What cannot be made here is not told to the group. */
async function tried(server: TestPostgres, member: FleetMember): Promise<void> {
  await assert.rejects(add(member, "broken.example"), { name: "MutationError", code: "compile" });
  const [row] = await server.run("SELECT revision::int AS revision FROM mc_proxy_fleet.groups");
  assert.deepEqual([row?.revision, member.revision], [1, 1]);
  assert.ok(!member.served().includes("broken.example"));
}

/** Nobody is told of a revision, and it comes all the same. */
async function unannounced(server: TestPostgres, members: readonly FleetMember[]): Promise<void> {
  const [{ channel = "" } = {}] = await server.run("SELECT channel FROM mc_proxy_fleet.groups");
  await server.run("UPDATE mc_proxy_fleet.groups SET channel = 'nobody_listens'");
  await add(members[0], "a.example");
  await inStep(members, 2);
  await server.run(`UPDATE mc_proxy_fleet.groups SET channel = '${channel}'`);
  // Connections that have ended are made again.
  await server.run(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE application_name LIKE 'mc-proxy fleet%'`);
  await eventually(async () => {
    return await add(members[1], "b.example").then(() => true, () => false);
  }, "the group can be written again");
  await inStep(members, 3);
}

/** What proxies have is not there any more. */
async function olderPoint(server: TestPostgres, members: readonly FleetMember[]): Promise<void> {
  await backUp(server);
  await add(members[0], "c.example");
  await inStep(members, 4);
  await bringBack(server);
  await refused(members, /restored to an older point: this proxy has revision 4/);
  await assert.rejects(add(members[0], "d.example"), {
    code: "unavailable",
    message: /accept_restored/,
  });
  assert.ok(members.every((member) => member.served().includes("c.example")));
  await accept(server, members);
  assert.ok(members.every((member) => !member.served().includes("c.example")));
  assert.ok(members.every((member) => member.served().includes("b.example")));
  await add(members[1], "d.example");
  await inStep(members, 4);
}

/** The revision has come again by other changes, which its number does not tell. */
async function sameRevision(server: TestPostgres, members: readonly FleetMember[]): Promise<void> {
  await save(server);
  await add(members[0], "e.example");
  await inStep(members, 5);
  await restore(server);
  await server.run("SELECT mc_proxy_fleet.admit('edge', 'postgres')");
  await server.run(`SELECT mc_proxy_fleet.append('edge',
    (SELECT epoch FROM mc_proxy_fleet.groups), 4, gen_random_uuid(), 0, 'px', 'psql', 'Test',
    '[["put", ["rule", "block", "ip", "192.0.2.9"], {"type": "ip", "value": "192.0.2.9"}]]',
    '[["ip 192.0.2.9", "", ""]]')`);
  await refused(members, /does not know/);
  assert.ok(members.every((member) => member.served().includes("e.example")));
  await accept(server, members);
  assert.ok(members.every((member) => !member.served().includes("e.example")));
  assert.match(members[1]?.content() ?? "", /192\.0\.2\.9/);
}

/** So far behind that the log does not reach back: the whole state is taken. */
async function afar(server: TestPostgres, members: readonly FleetMember[]): Promise<void> {
  const [, second] = members;
  const [{ key } = {}] = await server.run(`BEGIN; SELECT mc_proxy_fleet.append('edge',
    (SELECT epoch FROM mc_proxy_fleet.groups), 5, gen_random_uuid(), 0, 'px', 'psql', 'Test',
    '[["put", ["rule", "block", "ip", "192.0.2.10"], {"type": "ip", "value": "192.0.2.10"}]]',
    '[]'); SELECT mc_proxy_fleet.append('edge',
    (SELECT epoch FROM mc_proxy_fleet.groups), 6, gen_random_uuid(), 0, 'px', 'psql', 'Test',
    '[["cut", ["rule", "block", "ip", "192.0.2.9"]]]', '[]');
    DELETE FROM mc_proxy_fleet.log WHERE revision <= 6; COMMIT`);
  assert.equal(key, undefined);
  await inStep(members, 7);
  assert.match(second?.content() ?? "", /192\.0\.2\.10/);
  assert.doesNotMatch(second?.content() ?? "", /192\.0\.2\.9\\"/);
  assert.equal(members[0]?.content(), second?.content());
}

/** What cannot be made true here is not skipped, and what comes behind it waits. */
async function unfit(server: TestPostgres, members: readonly FleetMember[]): Promise<void> {
  await server.run(`SELECT mc_proxy_fleet.append('edge',
    (SELECT epoch FROM mc_proxy_fleet.groups), 7, gen_random_uuid(), 0, 'px', 'psql', 'Test',
    '[["put", ["rule", "block", "country", "NO"], {"type": "country", "value": "NO"}]]', '[]')`);
  await refused(members, /the group has a rule for the country NO, and this proxy has no GeoIP/);
  assert.deepEqual(members.map(({ revision }) => revision), [7, 7]);
  await assert.rejects(add(members[0], "f.example"), { code: "unavailable", message: /GeoIP/ });
}

async function add(member: FleetMember | undefined, hostname: string): Promise<void> {
  assert.ok(member !== undefined);
  await member.control.routing.addRoute(member.addr, plainRoute(hostname), BY);
}

async function refused(members: readonly FleetMember[], why: RegExp): Promise<void> {
  const warned = () =>
    members.every(({ control: { groupWarnings } }) => groupWarnings.some((it) => why.test(it)));
  await eventually(warned, `all say ${why}`);
}

async function accept(server: TestPostgres, members: readonly FleetMember[]): Promise<void> {
  await server.run("SELECT mc_proxy_fleet.accept_restored('edge')");
  await eventually(
    () => members.every(({ control: { groupWarnings } }) => groupWarnings.length === 0),
    "all follow the group again",
  );
  assert.equal(members[0]?.content(), members[1]?.content());
}

/** What an operator would do. */
async function backUp(server: TestPostgres): Promise<void> {
  await server.program("pg_dump", [
    ...["--format=custom", "--file=backup", "--schema=mc_proxy_fleet", urlOf(server)],
  ]);
}

async function bringBack(server: TestPostgres): Promise<void> {
  const args = ["--clean", "--if-exists", "--single-transaction", `--dbname=${urlOf(server)}`];
  // All or nothing: proxies that ask meanwhile may be in the way.
  const isBack = () =>
    server.program("pg_restore", [...args, "backup"]).then(() => true, ({ message }) => {
      assert.match(message, /deadlock detected/);
      return false;
    });
  await eventually(isBack, "the backup is back");
}

function urlOf({ address: { host, port, user, database } }: TestPostgres): string {
  return `postgres://${user}@${host}:${port}/${database}`;
}

async function save(server: TestPostgres): Promise<void> {
  await server.run(
    TABLES.map((table) =>
      `DROP TABLE IF EXISTS saved_${table}; CREATE TABLE saved_${table} AS TABLE mc_proxy_fleet.${table};`
    ).join("\n"),
  );
}

/** As a backup would be. */
async function restore(server: TestPostgres): Promise<void> {
  await server.run(`BEGIN;
    DELETE FROM mc_proxy_fleet.log; DELETE FROM mc_proxy_fleet.objects;
    UPDATE mc_proxy_fleet.groups g SET revision = s.revision, epoch = s.epoch FROM saved_groups s;
    INSERT INTO mc_proxy_fleet.log SELECT * FROM saved_log;
    INSERT INTO mc_proxy_fleet.objects OVERRIDING SYSTEM VALUE SELECT * FROM saved_objects;
    COMMIT`);
}
