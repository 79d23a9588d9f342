/**
 * Five proxies of one group, with control and data planes of their own, and a real PostgreSQL.
 *
 * FLEET_CHANGES=10000 makes as many changes; a few otherwise.
 */
import assert from "node:assert/strict";
import type { Operation } from "../../lib/control/mod.ts";
import {
  createFleet,
  type FleetMember,
  inStep,
  plainRoute,
  startMember,
} from "../support/fleet.ts";
import { eventually } from "../support/deadline.ts";
import { unusedPorts } from "../support/ports.ts";
import { postgresTest, startPostgres, type TestPostgres } from "../support/postgres.ts";
import { temporaryFolder } from "../support/temporary_folder.ts";

const ROLES = ["p1", "p2", "p3", "p4", "p5"];
const CHANGES = Number(Deno.env.get("FLEET_CHANGES") ?? 50);
/** Entries that one has missed; 500 are read at once. */
const AWAY = 520;
const BY: Operation = { actor: "uid 0 (alice)", action: "Test" };

postgresTest("a fleet has one truth, and serves it without PostgreSQL", async () => {
  await using server = await startPostgres();
  await createFleet(server, { edge: ROLES });
  await using fleet = await startFleet(server);
  await manyWriters(server, fleet.members);
  await otherRevisions(fleet.members);
  await onItsOwn(fleet.members);
  await longAway(server, fleet);
  await withoutPostgres(server, fleet);
});

/** Members that come and go. */
class Fleet implements AsyncDisposable {
  readonly members: FleetMember[] = [];
  readonly #folders = ROLES.map(() => temporaryFolder());

  constructor(readonly server: TestPostgres, readonly ports: readonly number[]) {}

  async start(index: number): Promise<FleetMember> {
    const role = ROLES[index] ?? "";
    const folder = this.#folders[index]?.path ?? "";
    const member = await startMember(this.server, { role, folder, port: this.ports[index] ?? 0 });
    this.members[index] = member;
    return member;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const member of this.members) await member[Symbol.asyncDispose]();
    for (const folder of this.#folders) folder[Symbol.dispose]();
  }
}

async function startFleet(server: TestPostgres): Promise<Fleet> {
  const fleet = new Fleet(server, await unusedPorts(ROLES.length));
  for (const index of ROLES.keys()) await fleet.start(index);
  return fleet;
}

/** Five writers at once: no revision is missing, and all replicas are the same. */
async function manyWriters(server: TestPostgres, members: readonly FleetMember[]): Promise<void> {
  const own = CHANGES / members.length;
  const latest: number[] = [];
  await Promise.all(members.map(async (member, n) => {
    for (let i = 0; i < own; i++) latest.push(await changeSomething(member, { n, i }));
  }));
  const [rows] = await server.run(`SELECT count(*)::int AS count, min(revision)::int AS first,
    max(revision)::int AS last FROM mc_proxy_fleet.log`);
  assert.deepEqual({ ...rows }, { count: CHANGES + 1, first: 1, last: CHANGES + 1 });
  assert.equal(new Set(latest).size, CHANGES, "each change has a revision of its own");
  await inStep(members, CHANGES + 1);
  allTheSame(members);
  const [audit] = await server.run(`SELECT count(*)::int AS count FROM mc_proxy_fleet.audit
    WHERE proxy = 'p3' AND role = 'p3' AND actor = 'uid 0 (alice)'`);
  assert.equal(audit?.count, own);
  const entries = members[0]?.control.state.database.audit.list({ limit: 1000 }) ?? [];
  const others = entries.filter(({ actor }) => actor === "uid 0 (alice) at p3");
  assert.equal(others.length, Math.min(own, others.length));
  assert.ok(others.length > 0, "the audit log of one names what was done at another");
}

/** Adds, changes and removes; what it says when it is done is its revision. */
async function changeSomething(
  { control: { routing, firewall }, addr }: FleetMember,
  { n, i }: { readonly n: number; readonly i: number },
): Promise<number> {
  let revision = 0;
  const operation: Operation = { ...BY, onRevision: (it) => revision = it };
  const hostname = `r${Math.floor(i / 4)}.p${n}.example`;
  const route = { ...plainRoute(hostname), backend: `127.0.0.1:${i + 1}` };
  switch (i % 4) {
    case 0:
      // By its name in the group, as well as by where it is.
      await routing.addRoute(n === 0 ? "edge" : addr, route, operation);
      break;
    case 1:
      await routing.updateRoute({ addr, hostname, change: () => route, close: false }, operation);
      break;
    case 2:
      await firewall.addRule({
        rule: { type: "ip", value: `10.${n}.${i >> 8}.${i & 255}`, reason: "test" },
        close: false,
      }, operation);
      break;
    default:
      if (i % 8 === 3) await routing.removeRoute({ addr, hostname, close: false }, operation);
      else await firewall.setRateLimit({ limit: 1000 + i * 5 + n, windowMs: 1000 }, operation);
  }
  return revision;
}

