/**
 * The rate limit holds over two proxies together, and over the shares of those that are cut off from each
 * other. A ban holds everywhere, wherever it was made, and one that was made without PostgreSQL comes to
 * the others once, unless its time or somebody else was faster.
 */
import assert from "node:assert/strict";
import { connect } from "node:net";
import { type Backend, startEchoBackend } from "../support/backends.ts";
import { eventually } from "../support/deadline.ts";
import {
  createFleet,
  type FleetMember,
  inStep,
  plainRoute,
  startMember,
} from "../support/fleet.ts";
import { buildClientHello } from "../support/hello.ts";
import { Peer } from "../support/peer.ts";
import { unusedPorts } from "../support/ports.ts";
import { postgresTest, startPostgres, type TestPostgres } from "../support/postgres.ts";
import { TcpRelay } from "../support/tcp_relay.ts";
import { temporaryFolder } from "../support/temporary_folder.ts";

const BY = { actor: "uid 0", action: "Test" };
const HELLO = buildClientHello({ serverName: "echo.example" });
const HOUR_MS = 3_600_000;
const BAN = { type: "ip", reason: "test" } as const;

/** Two proxies, of which one can be cut off. */
interface Pair extends AsyncDisposable {
  readonly server: TestPostgres;
  readonly p1: FleetMember;
  readonly p2: FleetMember;
  readonly way: TcpRelay;
  readonly backend: Backend;
}

postgresTest("a fleet's limits and bans hold over all its proxies", async () => {
  await using pair = await startPair();
  await limitTogether(pair);
  await limitRoutesTogether(pair);
  await keepToShares(pair);
  await banWhileCutOff(pair);
  await banByLimit(pair);
});

async function startPair(): Promise<Pair> {
  await using stack = new AsyncDisposableStack();
  const server = stack.use(await startPostgres());
  await createFleet(server, { edge: ["p1", "p2"] });
  const backend = stack.use(await startEchoBackend());
  const way = stack.use(new TcpRelay(server.address));
  const [first, second] = await unusedPorts(2) as [number, number];
  const folders = [stack.use(temporaryFolder()), stack.use(temporaryFolder())];
  const ban = `[[ban]]
    on = ["rate_limited"]
    count = 3
    within = "1m"
    for = "1h"`;
  const more = { more: ban, beatMs: 200, deadlineMs: 2_000 };
  const [one, two] = folders.map(({ path }) => path) as [string, string];
  const p1 = stack.use(
    await startMember(server, { ...more, role: "p1", folder: one, port: first }),
  );
  const through = { host: "127.0.0.1", port: way.port };
  const p2 = stack.use(
    await startMember(server, { ...more, role: "p2", folder: two, port: second, through }),
  );
  const route = { ...plainRoute("echo.example"), backend: backend.address };
  await p1.control.routing.addRoute(p1.addr, route, BY);
  await inStep([p1, p2], 2);
  await eventually(() => p1.others === 1 && p2.others === 1, "they know each other");
  const moved = stack.move();
  return {
    ...{ server, p1, p2, way, backend },
    [Symbol.asyncDispose]: () => moved.disposeAsync(),
  };
}

/** What one has let in the other one knows; and neither bans for the first refusals. */
async function limitTogether({ p1, p2 }: Pair): Promise<void> {
  await p1.control.firewall.setRateLimit({ limit: 4, windowMs: 60_000 }, BY);
  await inStep([p1, p2], 3);
  await eventually(() => limitOf(p2) === 4, "the limit is in effect");
  for (let i = 0; i < 3; i++) assert.equal(await outcome(p1), "admitted");
  await eventually(() => countAt(p2) === 3, "the other one knows of three");
  assert.equal(await outcome(p2), "admitted");
  await eventually(() => countAt(p1) === 4, "and the first one of the fourth");
  assert.equal(await outcome(p1), "refused");
  assert.equal(await outcome(p2), "refused");
}

async function limitRoutesTogether({ p1, p2, backend }: Pair): Promise<void> {
  await p1.control.firewall.setRateLimit({ limit: 0, windowMs: 60_000 }, BY);
  const rate = { connections: 2, perMs: 60_000 };
  const route = { ...plainRoute("echo.example"), backend: backend.address, rate };
  const { addr } = p1;
  const changed = { addr, hostname: "echo.example", change: () => route, close: false };
  await p1.control.routing.updateRoute(changed, BY);
  await inStep([p1, p2], 5);
  for (let i = 0; i < 2; i++) assert.equal(await outcome(p1), "admitted");
  await eventually(() => explained(p2).outcome === "rate_limited", "the other one knows of both");
  const plain = { ...plainRoute("echo.example"), backend: backend.address };
  await p1.control.routing.updateRoute({ ...changed, change: () => plain }, BY);
  await inStep([p1, p2], 6);
}

