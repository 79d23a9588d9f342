/**
 * PostgreSQL goes away while a certificate is ordered: the proxy whose turn it was stops, says so, and the
 * same order is gone on with when it is back.
 */
import assert from "node:assert/strict";
import { saidTimes, shareKey, startOrderer } from "../support/acme_fleet.ts";
import { testWithCommands } from "../support/commands.ts";
import { eventually } from "../support/deadline.ts";
import { createFleet, type FleetMember } from "../support/fleet.ts";
import { PEBBLE_COMMANDS, startPebble } from "../support/pebble.ts";
import { unusedPorts } from "../support/ports.ts";
import { HAS_POSTGRES, startPostgres } from "../support/postgres.ts";
import { temporaryFolder } from "../support/temporary_folder.ts";

const COMMANDS = HAS_POSTGRES ? PEBBLE_COMMANDS : [...PEBBLE_COMMANDS, "postgres"];
const WAIT_MS = 30_000;
const LOST = "it is no longer this proxy's turn to order";

testWithCommands(COMMANDS, "an order outlives PostgreSQL's absence", async () => {
  const [tlsPort = 0, port = 0] = await unusedPorts(2);
  const [pebble, postgres] = await Promise.all([startPebble({ tlsPort }), startPostgres()]);
  using folder = temporaryFolder();
  await using stack = new AsyncDisposableStack();
  stack.use(pebble);
  stack.use(postgres);
  await createFleet(postgres, { edge: ["p1", "p2"] });
  const shareKeys = [shareKey()];
  // The proof is in PostgreSQL, and before the authority is told of it that is gone.
  const shown = Promise.withResolvers<void>();
  const gone = Promise.withResolvers<void>();
  const start = (role: string, at: number) =>
    startOrderer({ postgres, pebble }, {
      ...{ root: folder.path, role, port: at, shareKeys, deadlineMs: 1_000 },
      orders: { leaseMs: 1_500 },
      onLink: ({ orders }) => {
        const { reach } = orders;
        orders.reach = async (id) => {
          shown.resolve();
          await gone.promise;
          return await reach.call(orders, id);
        };
      },
    });
  const members = [stack.use(await start("p1", tlsPort)), stack.use(await start("p2", port))];
  await shown.promise;
  await postgres.kill();
  gone.resolve();
  const lost = () => members.map((it) => saidTimes(it, LOST)).reduce((a, b) => a + b);
  await eventually(() => lost() === 1, "whoever had the turn stops", WAIT_MS);
  const isSaid = ({ control }: FleetMember) =>
    control.issuance?.warnings.some((it) => /no certificate can be ordered/.test(it));
  await eventually(() => members.some(isSaid), "health says so", WAIT_MS);
  await postgres.start();
  const served = () => members.map(({ control }) => control.state.snapshot.tls?.[0]?.certPem);
  const same = () => served()[0] !== undefined && served()[0] === served()[1];
  await eventually(same, "both have the same", WAIT_MS);
  const count = (pattern: RegExp) => [...pebble.output().matchAll(pattern)].length;
  assert.deepEqual([count(/Added order "/g), count(/Issued certificate serial/g)], [1, 1]);
  assert.ok(members.every((it) => saidTimes(it, "certificate could not be obtained") === 0));
});
