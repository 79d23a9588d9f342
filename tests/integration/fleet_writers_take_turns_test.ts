/**
 * Whoever appends to a group's log waits for its turn: in the order in which they came, not for long
 * for one that has fallen silent, and not for proxies that would not understand the change.
 */
import assert from "node:assert/strict";
import postgres from "postgres";
import { type Edit, FleetLink, type NewEntry, put, type Turn } from "../../lib/fleet/mod.ts";
import { eventually } from "../support/deadline.ts";
import { createFleet, linkOptions, openLink, ROLE_PASSWORD } from "../support/fleet.ts";
import { postgresTest, startPostgres, type TestPostgres } from "../support/postgres.ts";
import { TcpRelay } from "../support/tcp_relay.ts";

const ROLES = ["p1", "p2", "p3", "p4"];

postgresTest("writers of a fleet take turns", async () => {
  await using server = await startPostgres();
  await createFleet(server, {
    ...{ edge: ROLES, level: ["p1_level", "p2_level"] },
    ...{ other: ["p1_other"], third: ["stranger"] },
  });
  await using stack = new AsyncDisposableStack();
  const links = ROLES.map((role) => stack.use(openLink(server, { role })));
  for (const link of links) await link.prepare();
  await inOrder(server, links);
  await staleMeanwhile(server, links);
  await Promise.all([silent(server, links), hostile(server)]);
  await unfit(server);
});

/** Four come one after the other, the first at once again: it is the last. */
async function inOrder(server: TestPostgres, links: readonly FleetLink[]): Promise<void> {
  const order: string[] = [];
  const work = async (link: FleetLink, turn: Turn) => {
    order.push(link.options.proxy);
    const entry = newEntry(turn.revision ?? 0, [ban(`192.0.2.${order.length}`)]);
    assert.deepEqual(await turn.append(entry), { status: "done", revision: entry.after + 1 });
  };
  const [first, ...others] = links;
  assert.ok(first !== undefined);
  const held = await first.takeTurn();
  const waiting: Promise<void>[] = [];
  for (const link of others) {
    waiting.push(link.takeTurn().then((turn) => work(link, turn)));
    await waiters(server, waiting.length);
  }
  await work(first, held);
  waiting.push(first.takeTurn().then((turn) => work(first, turn)));
  await Promise.all(waiting);
  assert.deepEqual(order, ["p1", "p2", "p3", "p4", "p1"]);
}

/** Who appends without a turn waits for who has it, and learns that the revision is over. */
async function staleMeanwhile(server: TestPostgres, links: readonly FleetLink[]): Promise<void> {
  const [first, second] = links;
  assert.ok(first !== undefined && second !== undefined);
  const turn = await first.takeTurn();
  const at = turn.revision ?? 0;
  const other = second.append(newEntry(at, [ban("192.0.2.20")]));
  await waiters(server, 1);
  assert.equal((await turn.append(newEntry(at, [ban("192.0.2.21")]))).status, "done");
  assert.deepEqual(await other, { status: "stale", revision: at + 1 });
  // A turn that is not used changes nothing.
  await (await first.takeTurn())[Symbol.asyncDispose]();
  assert.equal((await second.append(newEntry(at + 1, [ban("192.0.2.20")]))).status, "done");
}

/** Nobody waits for one that does not answer any more, and what it says then comes too late. */
async function silent(server: TestPostgres, links: readonly FleetLink[]): Promise<void> {
  const [, second] = links;
  assert.ok(second !== undefined);
  await using relay = new TcpRelay(server.address);
  const { server: there, ...rest } = linkOptions(server, { role: "p1" });
  const through = { ...there, host: "127.0.0.1", port: relay.port };
  await using link = new FleetLink({ ...rest, server: through });
  const turn = await link.takeTurn();
  const at = turn.revision ?? 0;
  relay.mode = "silent";
  assert.equal((await second.append(newEntry(at, [ban("192.0.2.30")]))).status, "done");
  relay.mode = "fast";
  relay.cut();
  const late = newEntry(at, [ban("192.0.2.31")]);
  // Whether it hears of the end first or asks anew: nothing is appended.
  const answer = await turn.append(late).catch(() => undefined);
  assert.notEqual(answer?.status, "done");
  assert.equal((await second.head(0)).revision, at + 1);
}

/** Anybody may take the lock that turns are: it delays, and hinders nobody. */
async function hostile(server: TestPostgres): Promise<void> {
  const { host, port, database } = server.address;
  const stranger = postgres({
    ...{ host, port, database, user: "stranger", password: ROLE_PASSWORD, max: 1 },
    onnotice: () => {},
  });
  try {
    const [row] = await server.run(`SELECT hashtextextended(id::text, 0)::text AS key
      FROM mc_proxy_fleet.groups WHERE group_name = 'other'`);
    await stranger.unsafe(`SELECT pg_advisory_lock(${row?.key})`);
    await using link = openLink(server, { role: "p1_other", group: "other" });
    const entry = newEntry(0, [ban("192.0.2.1")]);
    assert.deepEqual(await link.append(entry), { status: "done", revision: 1 });
  } finally {
    await stranger.end();
  }
}

/** What a proxy does not understand is not appended while it belongs to the group. */
async function unfit(server: TestPostgres): Promise<void> {
  const formats = { known: 2, since: new Map([["rule.reason", 2]]) };
  const base = linkOptions(server, { role: "p1_level", group: "level" });
  await using newer = new FleetLink({ ...base, formats });
  await using older = openLink(server, { role: "p2_level", group: "level" });
  const report = { version: "0.1.0", epoch: 1, revision: 0, health: "", uptimeMs: 0 };
  await newer.report({ ...report, version: "0.2.0" });
  await older.report(report);
  const entry = newEntry(0, [ban("192.0.2.1")]);
  const refused = { status: "unfit", unfit: ["p2_level (0.1.0)"] };
  assert.deepEqual(await newer.append(entry), refused);
  assert.deepEqual(await (await newer.takeTurn()).append(entry), refused);
  // What everybody understands is no matter.
  const plain = newEntry(0, [{ do: "cut", key: ["rule", "block", "ip", "192.0.2.9"] }]);
  assert.deepEqual(await newer.append(plain), { status: "done", revision: 1 });
  // It says so itself when it is upgraded, and whoever is gone is taken off.
  await using upgraded = new FleetLink({
    ...linkOptions(server, { role: "p2_level", group: "level" }),
    formats,
  });
  await upgraded.report(report);
  assert.equal((await newer.append({ ...entry, after: 1 })).status, "done");
  await older.report(report);
  const next = newEntry(2, [ban("192.0.2.2")]);
  assert.deepEqual(await newer.append(next), refused);
  assert.equal(await newer.forget("p2_level"), true);
  assert.deepEqual(await newer.append(next), { status: "done", revision: 3 });
}

/** Waits until so many wait for a turn. */
async function waiters(server: TestPostgres, count: number): Promise<void> {
  await eventually(async () => {
    const [row] = await server.run(`SELECT count(*)::int AS count FROM pg_stat_activity
      WHERE application_name = 'mc-proxy fleet' AND wait_event_type = 'Lock'`);
    return row?.count === count;
  }, `${count} wait`);
}

function newEntry(after: number, edits: readonly Edit[]): NewEntry {
  return {
    ...{ id: crypto.randomUUID(), epoch: 1, after, edits, time: 0 },
    ...{ actor: "uid 0", action: "Test", audit: [["subject", "", "{}"]] },
  };
}

function ban(value: string): Edit {
  return put({ kind: "rule", rule: { type: "ip", value, reason: "" } });
}
