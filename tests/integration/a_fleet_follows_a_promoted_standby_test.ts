/**
 * PostgreSQL with a standby, one of which dies while changes are made: what a standby lacked that was
 * not waited for is noticed to be gone, and of one that was waited for nothing is.
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
import { TcpRelay } from "../support/tcp_relay.ts";
import { temporaryFolder } from "../support/temporary_folder.ts";

const ROLES = ["p1", "p2"];
const BY = { actor: "uid 0", action: "Test" };

postgresTest("a fleet follows a promoted standby, and notices what that has lost", async () => {
  await using first = await startPostgres();
  await createFleet(first, { edge: ROLES });
  await using stack = new AsyncDisposableStack();
  // What a name does that leads to the primary.
  await using name = new TcpRelay(first.address);
  const through = { host: "127.0.0.1", port: name.port };
  const ports = await unusedPorts(ROLES.length);
  const members: FleetMember[] = [];
  for (const [i, role] of ROLES.entries()) {
    const { path: folder } = stack.use(temporaryFolder());
    members.push(
      stack.use(await startMember(first, { role, folder, port: ports[i] ?? 0, through })),
    );
  }
  await using second = await startPostgres({ primary: first });
  await add(members[0], "a.example");
  await notWaitedFor({ first, second, name, members });
  await using third = await startPostgres({ primary: second });
  await waitedFor({ first: second, second: third, name, members });
});

interface Scene {
  readonly first: TestPostgres;
  readonly second: TestPostgres;
  readonly name: TcpRelay;
  readonly members: readonly FleetMember[];
}

/** The last change was acknowledged and is served, and the standby has never heard of it. */
async function notWaitedFor({ first, second, name, members }: Scene): Promise<void> {
  const [p1] = members;
  await eventually(async () => await revisionOf(second) === 2, "the standby has the change");
  await second.run("ALTER SYSTEM SET primary_conninfo = ''");
  await second.run("SELECT pg_reload_conf()");
  const isAlone = async () => {
    const [row] = await first.run("SELECT count(*)::int AS count FROM pg_stat_replication");
    return row?.count === 0;
  };
  await eventually(isAlone, "the standby has left");
  await add(p1, "lost.example");
  await inStep(members, 3);
  await first.kill();
  // Until it is promoted nothing that it says counts.
  name.leadTo(second.address);
  await warned(members, /is a standby: promote it/);
  await assert.rejects(add(p1, "x.example"), { code: "unavailable" });
  await promote(second);
  await warned(members, /restored to an older point.*accept_restored/);
  assert.ok(members.every((member) => member.served().includes("lost.example")));
  await assert.rejects(add(p1, "x.example"), { code: "unavailable", message: /older point/ });
  await second.run("SELECT mc_proxy_fleet.accept_restored('edge')");
  await warned(members, undefined);
  assert.ok(members.every((member) => !member.served().includes("lost.example")));
  await add(p1, "b.example");
  await inStep(members, 3);
}

/** Changes go on while the primary dies: each that was acknowledged is there. */
async function waitedFor({ first, second, name, members }: Scene): Promise<void> {
  await first.run("ALTER SYSTEM SET synchronous_standby_names = 'standby'");
  await first.run("SELECT pg_reload_conf()");
  const isWaitedFor = async () => {
    const [row] = await first.run("SELECT sync_state AS state FROM pg_stat_replication");
    return row?.state === "sync";
  };
  await eventually(isWaitedFor, "the standby is waited for");
  const acknowledged: string[] = [];
  const [changing, died] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const writers = members.map(async (member, n) => {
    for (let i = 0;; i++) {
      const hostname = `r${i}.p${n}.example`;
      try {
        await add(member, hostname);
      } catch {
        return await died.promise;
      }
      acknowledged.push(hostname);
      if (acknowledged.length === 6) changing.resolve();
    }
  });
  await changing.promise;
  await first.kill();
  died.resolve();
  await Promise.all(writers);
  await promote(second);
  name.leadTo(second.address);
  await warned(members, undefined);
  await add(members[1], "c.example");
  await inStep(members, await revisionOf(second));
  for (const member of members) {
    const served = member.served();
    for (const hostname of acknowledged) assert.ok(served.includes(hostname), hostname);
    assert.equal(member.content(), members[0]?.content());
  }
}

async function promote(server: TestPostgres): Promise<void> {
  const [row] = await server.run("SELECT pg_promote() AS promoted");
  assert.equal(row?.promoted, true);
}

async function revisionOf(server: TestPostgres): Promise<number> {
  const [row] = await server.run("SELECT revision::int AS revision FROM mc_proxy_fleet.groups");
  return Number(row?.revision);
}

/** Waits until all warn of this, or of nothing. */
async function warned(members: readonly FleetMember[], why: RegExp | undefined): Promise<void> {
  const isSo = ({ control: { groupWarnings } }: FleetMember) =>
    why === undefined ? groupWarnings.length === 0 : groupWarnings.some((it) => why.test(it));
  await eventually(() => members.every(isSo), `all say ${why}`);
}

async function add(member: FleetMember | undefined, hostname: string): Promise<void> {
  assert.ok(member !== undefined);
  await member.control.routing.addRoute(member.addr, plainRoute(hostname), BY);
}
