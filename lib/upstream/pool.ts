import { Alarm } from "./alarm.ts";
import type { ConnectionOwner, ConnectionState } from "./connection.ts";
import type { Lease, Pooled, Queue, RequestNeeds, Upstream, Waiter, Waiting } from "./lane.ts";
import { POOL_LIMITS, type PoolLimits } from "./limits.ts";
import type { Link, LinkEnd, PoolFailure } from "./link.ts";
import { costOf, expectedCost } from "./costs.ts";
import { busy, waitedTooLong } from "./failures.ts";
import { Lobby } from "./lobby.ts";
import { Opener, type OpenerOptions } from "./opener.ts";
import { Roster } from "./roster.ts";
import { type Share, Shares } from "./share.ts";

/** What whoever asks a pool hears whose backend no route leads to any more. */
const RETIRED: PoolFailure = { ...busy("the route has changed"), retired: true };

/** Everything about a backend that does not change. */
export interface PoolOptions<L extends Link> extends OpenerOptions<L> {
  readonly limits?: PoolLimits;
}

/** What a pool is doing, for whoever chooses between pools and for the operator. */
export interface PoolLoad {
  readonly connections: Readonly<Record<Exclude<ConnectionState, "closed">, number>>;
  /** Requests on connections, and requests that wait for one. */
  readonly active: number;
  readonly waiting: number;
  /** Failures to connect since it last succeeded. */
  readonly failures: number;
}

/**
 * The connections of one worker to one backend, for every transport: opened when requests want
 * them, counted from their first SYN to their end, shared by the clients in fair parts, given up
 * when idle. Without I/O and without a clock of its own: the dialer opens connections and reports
 * what becomes of them, timers and `tick` bring the time.
 *
 * - A connection that is opening counts as room for as many requests as it will take, so waiting
 *   requests never open more than they need.
 * - A request waits at most `connectTimeoutMs` and costs at most `maxAttempts` connections that
 *   open and are of no use; between those the pool pauses longer and longer.
 * - A failure to connect fails the requests that the connection was opened for, at once.
 */
export class Pool<L extends Link> implements Upstream<L>, ConnectionOwner<L, Queue<L>> {
  readonly #options: PoolOptions<L>;
  readonly #limits: PoolLimits;
  readonly #alarm: Alarm;
  readonly #shares: Shares<Waiting<L>>;
  readonly #roster: Roster<L>;
  readonly #lobby: Lobby<L>;
  readonly #opener: Opener<L>;
  #active = 0;
  #serving = false;
  #serveAgain = false;
  #retired = false;

