import assert from "node:assert/strict";
import { POOL_LIMITS } from "../../lib/upstream/mod.ts";
import { FakeBackend, FakeLink, FakeWaiter } from "../support/fake_links.ts";
import { fuzzTest, type Random } from "../support/fuzz.ts";

const STEPS = 3000;
const LIMITS = {
  ...POOL_LIMITS,
  maxConnections: 6,
  maxH2Connections: 3,
  maxWaiting: 12,
  maxIdle: 3,
  assumedStreams: 4,
};
const TIMEOUT_MS = 2000;
const CLIENTS = ["a", "b", "c"];

/** A pool, a backend and clients that do whatever they like, and what has to hold of them. */
class World {
  readonly backend: FakeBackend;
  readonly #random: Random;
  readonly #affinities = [undefined, undefined, {}, {}];
  readonly #asked = new Map<FakeWaiter, { client: string; at: number }>();
  readonly #links = new Set<FakeLink>();

  constructor(random: Random) {
    this.#random = random;
    const expects = random.pick(["auto", "auto", "h2", "http/1.1"] as const);
    const overTls = random.below(2) === 0;
    this.backend = new FakeBackend({ expects, overTls, connectTimeoutMs: TIMEOUT_MS }, LIMITS);
  }

  step(): void {
    const random = this.#random;
    switch (random.below(12)) {
      case 0:
      case 1:
      case 2:
        return this.#ask();
      case 3:
      case 4:
        return this.#resolveAttempt();
      case 5:
        return this.#withLink((link) => !link.greeted && link.greet());
      case 6:
        return this.#withLink((link) => link.end(random.pick(["nothing", "http/1.1", "other"])));
      case 7:
        return this.#withLink((link) => {
          link.draining = true;
          link.events.onDraining();
        });
      case 8:
        return this.#withWaiter(
          (waiter) => this.backend.pool.cancel(waiter),
          ({ lease }) => !lease,
        );
      case 9:
      case 10:
        return this.#withWaiter((waiter) => this.#end(waiter), ({ lease }) => lease !== undefined);
      default:
        this.backend.advance(random.pick([1, 10, 100, 1000, 3000]));
    }
  }

  /** What holds at every moment. */
  check(): void {
    const { pool, clock } = this.backend;
    const links = [...this.#links].filter(({ closed }) => !closed);
    const dialling = this.backend.attempts.filter((attempt) => attempt.waiting);
    assert.equal(pool.size, links.length + dialling.length, "every connection is counted, once");
    assert.ok(pool.size <= LIMITS.maxConnections, "the limit holds");
    const h2 = links.filter(({ protocol, draining }) => protocol === "h2" && !draining);
    assert.ok(h2.length <= LIMITS.maxH2Connections, "and that of HTTP/2");
    for (const link of links) assert.ok(link.requests <= link.capacity);
    assert.ok(pool.load.waiting <= LIMITS.maxWaiting);
    const held = new Map<string, number>();
    for (const [waiter, { client, at }] of this.#asked) {
      if (waiter.failure !== undefined) this.#asked.delete(waiter);
      else if (waiter.lease === undefined) {
        assert.ok(clock.now() - at <= TIMEOUT_MS, "nobody waits longer than that");
      } else if (waiter.lease.link.protocol === "http/1.1" && !waiter.lease.link.closed) {
        held.set(client, (held.get(client) ?? 0) + 1);
      }
    }
    for (const [client, count] of held) {
      assert.ok(count <= LIMITS.maxConnections / 2, `${client} holds ${count} connections`);
    }
  }

  /** Everybody ends; nothing may be left. */
  finish(): void {
    for (const [waiter] of this.#asked) {
      if (waiter.lease !== undefined) this.#end(waiter);
      else this.backend.pool.cancel(waiter);
    }
    const { pool, clock } = this.backend;
    assert.deepEqual([pool.load.active, pool.load.waiting, pool.clients], [0, 0, 0]);
    pool.destroy("over");
    assert.equal(pool.size, 0);
    assert.equal(clock.pending, 0, "no timer is left");
  }

  #ask(): void {
    const client = this.#random.pick(CLIENTS);
    const affinity = this.#random.pick(this.#affinities);
    const waiter = this.backend.ask({ client, affinity, tunnel: this.#random.below(8) === 0 });
    this.#asked.set(waiter, { client, at: this.backend.clock.now() });
  }

  #resolveAttempt(): void {
    const open = this.backend.attempts.filter((attempt) => attempt.waiting);
    if (open.length === 0) return;
    const attempt = this.#random.pick(open);
    if (this.#random.below(4) === 0) return attempt.fail();
    const protocol = attempt.offer === "auto"
      ? this.#random.pick(["h2", "http/1.1"] as const)
      : attempt.offer;
    const link = attempt.open(protocol, protocol === "h2" ? this.#random.pick([1, 2, 8]) : 1);
    this.#links.add(link);
    if (protocol === "h2" && this.#random.below(2) === 0) link.greet();
  }

  #withLink(act: (link: FakeLink) => void): void {
    const open = [...this.#links].filter(({ closed }) => !closed);
    if (open.length > 0) act(this.#random.pick(open));
  }

  #withWaiter(act: (waiter: FakeWaiter) => void, which: (waiter: FakeWaiter) => boolean): void {
    const found = [...this.#asked.keys()].filter((it) => which(it) && it.failure === undefined);
    if (found.length === 0) return;
    const waiter = this.#random.pick(found);
    this.#asked.delete(waiter);
    act(waiter);
  }

  #end(waiter: FakeWaiter): void {
    this.#asked.delete(waiter);
    const { link } = waiter.lease ?? {};
    if (link === undefined) return;
    if (this.#random.below(3) > 0) link.finish();
    else if (link.protocol === "h2") link.requests--;
    waiter.breakOff();
    const isOver = link.draining && link.requests === 0 && !link.closed;
    if (isOver) link.end("other", "drained");
    else if (!link.closed && link.greeted) link.events.onAvailable();
  }
}

for (let run = 0; run < 8; run++) {
  fuzzTest(
    `a pool in which anything happens keeps its limits and loses nobody, run ${run}`,
    (random) => {
      const world = new World(random);
      for (let step = 0; step < STEPS; step++) {
        world.step();
        world.check();
      }
      world.finish();
    },
  );
}
