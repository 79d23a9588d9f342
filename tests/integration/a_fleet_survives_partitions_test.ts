/**
 * Random changes at random proxies, whose ways to PostgreSQL are slow, cut, or silent, which end and
 * start again, as PostgreSQL does, whose log is cut short: what was acknowledged is there, what was refused is not, and
 * in the end all have the same. FLEET_SEED makes the same choices again, FLEET_ROUNDS more of them.
 */
import assert from "node:assert/strict";
import { RefusedError } from "../../lib/control/mod.ts";
import { eventually } from "../support/deadline.ts";
import { createFleet, type FleetMember, plainRoute, startMember } from "../support/fleet.ts";
import { unusedPorts } from "../support/ports.ts";
import { postgresTest, startPostgres } from "../support/postgres.ts";
import { TcpRelay } from "../support/tcp_relay.ts";
import { temporaryFolder } from "../support/temporary_folder.ts";

const ROLES = ["p1", "p2", "p3"];
const ROUNDS = Number(Deno.env.get("FLEET_ROUNDS") ?? 24);
/** Silence is noticed after so long, and a busy machine is not silence. */
const DEADLINE_MS = 2_000;
const HOSTNAMES = ["a", "b", "c", "d", "e"].map((name) => `${name}.example`);
const BY = { actor: "uid 0", action: "Test" };

postgresTest("a fleet loses nothing on bad ways to PostgreSQL", async () => {
  const seed = Number(Deno.env.get("FLEET_SEED") ?? crypto.getRandomValues(new Uint32Array(1))[0]);
  const random = generator(seed);
  await using server = await startPostgres();
  await createFleet(server, { edge: ROLES });
  await using stack = new AsyncDisposableStack();
  const relays = ROLES.map(() => stack.use(new TcpRelay(server.address)));
  const ports = await unusedPorts(ROLES.length);
  const folders = ROLES.map(() => stack.use(temporaryFolder()).path);
  const members: FleetMember[] = [];
  const start = async (i: number) => {
    members[i] = await startMember(server, {
      ...{ role: ROLES[i] ?? "", folder: folders[i] ?? "", port: ports[i] ?? 0 },
      through: { host: "127.0.0.1", port: relays[i]?.port ?? 0 },
      deadlineMs: DEADLINE_MS,
    });
  };
  stack.defer(async () => {
    for (const member of members) await member[Symbol.asyncDispose]();
  });
  for (const i of ROLES.keys()) await start(i);
  const model = new Model();
  let isDown = false;
  for (let round = 0; round < ROUNDS; round++) {
    const relay = relays[random(relays.length)];
    if (relay !== undefined && random(4) === 0) {
      const modes = ["fast", "slow", "silent", "refusing"] as const;
      relay.mode = modes[random(modes.length)] ?? "fast";
      if (random(2) === 0) relay.cut();
    }
    const fault = random(24);
    if (isDown && random(3) === 0) {
      await server.start();
      isDown = false;
    } else if (!isDown && fault === 0) {
      await server.crash();
      isDown = true;
    } else if (!isDown && fault === 1) {
      await server.run(`DELETE FROM mc_proxy_fleet.log
        WHERE revision < (SELECT max(revision) FROM mc_proxy_fleet.log) - 1`);
    } else if (fault === 2) {
      const i = random(members.length);
      await members[i]?.[Symbol.asyncDispose]();
      await start(i);
    }
    const member = members[random(members.length)];
    if (member !== undefined) await model.change(member, { random, round });
  }
  if (isDown) await server.start();
  for (const relay of relays) relay.mode = "fast";
  for (const relay of relays) relay.cut();
  await eventually(async () => {
    // Before the group is asked: what was sent is in the log by then.
    if (members.some(({ control }) => control.state.database.settings.unsent.length > 0)) {
      return false;
    }
    const [row] = await server.run("SELECT revision::int AS revision FROM mc_proxy_fleet.groups");
    return members.every((member) => member.revision === row?.revision);
  }, `all at the group's revision (FLEET_SEED=${seed})`);
  const [gaps] = await server.run(`SELECT count(*)::int AS count, min(revision)::int AS first,
    max(revision)::int AS last FROM mc_proxy_fleet.log`);
  assert.equal(gaps?.count, gaps?.last - gaps?.first + 1, "no revision is missing");
  for (const member of members) {
    assert.equal(member.content(), members[0]?.content(), `FLEET_SEED=${seed}`);
    model.check(member, seed);
  }
});

/** What is known of the state: of what was not answered for sure, either. */
class Model {
  readonly #backends = new Map<string, Set<string>>(
    HOSTNAMES.map((name) => [name, new Set([""])]),
  );
  readonly #bans = new Set<string>();

  /** Adds, changes, removes, or bans. */
  async change(
    member: FleetMember,
    { random, round }: { readonly random: (below: number) => number; readonly round: number },
  ): Promise<void> {
    const { control: { routing, firewall }, addr } = member;
    if (random(4) === 0) {
      const value = `10.0.${round >> 8}.${round & 255}`;
      const rule = { type: "ip", value, reason: "test" } as const;
      await firewall.addRule({ rule, ttlMs: 3_600_000, close: false }, BY);
      this.#bans.add(value); // Whatever the way: it holds.
      return;
    }
    const hostname = HOSTNAMES[random(HOSTNAMES.length)] ?? "";
    const backend = `127.0.0.1:${round + 1}`;
    const route = { ...plainRoute(hostname), backend };
    const kind = random(3);
    try {
      if (kind === 0) await routing.addRoute(addr, route, BY);
      else if (kind === 1) {
        await routing.updateRoute({ addr, hostname, change: () => route, close: false }, BY);
      } else await routing.removeRoute({ addr, hostname, close: false }, BY);
      this.#backends.set(hostname, new Set([kind === 2 ? "" : backend]));
    } catch (error) {
      if (!(error instanceof RefusedError)) throw error;
      if (/is not known|as its revision/.test(error.message)) {
        this.#backends.get(hostname)?.add(kind === 2 ? "" : backend);
      } else assert.match(error.code, /unavailable|not_found|already_exists|aborted/);
    }
  }

  check({ control }: FleetMember, seed: number): void {
    const routes = control.listeners.flatMap((listener) => listener.routes);
    for (const [hostname, possible] of this.#backends) {
      const found = routes.find((route) => route.hostname === hostname)?.backend ?? "";
      assert.ok(
        possible.has(found),
        `${hostname}: ${found} of ${[...possible]}, FLEET_SEED=${seed}`,
      );
    }
    const rules = control.state.database.rules.list().map(({ value }) => value);
    for (const value of this.#bans) {
      assert.ok(rules.includes(value), `${value}, FLEET_SEED=${seed}`);
    }
  }
}

/** Numbers below a bound, by a linear congruence. */
function generator(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor(state / 2 ** 32 * below);
  };
}
