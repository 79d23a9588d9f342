/**
 * One proxy of a fleet orders for all, and what it gets reaches the others through a database that knows
 * nothing of it.
 */
import assert from "node:assert/strict";
import { saidTimes, shareKey, startOrderer } from "../support/acme_fleet.ts";
import { testWithCommands } from "../support/commands.ts";
import { eventually } from "../support/deadline.ts";
import { createFleet, type FleetMember } from "../support/fleet.ts";
import { type Pebble, PEBBLE_COMMANDS, startPebble } from "../support/pebble.ts";
import { unusedPorts } from "../support/ports.ts";
import { HAS_POSTGRES, startPostgres, type TestPostgres } from "../support/postgres.ts";
import { temporaryFolder } from "../support/temporary_folder.ts";

const COMMANDS = HAS_POSTGRES ? PEBBLE_COMMANDS : [...PEBBLE_COMMANDS, "postgres"];
const WAIT_MS = 30_000;
const ROLES = ["p1", "p2", "p3", "p4", "p5"];

testWithCommands(COMMANDS, "one proxy of a fleet orders for all", async () => {
  const [tlsPort = 0, ...ports] = await unusedPorts(ROLES.length);
  const [pebble, postgres] = await Promise.all([startPebble({ tlsPort }), startPostgres()]);
  using folder = temporaryFolder();
  await using stack = new AsyncDisposableStack();
  stack.use(pebble);
  stack.use(postgres);
  await createFleet(postgres, { edge: ROLES, other: ["stranger"] });
  const key = shareKey();
  const start = (role: string) =>
    startOrderer({ postgres, pebble }, {
      ...{ root: folder.path, role, port: [tlsPort, ...ports][ROLES.indexOf(role)] ?? 0 },
      shareKeys: [key],
    });
  const members: FleetMember[] = [];
  for (const role of ROLES.slice(0, 4)) members.push(stack.use(await start(role)));
  await allHave(members, "a certificate");
  const [first] = served(members);
  assert.deepEqual(served(members), members.map(() => first), "all have the same");
  assert.equal(members.reduce((sum, it) => sum + saidTimes(it), 0), 1, "one has ordered");
  assert.equal(orders(pebble), 1);
  assert.equal(accounts(pebble), 1, "with one account");

  // One that joins has it, and orders nothing.
  const fifth = await start("p5");
  await allHave([fifth], "what the others have");
  assert.deepEqual(served([fifth]), [first]);
  assert.equal(orders(pebble), 1);
  await nobodyReads(postgres, members[0]);

  // It is away while another one renews.
  await fifth[Symbol.asyncDispose]();
  await members[1]?.control.issuance?.renew("a.example");
  await eventually(
    () => served(members).every((it) => it !== first),
    "all have another",
    WAIT_MS,
  );
  assert.equal(new Set(served(members)).size, 1);
  assert.equal(orders(pebble), 2);
  assert.equal(accounts(pebble), 1);
  const [renewed] = served(members);
  await using again = await start("p5");
  await eventually(() => served([again])[0] === renewed, "it has it, too");

  // PostgreSQL is gone: everybody serves on.
  await postgres.kill();
  assert.deepEqual(served([...members, again]), [...members, again].map(() => renewed));
  await postgres.start();
});

/** The certificates that members serve. */
function served(members: readonly FleetMember[]): (string | undefined)[] {
  return members.map(({ control }) => control.state.snapshot.tls?.[0]?.certPem);
}

async function allHave(members: readonly FleetMember[], what: string): Promise<void> {
  const has = () => served(members).every((it) => it !== undefined);
  await eventually(has, `each has ${what}`, WAIT_MS);
}

/** Orders that the CA has had. */
function orders(pebble: Pebble): number {
  return [...pebble.output().matchAll(/Added order "/g)].length;
}

function accounts(pebble: Pebble): number {
  return Number([...pebble.output().matchAll(/There are now (\d+) accounts/g)].at(-1)?.[1]);
}

/** Whoever has the database has no key, and whoever has another group's role not even this. */
async function nobodyReads(
  postgres: TestPostgres,
  member: FleetMember | undefined,
): Promise<void> {
  const rows = await postgres.run(
    `SELECT string_agg(t::text, ' ') AS all FROM (
      SELECT s::text AS t FROM mc_proxy_fleet.secrets s UNION ALL
      SELECT o::text FROM mc_proxy_fleet.orders o) x`,
  );
  const all = String(rows[0]?.all);
  assert.match(all, /certificate https:\S+ a\.example/);
  assert.doesNotMatch(all, /BEGIN|PRIVATE|MIGH|MHcC/);
  const held = member?.control.issuance?.status()[0]?.certificate;
  assert.ok(held !== undefined && !all.includes(held.keyPem.slice(40, 80)));
}
