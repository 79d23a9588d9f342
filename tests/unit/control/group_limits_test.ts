import assert from "node:assert/strict";
import { parseIp } from "../../../lib/addr/mod.ts";
import { GroupLimits } from "../../../lib/control/group_limits.ts";
import { createRateLimiter, type RateLimiter } from "../../../lib/firewall/mod.ts";
import type { Neighbour } from "../../../lib/fleet/mod.ts";
import type { Snapshot } from "../../../lib/plane/mod.ts";

const NOW = 1_000_000;
const WINDOW_MS = 10_000;

function ip(text: string) {
  const parsed = parseIp(text);
  assert.ok(parsed.ok);
  return parsed.value;
}

const CLIENT = ip("192.0.2.7");

function limiterOf(limit: number): RateLimiter {
  const key = Uint32Array.of(1, 2, 3, 4);
  return createRateLimiter({ limit, windowMs: WINDOW_MS, key, notes: 256, maxSources: 1024 });
}

/** Limits over a state with a limit of everything, and one of a route at a named listener. */
class World {
  readonly all = limiterOf(20);
  readonly route = limiterOf(10);
  now = NOW;
  snapshot = this.#snapshotOf(this.all, "127.0.0.1:1");
  readonly watchers = new Set<() => void>();
  readonly limits: GroupLimits;

  constructor(addr = "127.0.0.1:1") {
    this.snapshot = this.#snapshotOf(this.all, addr);
    // deno-lint-ignore no-this-alias
    const world = this;
    const state = {
      get snapshot() {
        return world.snapshot;
      },
      watch: (watcher: () => void) => {
        world.watchers.add(watcher);
        return { [Symbol.dispose]: () => world.watchers.delete(watcher) };
      },
    };
    this.limits = new GroupLimits({
      state: state as never,
      listenerNames: new Map([["edge", addr]]),
      now: () => this.now,
    });
  }

  /** The limit of everything is another one. */
  replace(limiter: RateLimiter): void {
    this.snapshot = this.#snapshotOf(limiter, "127.0.0.1:1");
    for (const watcher of this.watchers) watcher();
  }

  #snapshotOf({ buffer }: RateLimiter, addr: string): Snapshot {
    const memory = { connectionRate: this.route.buffer };
    const rate = { connections: 10, perMs: WINDOW_MS };
    return {
      firewall: { rateLimit: { limit: 20, windowMs: WINDOW_MS, buffer } },
      listeners: [{ addr, routes: [{ hostname: "a.example", rate, memory }, { hostname: "b" }] }],
    } as unknown as Snapshot;
  }
}

function heardOf(counts: Neighbour["bulletin"]["counts"], proxy = "p2"): Neighbour {
  return { proxy, silentMs: 0, stamp: 1, bulletin: { ...counts && { counts } } };
}

Deno.test("GroupLimits tells what one proxy has admitted, and another one charges what is new of it", () => {
  // The listener of the group is elsewhere at each.
  const [one, two] = [new World("127.0.0.1:1"), new World("127.0.0.1:2")];
  two.limits.hear([heardOf([])]);
  one.limits.hear([heardOf([])]);
  for (let i = 0; i < 6; i++) one.all.admit(CLIENT, NOW);
  for (let i = 0; i < 4; i++) one.route.admit(CLIENT, NOW);
  const told = one.limits.tell();
  assert.deepEqual(told.map(([, source, count]) => [source, count]), [
    ["c0000207.0.4", 6],
    ["c0000207.0.4", 4],
  ]);
  two.limits.hear([heardOf(told)]);
  assert.equal(two.all.look(CLIENT, NOW).count, 6);
  assert.equal(two.route.look(CLIENT, NOW).count, 4);
  // Heard twice it counts once; of what is told anew the difference does.
  two.limits.hear([heardOf(told)]);
  two.limits.hear([heardOf(structuredClone(told))]);
  assert.equal(two.all.look(CLIENT, NOW).count, 6);
  one.all.admit(CLIENT, NOW);
  two.limits.hear([heardOf(one.limits.tell())]);
  assert.equal(two.all.look(CLIENT, NOW).count, 7);
  // What others have admitted is not what this one tells.
  assert.deepEqual(two.limits.tell(), []);
  two.all.admit(CLIENT, NOW);
  assert.deepEqual(two.limits.tell().map(([, , count]) => count), [1]);
});

Deno.test("GroupLimits charges nothing of what a proxy tells that it hears for the first time", () => {
  const world = new World();
  const told = (count: number) => {
    const other = new World();
    other.limits.hear([heardOf([])]);
    for (let i = 0; i < count; i++) other.all.admit(CLIENT, NOW);
    return other.limits.tell();
  };
  world.limits.hear([heardOf(told(5))]);
  assert.equal(world.all.look(CLIENT, NOW).count, 0, "it may be of long ago");
  world.limits.hear([heardOf(told(7))]);
  assert.equal(world.all.look(CLIENT, NOW).count, 2);
  // Its count began anew.
  world.limits.hear([heardOf(told(6))]);
  assert.equal(world.all.look(CLIENT, NOW).count, 8);
  // It was away.
  world.limits.hear([]);
  world.limits.hear([heardOf(told(9))]);
  assert.equal(world.all.look(CLIENT, NOW).count, 8);
});

Deno.test("GroupLimits divides limits while nobody is heard, also those that come then", () => {
  const world = new World();
  const limit = () => world.all.look(CLIENT, NOW).limit;
  assert.equal(limit(), 20, "nobody was ever there");
  // One of them keeps its limits to itself, and does not count.
  world.limits.hear([heardOf([], "p2"), heardOf([], "p3"), heardOf(undefined, "p4")]);
  assert.equal(limit(), 20);
  assert.deepEqual(world.limits.figures, { told: 0, shares: 1 });
  world.limits.hear(undefined);
  assert.deepEqual([limit(), world.route.look(CLIENT, NOW).limit], [7, 4]);
  assert.deepEqual(world.limits.figures, { told: 0, shares: 3 });
  const next = limiterOf(20);
  world.replace(next);
  assert.equal(next.look(CLIENT, NOW).limit, 7);
  world.limits.hear([heardOf([])]);
  assert.equal(next.look(CLIENT, NOW).limit, 20);
  world.limits[Symbol.dispose]();
  assert.equal(world.watchers.size, 0);
});

Deno.test("GroupLimits tells a hundred clients at most, and fewer in a large group", () => {
  for (const [others, most] of [[1, 100], [19, 50], [99, 10], [199, 10]] as const) {
    const world = new World();
    const group = Array.from({ length: others }, (_, i) => heardOf([], `q${i}`));
    world.limits.hear(group);
    for (let i = 0; i < 200; i++) {
      for (let k = 0; k < 10; k++) world.all.admit(ip(`198.51.100.${i}`), NOW);
    }
    assert.equal(world.limits.tell().length, most);
  }
});

Deno.test("GroupLimits leaves a limit alone whose memory says to be of another size", () => {
  const world = new World();
  const broken = limiterOf(20);
  new Uint32Array(broken.buffer)[6] = 0xffffffff;
  world.replace(broken);
  world.limits.hear([heardOf([["", "c0000207.0.4", 5]])]);
  assert.deepEqual(world.limits.tell(), []);
});
