import type { Alarm } from "./alarm.ts";
import { Backoff } from "./backoff.ts";
import { Connection, type ConnectionOwner } from "./connection.ts";
import { type Expectation, Knowledge } from "./knowledge.ts";
import type { Pooled, Queue } from "./lane.ts";
import type { PoolLimits } from "./limits.ts";
import type { Dialer, Heard, Link, PoolFailure, Timers } from "./link.ts";
import { mayBeH2, type Roster } from "./roster.ts";

/** How connections of a pool are opened. */
export interface OpenerOptions<L extends Link> {
  readonly dialer: Dialer<L>;
  readonly timers: Timers;
  /** What the backend speaks; `auto`: find out. */
  readonly expects: Expectation;
  /** Connections begin with TLS, whose handshake tells the protocol. */
  readonly overTls: boolean;
  /** Until a connection is open, and until a request that waits for one is answered without. */
  readonly connectTimeoutMs: number;
}

/** Decides whether, when and how another connection is opened. */
export class Opener<L extends Link> {
  readonly knowledge: Knowledge;
  readonly backoff: Backoff;
  /** Why the last attempt failed, while no other has succeeded. */
  failure: PoolFailure | undefined;
  readonly #options: OpenerOptions<L>;
  readonly #limits: PoolLimits;
  readonly #roster: Roster<L>;
  readonly #alarm: Alarm;

  constructor(options: OpenerOptions<L>, pool: {
    readonly limits: PoolLimits;
    readonly roster: Roster<L>;
    readonly alarm: Alarm;
  }) {
    this.#options = options;
    this.#limits = pool.limits;
    this.#roster = pool.roster;
    this.#alarm = pool.alarm;
    this.backoff = new Backoff();
    this.knowledge = new Knowledge(options.expects, options.overTls);
  }

  /** Whether a queue's next request will probably have a connection of its own. */
  exclusive(queue: Queue<L>): boolean {
    const { speaks } = this.knowledge;
    return queue.http1Only || (speaks !== undefined && speaks !== "h2");
  }

  /** Opens as many connections for a queue as it needs and as may be opened now. */
  openFor(queue: Queue<L>, owner: ConnectionOwner<L, Queue<L>>): void {
    while (queue.waiting.size > queue.expected && this.#mayOpen(queue)) this.#open(queue, owner);
  }

  /** How long a connection that has just opened may take to greet. */
  opened(connection: Pooled<L>): void {
    if (!this.knowledge.detects || connection.link?.protocol !== "h2") return;
    const { timers, connectTimeoutMs } = this.#options;
    const patience = Math.min(this.#limits.detectMs, connectTimeoutMs / 2);
    connection.dueAt = Math.min(connection.dueAt, timers.now() + patience);
    this.#alarm.by(connection.dueAt);
  }

  succeeded({ link, offer }: Pooled<L>): void {
    this.backoff.succeeded();
    this.failure = undefined;
    if (link !== undefined && (link.protocol === "h2" || offer === "auto")) {
      this.knowledge.learned(link.protocol);
    }
  }

  failed({ startedAt }: Pooled<L>, failure: PoolFailure): void {
    this.failure = failure;
    this.backoff.failed(startedAt, this.#options.timers.now());
  }

  notGreeted(connection: Pooled<L>, heard: Heard, failure: PoolFailure): void {
    this.knowledge.notGreeted(heard);
    // An answer in HTTP/1.1 is no failure of the backend's.
    if (heard !== "http/1.1") this.failed(connection, failure);
  }

  /** Gives up what takes too long. */
  overdue(now: number): void {
    const reason = `no connection within ${this.#options.connectTimeoutMs} ms`;
    for (const connection of [...this.#roster.opening]) {
      if (connection.dueAt <= now) connection.overdue(reason);
    }
    for (const { dueAt } of this.#roster.opening) this.#alarm.by(dueAt);
  }

  #mayOpen({ http1Only }: Queue<L>): boolean {
    const { readyAt, probing } = this.backoff;
    if (this.#options.timers.now() < readyAt) {
      this.#alarm.by(readyAt);
      return false;
    }
    // One finds out for all: whether the backend is back, or what it speaks.
    const oneAtATime = probing || (!http1Only && this.knowledge.speaks === undefined);
    if (oneAtATime && this.#roster.opening.size > 0) return false;
    return this.#roster.hasRoomFor(mayBeH2(this.knowledge.offer(http1Only)));
  }

  #open(queue: Queue<L>, owner: ConnectionOwner<L, Queue<L>>): void {
    const { timers, connectTimeoutMs, dialer } = this.#options;
    const startedAt = timers.now();
    const dueAt = startedAt + connectTimeoutMs;
    const offer = this.knowledge.offer(queue.http1Only);
    const expects = this.exclusive(queue) ? 1 : this.#limits.assumedStreams;
    const connection = new Connection(owner, { queue, offer, expects, startedAt, dueAt });
    this.#roster.add(connection);
    this.#alarm.by(dueAt);
    connection.abandon = dialer.open({ offer, affinity: queue.lane.affinity }, connection);
  }
}
