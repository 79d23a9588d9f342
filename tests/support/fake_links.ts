/**
 * Connections to a backend that are nothing but what a test says of them, for pools without I/O.
 *
 * @module
 */
import assert from "node:assert/strict";
import {
  type AttemptEvents,
  type Dialer,
  type Lease,
  type Link,
  type LinkEnd,
  type Offer,
  Pool,
  POOL_LIMITS,
  type PoolFailure,
  type PoolLimits,
  type PoolOptions,
  type RequestNeeds,
  type Timers,
  type Waiter,
} from "../../lib/upstream/mod.ts";
import { FakeClock } from "./clock.ts";

/** One open connection: `begin` and `finish` stand for a request on it. */
export class FakeLink implements Link {
  readonly protocol: Link["protocol"];
  greeted: boolean;
  capacity: number;
  settled = true;
  closed = false;
  draining = false;
  ticks = 0;
  requests = 0;
  readonly events: AttemptEvents<FakeLink>;

  constructor(
    events: AttemptEvents<FakeLink>,
    options: { readonly protocol: Link["protocol"]; readonly capacity?: number },
  ) {
    this.events = events;
    this.protocol = options.protocol;
    this.capacity = options.capacity ?? (options.protocol === "h2" ? 100 : 1);
    this.greeted = options.protocol !== "h2";
  }

  get available(): boolean {
    return this.greeted && !this.closed && !this.draining && this.requests < this.capacity;
  }

  /** A request is sent; it is unfinished until `finish`. */
  begin(): void {
    assert.ok(this.available, "a request on a connection that takes none");
    this.requests++;
    if (this.protocol !== "h2") this.settled = false;
  }

  /** Request and response are complete. */
  finish(): void {
    this.requests--;
    this.settled = true;
  }

  greet(): void {
    this.greeted = true;
    this.events.onGreeted();
  }

  /** The peer ends it. */
  end(heard: LinkEnd["heard"] = "nothing", reason = "the peer closed the connection"): void {
    this.#close({ heard, reason, byUs: false });
  }

  tick(): void {
    this.ticks++;
  }

  shutdown(): void {
    this.draining = true;
    if (this.requests === 0) this.#close({ heard: "other", reason: "shutdown", byUs: true });
  }

  destroy(reason: string): void {
    this.#close({ heard: this.greeted ? "other" : "nothing", reason, byUs: true });
  }

  #close(end: LinkEnd): void {
    if (this.closed) return;
    this.closed = true;
    this.events.onClosed(end);
  }
}

/** An attempt to connect that waits for the test to say what becomes of it. */
export class FakeAttempt {
  readonly offer: Offer;
  readonly affinity: object | undefined;
  /** Why the pool gave it up. */
  abandoned: string | undefined;
  link: FakeLink | undefined;
  #failed = false;
  readonly #events: AttemptEvents<FakeLink>;

  constructor(
    how: { readonly offer: Offer; readonly affinity: object | undefined },
    events: AttemptEvents<FakeLink>,
  ) {
    this.offer = how.offer;
    this.affinity = how.affinity;
    this.#events = events;
  }

  /** Nothing has become of it yet. */
  get waiting(): boolean {
    return this.link === undefined && !this.#failed && this.abandoned === undefined;
  }

  /** It connects; HTTP/2 still has to greet. */
  open(protocol: Link["protocol"], capacity?: number): FakeLink {
    this.link = new FakeLink(this.#events, {
      protocol,
      ...capacity !== undefined && { capacity },
    });
    this.#events.onOpened(this.link);
    return this.link;
  }

  /** Connects and greets. */
  succeed(protocol: Link["protocol"], capacity?: number): FakeLink {
    const link = this.open(protocol, capacity);
    if (protocol === "h2") link.greet();
    return link;
  }

  fail(failure: PoolFailure = { kind: "unreachable", reason: "refused" }): void {
    this.#failed = true;
    this.#events.onFailed(failure);
  }
}

/** A request and what the pool gave it. */
export class FakeWaiter implements Waiter<FakeLink> {
  lease: Lease<FakeLink> | undefined;
  failure: PoolFailure | undefined;
  /** Sends its request at once, as an exchange does. */
  onLease(lease: Lease<FakeLink>): void {
    assert.equal(this.lease ?? this.failure, undefined, "called once");
    this.lease = lease;
    lease.link.begin();
  }

  onUnavailable(failure: PoolFailure): void {
    assert.equal(this.lease ?? this.failure, undefined, "called once");
    this.failure = failure;
  }

  /** Request and response are complete. */
  finish(): void {
    const { link } = this.lease as Lease<FakeLink>;
    link.finish();
    this.lease?.release();
  }

  /** The response is complete and the request is not, or the client has left. */
  breakOff(): void {
    this.lease?.release();
  }
}

/** A pool on a fake clock, and what it dialled. */
export class FakeBackend implements Dialer<FakeLink> {
  readonly clock = new FakeClock();
  readonly attempts: FakeAttempt[] = [];
  readonly pool: Pool<FakeLink>;
  /** What becomes of each attempt at once; absent: the test says so. */
  onAttempt: ((attempt: FakeAttempt) => void) | undefined;

  constructor(
    options: Partial<Pick<PoolOptions<FakeLink>, "expects" | "overTls" | "connectTimeoutMs">> = {},
    limits: Partial<PoolLimits> = {},
  ) {
    const { clock } = this;
    const timers: Timers = {
      now: clock.now,
      after: (ms, fn) => {
        const id = clock.setTimeout(fn, ms);
        return () => clock.clearTimeout(id);
      },
    };
    this.pool = new Pool({
      dialer: this,
      timers,
      expects: "auto",
      overTls: false,
      connectTimeoutMs: 5000,
      ...options,
      limits: { ...POOL_LIMITS, ...limits },
    });
  }

  open(
    how: { readonly offer: Offer; readonly affinity: object | undefined },
    events: AttemptEvents<FakeLink>,
  ): (reason: string) => void {
    const attempt = new FakeAttempt(how, events);
    this.attempts.push(attempt);
    // Never from inside `open`.
    if (this.onAttempt !== undefined) this.clock.setTimeout(() => this.onAttempt?.(attempt), 0);
    return (reason) => attempt.abandoned = reason;
  }

  /** The attempt made last. */
  get last(): FakeAttempt {
    const attempt = this.attempts.at(-1);
    assert.ok(attempt, "nothing was dialled");
    return attempt;
  }

  ask(needs: Partial<RequestNeeds> = {}): FakeWaiter {
    const waiter = new FakeWaiter();
    this.pool.acquire(waiter, { client: "c", affinity: undefined, tunnel: false, ...needs });
    return waiter;
  }

  askMany(count: number, needs: Partial<RequestNeeds> = {}): FakeWaiter[] {
    return Array.from({ length: count }, () => this.ask(needs));
  }

  /** Time passes, and the pool is told once a second, as its owner does. */
  advance(ms: number): void {
    for (let left = ms; left > 0; left -= 1000) {
      this.clock.advance(Math.min(1000, left));
      this.pool.tick(this.clock.now());
    }
  }
}