/** A change that was made for another revision, here or elsewhere. */
async function otherRevisions([first, second]: readonly FleetMember[]): Promise<void> {
  assert.ok(first !== undefined && second !== undefined);
  const { revision } = first;
  const add = (member: FleetMember, name: string, ifRevision: number) =>
    member.control.routing.addRoute(member.addr, plainRoute(name), { ...BY, ifRevision });
  await add(first, "one.example", revision);
  // The other may not have heard of it yet, and takes it all the same.
  await add(second, "two.example", revision + 1);
  await assert.rejects(add(first, "three.example", revision + 1), { code: "aborted" });
  await assert.rejects(add(second, "three.example", revision + 9), { code: "aborted" });
}

/** A rule that ends does so everywhere, and is no revision. */
async function onItsOwn(members: readonly FleetMember[]): Promise<void> {
  const [first] = members;
  const rule = { type: "ip", value: "192.0.2.66", reason: "" } as const;
  await first?.control.firewall.addRule({ rule, ttlMs: 1_000, close: false }, BY);
  const revision = first?.revision ?? 0;
  await inStep(members, revision);
  const isGone = () => members.every((member) => !member.content().includes("192.0.2.66"));
  await eventually(isGone, "the rule has ended");
  assert.ok(members.every((member) => member.revision === revision));
}

/** More than is read at once has happened to the group while one of it was away. */
async function longAway(server: TestPostgres, fleet: Fleet): Promise<void> {
  const index = ROLES.length - 1;
  const revision = fleet.members[0]?.revision ?? 0;
  await fleet.members[index]?.[Symbol.asyncDispose]();
  await server.run(`SELECT mc_proxy_fleet.admit('edge', 'postgres');
    SELECT mc_proxy_fleet.append('edge', 1, ${revision} + i, gen_random_uuid(), 0, 'px', 'psql',
      'Test', CASE WHEN i < ${AWAY} - 1 THEN jsonb_build_array(jsonb_build_array('put',
        jsonb_build_array('rule', 'block', 'ip', '10.9.' || i / 256 || '.' || i % 256),
        jsonb_build_object('type', 'ip', 'value', '10.9.' || i / 256 || '.' || i % 256)))
      ELSE '[["cut", ["rule", "block", "ip", "10.9.0.0"]]]' END, '[]')
    FROM generate_series(0, ${AWAY} - 1) i`);
  const again = await fleet.start(index);
  await inStep(fleet.members, revision + AWAY);
  allTheSame(fleet.members);
  assert.match(again.content(), /10\.9\.2\.5/);
  assert.doesNotMatch(again.content(), /10\.9\.0\.0/);
}

/** PostgreSQL dies: what is served is served on, a proxy starts, bans are taken and sent later. */
async function withoutPostgres(server: TestPostgres, fleet: Fleet): Promise<void> {
  const [first, , third, , last] = fleet.members;
  assert.ok(first !== undefined && third !== undefined && last !== undefined);
  await inStep(fleet.members, 0);
  const { revision } = first;
  const before = first.content();
  await server.kill();
  await assert.rejects(first.control.routing.addRoute(first.addr, plainRoute("x.example"), BY), {
    code: "unavailable",
    message: /PostgreSQL (cannot be reached|has not answered)/,
  });
  assert.equal(first.content(), before);
  await first.control.firewall.addRule({
    rule: { type: "ip", value: "192.0.2.77", reason: "while it was away" },
    ttlMs: 3_600_000,
    close: false,
  }, BY);
  assert.equal(first.revision, revision, "a ban of one proxy is no revision of the group");
  await last[Symbol.asyncDispose]();
  const again = await fleet.start(ROLES.length - 1);
  assert.equal(again.content(), before);
  assert.ok(again.served().includes("one.example"));
  await eventually(
    () => again.control.groupWarnings.some((it) => it.includes("cannot be followed")),
    "a warning",
  );
  await server.start();
  await inStep(fleet.members, revision + 1);
  allTheSame(fleet.members);
  assert.match(third.content(), /192\.0\.2\.77/);
  await third.control.routing.addRoute(third.addr, plainRoute("x.example"), BY);
  await inStep(fleet.members, revision + 2);
  allTheSame(fleet.members);
}

function allTheSame(members: readonly FleetMember[]): void {
  const [first, ...others] = members;
  for (const other of others) assert.equal(other.content(), first?.content(), other.name);
}