  constructor(options: PoolOptions<L>) {
    const limits = options.limits ?? POOL_LIMITS;
    this.#options = options;
    this.#limits = limits;
    const alarm = this.#alarm = new Alarm(options.timers, () => this.#wake());
    const roster = this.#roster = new Roster(limits);
    this.#opener = new Opener(options, { limits, roster, alarm });
    this.#shares = new Shares(limits.clientShare);
    const cost = (queue: Queue<L>) => expectedCost(this.#opener.exclusive(queue), limits);
    this.#lobby = new Lobby({ maxWaiting: limits.maxWaiting, cost });
  }

  get load(): PoolLoad {
    const connections = { connecting: 0, greeting: 0, ready: 0, draining: 0 };
    for (const { state } of this.#roster.all()) if (state !== "closed") connections[state]++;
    const { failures } = this.#opener.backoff;
    return { connections, active: this.#active, waiting: this.#lobby.size, failures };
  }

  /** Nothing is open and nobody waits. */
  get isEmpty(): boolean {
    return this.#roster.size === 0 && this.#lobby.size === 0;
  }

  /** Connections in any state but closed. */
  get size(): number {
    return this.#roster.size;
  }

  /** Clients that hold or wait for something. */
  get clients(): number {
    return this.#shares.size;
  }

  acquire(waiter: Waiter<L>, needs: RequestNeeds): void {
    if (this.#retired) return waiter.onUnavailable(RETIRED);
    const lane = this.#roster.laneOf(needs.affinity);
    const queue = this.#opener.knowledge.needsHttp1(needs.tunnel) ? lane.http1 : lane.any;
    const share = this.#shares.of(needs.client);
    if (queue.waiting.size === 0) {
      const connection = this.#candidate(queue);
      if (connection !== undefined && share.admits(costOf(connection, this.#limits))) {
        return waiter.onLease(this.#lease(connection, share));
      }
    }
    const dueAt = this.#now() + this.#options.connectTimeoutMs;
    if (!this.#lobby.enter({ waiter, queue, share, dueAt, attempts: 0 })) {
      share.settle();
      return waiter.onUnavailable(busy("too many requests wait for the backend"));
    }
    this.#alarm.by(dueAt);
    this.#serve();
  }

  cancel(waiter: Waiter<L>): void {
    const waiting = this.#lobby.find(waiter);
    if (waiting === undefined) return;
    this.#lobby.leave(waiting);
    this.#serve();
  }

  /** Looks after idle connections and those whose peer is silent; about once a second. */
  tick(now: number): void {
    this.#roster.tick(now);
  }

  forget(affinity: object): void {
    const lane = this.#roster.laneOf(affinity);
    for (const connection of [...lane.connections]) connection.destroy("the client is gone");
    this.#roster.forget(lane);
  }

  /** No new requests; connections end with their last one. */
  retire(): void {
    this.#end(RETIRED, (connection) => connection.shutdown());
  }

  /** Closes every connection at once. */
  destroy(reason: string): void {
    this.#end(busy(reason), (connection) => connection.destroy(reason));
  }

  #end(failure: PoolFailure, end: (connection: Pooled<L>) => void): void {
    this.#retired = true;
    for (const waiting of this.#lobby.all()) this.#fail(waiting, failure);
    this.#roster.all().forEach(end);
    this.#alarm.cancel();
  }

  // --- what connections report -------------------------------------------------------------------

  opened(connection: Pooled<L>): void {
    this.#opener.opened(connection);
  }

  greeted(connection: Pooled<L>): void {
    this.#roster.opened(connection);
    this.#relearn(() => this.#opener.succeeded(connection));
    this.#roster.rest(connection, this.#now());
    this.#serve();
  }

  available(connection: Pooled<L>): void {
    if (connection.leases === 0) this.#roster.rest(connection, this.#now());
    this.#serve();
  }

  draining(connection: Pooled<L>): void {
    this.#roster.draining(connection);
    if (connection.leases === 0) connection.shutdown();
    this.#serve();
  }

  failed(connection: Pooled<L>, failure: PoolFailure): void {
    this.#roster.remove(connection);
    this.#opener.failed(connection, failure);
    const { queue, expects } = connection;
    const [oldest, ...others] = queue.waiting;
    if (oldest !== undefined && queue.expected === 0 && !this.#roster.serves(queue)) {
      for (const waiting of [oldest, ...others]) this.#fail(waiting, failure);
    } else if (oldest !== undefined && expects === 1) this.#fail(oldest, failure);
    this.#serve();
  }

  closed(connection: Pooled<L>, end: LinkEnd, from: ConnectionState): void {
    this.#roster.remove(connection);
    if (from === "greeting") {
      if (!end.byUs || connection.late) this.#notGreeted(connection, end);
    } else if (connection.link?.protocol === "http/1.1" && end.heard !== "http/1.1" && !end.byUs) {
      this.#relearn(() => this.#opener.knowledge.notAnswered());
    }
    this.#serve();
  }

  /** A connection that opened and was of no use. */
  #notGreeted(connection: Pooled<L>, { heard, reason }: LinkEnd): void {
    const kind = connection.late ? "timeout" : "unreachable";
    const failure = { kind, reason: `the backend's connection ended: ${reason}` } as const;
    this.#relearn(() => this.#opener.notGreeted(connection, heard, failure));
    for (const waiting of [...connection.queue.waiting]) {
      if (++waiting.attempts >= this.#limits.maxAttempts) this.#fail(waiting, failure);
    }
  }

  /** What requests cost depends on what the backend speaks. */
  #relearn(learn: () => void): void {
    const { knowledge } = this.#opener;
    const before = knowledge.speaks;
    learn();
    if (knowledge.speaks !== before) this.#lobby.lineUpAgain();
  }

  // --- requests ----------------------------------------------------------------------------------

  #candidate(queue: Queue<L>): Pooled<L> | undefined {
    return this.#roster.available(queue, this.#opener.exclusive(queue), this.#now());
  }

  #lease(connection: Pooled<L>, share: Share<Waiting<L>>): Lease<L> {
    const cost = costOf(connection, this.#limits);
    share.take(cost);
    this.#roster.unrest(connection);
    connection.leases++;
    this.#active++;
    let over = false;
    const release = () => {
      if (over) return;
      over = true;
      share.give(cost);
      connection.leases--;
      this.#active--;
      this.#lobby.unpark(share);
      if (connection.leases === 0) this.#unused(connection);
      this.#serve();
    };
    return { link: connection.link as L, release };
  }

  /** The last request on a connection is over. */
  #unused(connection: Pooled<L>): void {
    const { state, link } = connection;
    if (state === "closed" || link === undefined) return;
    if (link.protocol !== "h2" && !link.settled) {
      return connection.destroy("its request was not finished");
    }
    if (state === "draining") connection.shutdown();
    // An exclusive one that is not available yet says when it is, or ends.
    else if (link.protocol === "h2" || link.available) {
      this.#roster.rest(connection, this.#now());
    }
  }

  /** Serves whoever waits; what happens meanwhile is looked at before it returns. */
  #serve(): void {
    this.#serveAgain = true;
    if (this.#serving) return;
    this.#serving = true;
    try {
      while (this.#serveAgain) {
        this.#serveAgain = false;
        for (const queue of this.#lobby.queues) this.#serveQueue(queue);
      }
    } finally {
      this.#serving = false;
    }
  }

  #serveQueue(queue: Queue<L>): void {
    for (const waiting of queue.waiting) {
      const connection = this.#candidate(queue);
      if (connection === undefined) break;
      if (!waiting.share.admits(costOf(connection, this.#limits))) {
        this.#lobby.park(waiting);
        continue;
      }
      const lease = this.#lease(connection, waiting.share);
      this.#lobby.leave(waiting);
      waiting.waiter.onLease(lease);
    }
    if (!this.#retired) this.#opener.openFor(queue, this);
  }

  #fail(waiting: Waiting<L>, failure: PoolFailure): void {
    this.#lobby.leave(waiting);
    waiting.waiter.onUnavailable(failure);
  }

  /** Deadlines: those of connections first, because they say more. */
  #wake(): void {
    // Nothing is opened for those whose own time is over.
    this.#serving = true;
    this.#opener.overdue(this.#now());
    for (const waiting of this.#lobby.overdue(this.#now())) {
      this.#fail(waiting, waitedTooLong(waiting, this.#opener.failure));
    }
    this.#serving = false;
    this.#serve();
    this.#alarm.by(this.#lobby.dueAt);
  }

  #now(): number {
    return this.#options.timers.now();
  }
}
