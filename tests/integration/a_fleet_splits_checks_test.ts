/**
 * Checks of a backend are made by two proxies of five; who is gone is replaced, who is cut off or lies
 * takes nothing down elsewhere, and without PostgreSQL everybody checks for himself.
 */
import assert from "node:assert/strict";
import { startBackend } from "../support/backends.ts";
import { eventually } from "../support/deadline.ts";
import {
  createFleet,
  type FleetMember,
  inStep,
  openLink,
  plainRoute,
  startMember,
} from "../support/fleet.ts";
import { unusedPorts } from "../support/ports.ts";
import { postgresTest, startPostgres, type TestPostgres } from "../support/postgres.ts";
import { temporaryFolder } from "../support/temporary_folder.ts";

const ROLES = ["p1", "p2", "p3", "p4", "p5"];
const BY = { actor: "uid 0", action: "Test" };
const CHECKERS = 2;
const BEAT_MS = 250;

postgresTest(
  "a fleet checks each backend at two of its proxies, and all of them know",
  async () => {
    await using server = await startPostgres();
    await createFleet(server, { edge: [...ROLES, "liar"] });
    await using stack = new AsyncDisposableStack();
    const close = {
      onConnection: (peer: { socket: { destroy(): void } }) => peer.socket.destroy(),
    };
    const backend = stack.use(await startBackend(close));
    const ports = await unusedPorts(ROLES.length);
    const all = await Promise.all(ROLES.map(async (role, i) => {
      const { path: folder } = stack.use(temporaryFolder());
      return stack.use(
        await startMember(server, { role, folder, port: ports[i] ?? 0, beatMs: BEAT_MS }),
      );
    }));
    const [first] = all as [FleetMember, ...FleetMember[]];
    const health = { kind: "tcp", intervalMs: 200, timeoutMs: 2_000, fall: 2, rise: 1 } as const;
    const route = { ...plainRoute("a.example"), backend: backend.address, health };
    await first.control.routing.addRoute(first.addr, route as never, BY);
    await inStep(all, 2);

    await eventually(() => checking(all).length === CHECKERS, "two proxies check it");
    await eventually(() => all.every((it) => conditionOf(it) === "up"), "all find it well");
    const before = backend.connections.length;
    await eventually(() => backend.connections.length > before, "it is checked");

    // One of the two is gone, without a word.
    const [gone] = checking(all) as [FleetMember];
    const left = all.filter((it) => it !== gone);
    await gone[Symbol.asyncDispose]();
    await eventually(
      () => checking(left).length === CHECKERS && left.every((it) => it.others === left.length - 1),
      "another one checks it instead",
    );

    // One lies, or is cut off from the backend alone: the others look for themselves, and believe that.
    const [key] = await keysTold(server);
    assert.ok(key !== undefined);
    await using liar = openLink(server, { role: "liar" });
    const lies = async () => {
      const shared = JSON.stringify({ checks: { passing: "", failing: key } });
      const said = { version: "0", epoch: 1, revision: 2, health: "", uptimeMs: 0 };
      await liar.exchange(said, { shared, status: "{}", known: new Map() });
      await liar.callAttention();
    };
    await eventually(async () => {
      await lies();
      return checking(left).length === left.length;
    }, "all of them look for themselves");
    for (const { logs } of all) {
      assert.deepEqual(logs.filter(({ message }) => message === "backend is failing"), []);
    }
    await eventually(() => checking(left).length === CHECKERS, "the liar is forgotten");

    // It is not well for all of them, and well again.
    const { port } = backend;
    await backend[Symbol.asyncDispose]();
    await eventually(
      () => left.every((it) => conditionOf(it) === "failing"),
      "all find it failing",
    );
    await eventually(() => checking(left).length === CHECKERS, "two go on looking");
    const again = stack.use(await startBackend({ ...close, port }));
    await eventually(
      () => left.every((it) => conditionOf(it) !== "failing"),
      "all find it well again",
    );
    assert.ok(again.connections.length > 0);

    // Nobody hears of anybody.
    await server.kill();
    await eventually(() => checking(left).length === left.length, "each checks all by itself");
    assert.ok(left.every((it) => conditionOf(it) !== "failing"));
  },
);

/** Those that check the one backend. */
function checking(members: readonly FleetMember[]): FleetMember[] {
  return members.filter(({ control }) => (control.fleetFigures?.checks.here ?? 0) > 0);
}

function conditionOf({ control }: FleetMember): string | undefined {
  return control.board.status()[0]?.condition;
}

/** Backends that anybody says to have checked. */
async function keysTold(server: TestPostgres): Promise<string[]> {
  const rows = await server.run("SELECT shared FROM mc_proxy_fleet.bulletins");
  return rows.map(({ shared }) => JSON.parse(String(shared)).checks?.passing as string)
    .filter((it) => it !== undefined && it !== "");
}
