import type { Connection } from "./connection.ts";
import type { Link, PoolFailure } from "./link.ts";
import type { Share } from "./share.ts";

/** What a request needs of its connection. */
export interface RequestNeeds {
  /** Whose share of the pool it takes: a client's address. */
  readonly client: string;
  /**
   * Connections made for one client alone (with its PROXY header) carry this; others nothing. Only
   * requests with the same one go on them.
   */
  readonly affinity: object | undefined;
  /** It becomes a tunnel. */
  readonly tunnel: boolean;
}

/** A request's right to one connection until it is over. */
export interface Lease<L extends Link> {
  readonly link: L;
  /** The request is over, whatever its end; calling it again does nothing. */
  release(): void;
  /** Which of several backends it leads to. */
  readonly backend?: string;
  /** The backend has begun to answer: it is well. */
  answered?(): void;
  /** The backend broke off before it had begun to answer. */
  brokeOff?(): void;
}

/** A request that wants a way to its backend: one of the two is called, once. */
export interface Waiter<L extends Link> {
  onLease(lease: Lease<L>): void;
  onUnavailable(failure: PoolFailure): void;
  /** One of several backends has failed, and another one is asked instead. */
  onFailedOver?(failure: PoolFailure): void;
}

/** Whoever finds a connection for a request: a pool, or a choice between pools. */
export interface Upstream<L extends Link> {
  /** Calls `waiter` once, now or later. */
  acquire(waiter: Waiter<L>, needs: RequestNeeds): void;
  /** `waiter` wants no connection any more, and is not called. */
  cancel(waiter: Waiter<L>): void;
  /** Whether a request that failed may ask again; absent: it may. */
  mayRepeat?(waiter: Waiter<L>): boolean;
  /** Nobody will ask with this affinity again: what was opened for it is closed. */
  forget(affinity: object): void;
}

/** A waiter in a queue. */
export interface Waiting<L extends Link> {
  readonly waiter: Waiter<L>;
  readonly queue: Queue<L>;
  readonly share: Share<Waiting<L>>;
  readonly dueAt: number;
  /** Connections that opened while it waited, and were of no use. */
  attempts: number;
}

/** A connection and the queue that it was opened for. */
export type Pooled<L extends Link> = Connection<L, Queue<L>>;

/** Who waits for the same kind of connection, in the order of arrival. */
export class Queue<L extends Link> {
  readonly lane: Lane<L>;
  /** HTTP/1.1 and nothing else. */
  readonly http1Only: boolean;
  readonly waiting = new Set<Waiting<L>>();
  /** Requests that fit on the connections being opened for it. */
  expected = 0;

  constructor(lane: Lane<L>, http1Only: boolean) {
    this.lane = lane;
    this.http1Only = http1Only;
  }
}

/** The connections of one affinity, and who waits for them. */
export class Lane<L extends Link> {
  readonly affinity: object | undefined;
  readonly any: Queue<L> = new Queue(this, false);
  readonly http1: Queue<L> = new Queue(this, true);
  /** Open connections of HTTP/2 that take requests, full ones too. */
  readonly h2 = new Set<Pooled<L>>();
  /** Connections of HTTP/1.1 without a request; the last one used is the first to be used again. */
  readonly idle: Pooled<L>[] = [];
  /** Every connection, in any state. */
  readonly connections = new Set<Pooled<L>>();

  constructor(affinity: object | undefined) {
    this.affinity = affinity;
  }

  /** The first connection of HTTP/2 that takes a request. */
  availableH2(): Pooled<L> | undefined {
    for (const connection of this.h2) if (connection.available) return connection;
    return undefined;
  }
}
