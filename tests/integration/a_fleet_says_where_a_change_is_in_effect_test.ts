/**
 * Who has a revision in effect, for whoever waits for it, through the admin API and mcproxyctl.
 */
import assert from "node:assert/strict";
import { eventually } from "../support/deadline.ts";
import { createFleet, type FleetMember, startAdminOf, startMember } from "../support/fleet.ts";
import { runCtl } from "../support/mcproxyctl.ts";
import { unusedPorts } from "../support/ports.ts";
import { postgresTest, startPostgres } from "../support/postgres.ts";
import { temporaryFolder } from "../support/temporary_folder.ts";

const ROLES = ["p1", "p2", "p3"];
const deadline = { seconds: 10n, nanos: 0 };
const atOnce = { seconds: 0n, nanos: 0 };

postgresTest("a fleet says where a change is in effect, and who has not got it", async () => {
  await using server = await startPostgres();
  await createFleet(server, { edge: ROLES });
  using one = temporaryFolder();
  using two = temporaryFolder();
  using three = temporaryFolder();
  const ports = await unusedPorts(ROLES.length);
  const start = (index: number, { path: folder }: { readonly path: string }) =>
    startMember(server, {
      role: ROLES[index] ?? "",
      folder,
      port: ports[index] ?? 0,
      maxLag: "100ms",
    });
  await using first = await start(0, one);
  await using _second = await start(1, two);
  const third = await start(2, three);
  await using admin = await startAdminOf(first, one.path);
  const { client, socketPath } = admin;
  await seen(first, 3);

  // All have it, and say so themselves.
  const added = await client.addRoute({
    listenerAddr: first.addr,
    hostname: "a.example",
    backend: "127.0.0.1:1",
  });
  const all = await client.waitForFleet({ revision: added.revision, wait: "all", deadline });
  assert.deepEqual([all.reached, all.inEffect, all.missing], [true, ROLES, []]);
  const { group, revision, members } = await client.listFleet({});
  assert.deepEqual([group, revision], ["edge", added.revision]);
  assert.deepEqual(members.map(({ name, lag, health }) => [name, lag, health]), [
    ["p1", 0n, ""],
    ["p2", 0n, ""],
    ["p3", 0n, ""],
  ]);
  assert.ok(members.every(({ version, startedAt }) => version !== "" && startedAt !== undefined));

  // One is gone.
  await third[Symbol.asyncDispose]();
  const { code, stdout, stderr } = await runCtl({ socketPath }, [
    ...["--wait", "quorum", "routes", "add", first.addr, "b.example", "127.0.0.1:1"],
  ]);
  assert.equal(code, 0, stderr);
  assert.match(stdout, /b\.example/);
  assert.match(stderr, /revision 3 is in effect at p1, p2; not yet at 1 other: p3/);
  const some = await client.waitForFleet({ wait: "all", deadline: atOnce });
  assert.deepEqual([some.reached, some.inEffect, some.missing], [false, ["p1", "p2"], ["p3"]]);
  assert.equal((await client.waitForFleet({ wait: "local", deadline })).reached, true);
  await assert.rejects(client.waitForFleet({ wait: "some" }), { code: "invalid_argument" });
  const tooLong = { seconds: 51n, nanos: 0 };
  await assert.rejects(client.waitForFleet({ wait: "all", deadline: tooLong }), {
    code: "invalid_argument",
  });

  // It does not come back.
  await client.forgetFleetMember({ name: "p3" });
  await assert.rejects(client.forgetFleetMember({ name: "p3" }), { code: "not_found" });
  assert.equal((await client.waitForFleet({ wait: "all", deadline })).reached, true);
  const list = async () => (await runCtl({ socketPath }, ["fleet"])).stdout;
  assert.match(await list(), /group edge, revision 3\n/);
  await eventually(async () => /p2 +\S+ +3 +0 +serving/.test(await list()), "p2 is well");

  // Nobody can be asked.
  await server.kill();
  await assert.rejects(client.listFleet({}), { code: "unavailable" });
  await eventually(
    () => /not caught up with its group/.test(first.control.problem),
    "a proxy that may not lag is not well",
  );
});

async function seen({ control }: FleetMember, count: number): Promise<void> {
  const reported = async () => (await control.fleet?.list())?.members.length === count;
  await eventually(reported, `${count} proxies have reported`);
}
