/**
 * Proxies of a fleet order certificates one after the other, and any of them answers the authority.
 */
import assert from "node:assert/strict";
import { saidTimes, startOrderer } from "../support/acme_fleet.ts";
import { testWithCommands } from "../support/commands.ts";
import { eventually } from "../support/deadline.ts";
import { createFleet, type FleetMember } from "../support/fleet.ts";
import { PEBBLE_COMMANDS, startPebble } from "../support/pebble.ts";
import { unusedPorts } from "../support/ports.ts";
import { HAS_POSTGRES, startPostgres } from "../support/postgres.ts";
import { certificateOf } from "../support/server_certificate.ts";
import { temporaryFolder } from "../support/temporary_folder.ts";

const COMMANDS = HAS_POSTGRES ? PEBBLE_COMMANDS : [...PEBBLE_COMMANDS, "postgres"];
const WAIT_MS = 30_000;

testWithCommands(COMMANDS, "a fleet orders in turn, and one proxy proves for all", async () => {
  const [tlsPort = 0, httpPort = 0, ...ports] = await unusedPorts(9);
  const [pebble, postgres] = await Promise.all([
    startPebble({ tlsPort, httpPort }),
    startPostgres(),
  ]);
  using folder = temporaryFolder();
  await using stack = new AsyncDisposableStack();
  stack.use(pebble);
  stack.use(postgres);
  // Two groups in one database, whose names are the same.
  const [edge, plain] = [["p1", "p2", "p3"], ["q1", "q2"]] as const;
  await createFleet(postgres, { edge, plain });
  const start = async (options: Omit<Parameters<typeof startOrderer>[1], "root">) => {
    const member = stack.use(
      await startOrderer({ postgres, pebble }, { root: folder.path, ...options }),
    );
    // Nobody waits for one that has not said a word yet.
    const isThere = async () =>
      (await member.link.members()).some(({ proxy }) => proxy === options.role);
    await eventually(isThere, "it has reported");
    return member;
  };
  // The authority looks at the first of each, which is there before the others order.
  const members: FleetMember[] = [];
  for (const [i, role] of edge.entries()) {
    members.push(await start({ role, port: i === 0 ? tlsPort : ports[i] ?? 0 }));
  }
  const others: FleetMember[] = [];
  for (const [i, role] of plain.entries()) {
    const [port = 0, other = 0] = ports.slice(3 + 2 * i);
    const redirectAt = i === 0 ? httpPort : other;
    others.push(
      await start({
        ...{ role, group: "plain", port, challenge: "http-01" },
        httpPort: redirectAt,
      }),
    );
  }
  const all = [...members, ...others];
  const count = () => all.map((member) => saidTimes(member));
  await eventually(() => count().every((it) => it > 0), "each has a certificate", WAIT_MS);
  assert.deepEqual(count(), all.map(() => 1));
  assert.ok(all.every((it) => saidTimes(it, "certificate could not be obtained") === 0));
  const root = await pebble.root();
  for (const { control } of all) {
    const { port } = control.listeners[0] ?? { port: 0 };
    assert.equal(await certificateOf(port, "a.example", root), "DNS:a.example");
  }
  // One at a time: whoever begins finds that the one before has ended.
  const rows = await postgres.run(
    `SELECT group_name, fence::int AS fence, proxy, expires_at < now() AS "isOver"
      FROM mc_proxy_fleet.orders ORDER BY group_name`,
  );
  assert.deepEqual(rows.map(({ group_name, fence, isOver }) => [group_name, fence, isOver]), [
    ["edge", edge.length, true],
    ["plain", plain.length, true],
  ]);
  const [left] = await postgres.run(
    "SELECT count(*)::int AS count FROM mc_proxy_fleet.challenges",
  );
  assert.equal(left?.count, 0);
});