/** Who is cut off keeps to its half, and has the whole again when it is back. */
async function keepToShares({ p1, p2, way }: Pair): Promise<void> {
  await p1.control.firewall.setRateLimit({ limit: 10, windowMs: 60_000 }, BY);
  await inStep([p1, p2], 7);
  await eventually(() => limitOf(p2) === 10, "the limit is in effect");
  way.mode = "refusing";
  await eventually(() => limitOf(p2) === 5, "half of it is left for who is cut off");
  assert.equal(limitOf(p1), 10);
  way.mode = "fast";
  await eventually(() => limitOf(p2) === 10 && p2.others === 1, "the whole again");
}

async function banWhileCutOff({ server, p1, p2, way }: Pair): Promise<void> {
  const ban = (member: FleetMember, value: string, ttlMs = HOUR_MS) =>
    member.control.firewall.addRule({ rule: { ...BAN, value }, ttlMs, close: false }, BY);
  // From there to here, soon.
  await ban(p2, "192.0.2.1");
  await eventually(() => isBanned(p1, "192.0.2.1"), "a ban holds everywhere");
  way.mode = "refusing";
  await eventually(() => p2.control.groupWarnings.length > 0, "one is cut off");
  for (const value of ["192.0.2.2", "192.0.2.3", "192.0.2.4"]) await ban(p2, value);
  await ban(p2, "192.0.2.5", 1_000);
  assert.ok(["192.0.2.2", "192.0.2.5"].every((it) => isBanned(p2, it)), "it holds at once");
  assert.ok(!isBanned(p1, "192.0.2.2"));
  // Meanwhile another has made the same, or has made and removed it.
  await ban(p1, "192.0.2.3");
  await ban(p1, "192.0.2.4");
  await p1.control.firewall.removeRule({ ...BAN, value: "192.0.2.4" } as never, BY);
  await eventually(() => !isBanned(p2, "192.0.2.5"), "one has ended");
  way.mode = "fast";
  await eventually(() => isBanned(p1, "192.0.2.2"), "what is owed is sent");
  await eventually(
    () => p2.control.state.database.settings.unsent.length === 0 && p1.revision === p2.revision,
    "and nothing is owed any more",
  );
  for (const member of [p1, p2]) {
    assert.ok(isBanned(member, "192.0.2.3"), member.name);
    assert.ok(!isBanned(member, "192.0.2.4"), `${member.name}: removed is removed`);
    assert.ok(!isBanned(member, "192.0.2.5"), `${member.name}: over is over`);
  }
  assert.equal(p1.content(), p2.content());
  const said = await server.run(
    "SELECT subject FROM mc_proxy_fleet.audit WHERE action = 'SendBans' ORDER BY subject",
  );
  assert.deepEqual(said.map(({ subject }) => subject), ["ip 192.0.2.2"], "once, and nothing else");
}

/** Who is refused again and again is banned at both. */
async function banByLimit({ p1, p2 }: Pair): Promise<void> {
  await p1.control.firewall.setRateLimit({ limit: 1, windowMs: 60_000 }, BY);
  await eventually(() => limitOf(p1) === 1, "the limit is in effect");
  await outcome(p1);
  await eventually(async () => {
    await outcome(p1);
    return isBanned(p1, "127.0.0.1");
  }, "it is banned");
  await eventually(() => isBanned(p2, "127.0.0.1"), "at the other one too");
  await eventually(() => explained(p2).outcome === "blocked", "and refused");
  assert.equal(await outcome(p2), "refused");
}

function isBanned({ control }: FleetMember, value: string): boolean {
  return control.state.database.rules.find({ action: "block", type: "ip", value }) !== undefined;
}

/** What becomes of a connection. */
async function outcome({ control }: FleetMember): Promise<"admitted" | "refused"> {
  const port = control.listeners[0]?.port ?? 0;
  const peer = new Peer(connect({ host: "127.0.0.1", port, allowHalfOpen: true }));
  peer.socket.write(HELLO);
  const end = peer.ending.then(() => "refused" as const);
  const answer = peer.read(1).then(() => "admitted" as const, () => "refused" as const);
  const found = await Promise.race([answer, end]);
  peer.socket.destroy();
  await peer.closed;
  return found;
}

function explained({ control, addr }: FleetMember) {
  return control.explain({ clientIp: "127.0.0.1", listenerAddr: addr, sni: "echo.example" });
}

/** Such as `rate limit: 3 of at most 4 new connections, the window ends in 58s`. */
function rateOf(member: FleetMember): readonly number[] {
  const words = explained(member).steps.find((it) => it.startsWith("rate limit: "));
  const found = /^rate limit: (\d+) of at most (\d+)/.exec(words ?? "");
  return [Number(found?.[1] ?? -1), Number(found?.[2] ?? -1)];
}

function countAt(member: FleetMember): number {
  return rateOf(member)[0] ?? -1;
}

function limitOf(member: FleetMember): number {
  return rateOf(member)[1] ?? -1;
}
