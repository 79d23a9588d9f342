import { Lane, type Pooled, type Queue } from "./lane.ts";
import type { PoolLimits } from "./limits.ts";
import type { Link, Offer } from "./link.ts";

/** Whether what is offered on a connection may end in HTTP/2. */
export function mayBeH2(offer: Offer): boolean {
  return offer === "h2" || offer === "auto";
}

/** The connections of a pool by what can be done with them, and how many there are. */
export class Roster<L extends Link> {
  readonly lanes = new Map<object | undefined, Lane<L>>();
  readonly opening = new Set<Pooled<L>>();
  /** Connections without a request, the one that has been so for longest first. */
  readonly #idle = new Set<Pooled<L>>();
  readonly #limits: PoolLimits;
  readonly #countedAsH2 = new Set<Pooled<L>>();
  #size = 0;

  constructor(limits: PoolLimits) {
    this.#limits = limits;
  }

  /** Connections in any state but closed. */
  get size(): number {
    return this.#size;
  }

  laneOf(affinity: object | undefined): Lane<L> {
    let lane = this.lanes.get(affinity);
    if (lane === undefined) this.lanes.set(affinity, lane = new Lane(affinity));
    return lane;
  }

  /** Nobody will ask for the lane again. */
  forget(lane: Lane<L>): void {
    this.lanes.delete(lane.affinity);
  }

  /** Every connection, in a copy: what is done to them may remove them. */
  all(): Pooled<L>[] {
    return Array.from(this.lanes.values(), ({ connections }) => [...connections]).flat();
  }

  add(connection: Pooled<L>): void {
    this.#size++;
    this.opening.add(connection);
    connection.queue.lane.connections.add(connection);
    connection.queue.expected += connection.expects;
    if (mayBeH2(connection.offer)) this.#countedAsH2.add(connection);
  }

  /** It takes requests from now on. */
  opened(connection: Pooled<L>): void {
    this.#leaveOpening(connection);
    if (connection.link?.protocol === "h2") connection.queue.lane.h2.add(connection);
    else this.#countedAsH2.delete(connection);
  }

  /** It takes no more requests. */
  draining(connection: Pooled<L>): void {
    this.#countedAsH2.delete(connection);
    connection.queue.lane.h2.delete(connection);
    this.unrest(connection);
  }

  remove(connection: Pooled<L>): void {
    this.#leaveOpening(connection);
    this.draining(connection);
    if (connection.queue.lane.connections.delete(connection)) this.#size--;
  }

  /** Whether another connection may be opened; makes room for it if that takes nobody anything. */
  hasRoomFor(offersH2: boolean): boolean {
    if (offersH2 && this.#countedAsH2.size >= this.#limits.maxH2Connections) return false;
    if (this.#size < this.#limits.maxConnections) return true;
    const [oldest] = this.#idle;
    oldest?.destroy("room for another client");
    return this.#size < this.#limits.maxConnections;
  }

  /** A connection of the queue's kind that takes a request now; it is not taken yet. */
  available(
    { lane, http1Only }: Queue<L>,
    exclusive: boolean,
    now: number,
  ): Pooled<L> | undefined {
    const h2 = http1Only ? undefined : lane.availableH2();
    if (h2 !== undefined) return h2;
    // What speaks HTTP/2 gets no other request over HTTP/1.1: gRPC would not survive it.
    if (!exclusive) return undefined;
    for (let last = lane.idle.at(-1); last !== undefined; last = lane.idle.at(-1)) {
      if (last.available && !this.#stale(last, now)) return last;
      this.unrest(last);
      last.destroy("idle");
    }
    return undefined;
  }

  /** Whether requests of the queue are served by connections that are open, now or when they end. */
  serves({ lane, http1Only }: Queue<L>): boolean {
    if (!http1Only && lane.h2.size > 0) return true;
    for (const { state, link } of lane.connections) {
      if (state === "ready" && link?.protocol !== "h2") return true;
    }
    return false;
  }

  /** It has no request; one too many of its kind is closed. */
  rest(connection: Pooled<L>, now: number): void {
    if (this.#idle.has(connection)) return;
    connection.idleSince = now;
    const { link, queue: { lane } } = connection;
    if (link?.protocol !== "h2") {
      if (lane.idle.length >= this.#limits.maxIdle) return connection.destroy("idle");
      lane.idle.push(connection);
    }
    this.#idle.add(connection);
  }

  /** It has a request, or is gone. */
  unrest(connection: Pooled<L>): void {
    if (!this.#idle.delete(connection)) return;
    const { link, queue: { lane } } = connection;
    if (link?.protocol === "h2") return;
    // Nearly always the last one.
    const at = lane.idle.lastIndexOf(connection);
    if (at >= 0) lane.idle.splice(at, 1);
  }

  /** Closes what has been idle for too long. */
  tick(now: number): void {
    for (const { connections } of this.lanes.values()) {
      for (const { link } of connections) link?.tick(now);
    }
    for (const connection of this.#idle) {
      if (this.#stale(connection, now)) connection.shutdown();
    }
  }

  #stale({ idleSince, link }: Pooled<L>, now: number): boolean {
    const { idleMs, h2IdleMs } = this.#limits;
    return now - idleSince >= (link?.protocol === "h2" ? h2IdleMs : idleMs);
  }

  #leaveOpening(connection: Pooled<L>): void {
    if (this.opening.delete(connection)) connection.queue.expected -= connection.expects;
  }
}
