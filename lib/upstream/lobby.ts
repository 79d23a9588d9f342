import type { Queue, Waiter, Waiting } from "./lane.ts";
import type { Link } from "./link.ts";
import type { Share } from "./share.ts";

/** What {@link Lobby} is told of a pool. */
export interface LobbyOptions<L extends Link> {
  /** Requests that may wait; half of them may be one client's. */
  readonly maxWaiting: number;
  /** What a request of a queue will probably cost of its client's share. */
  readonly cost: (queue: Queue<L>) => number;
}

/**
 * The requests that wait. Those that their client's share has room for stand in the queue that
 * connections are opened for; the others are parked until the client gives something back.
 */
export class Lobby<L extends Link> {
  /** Queues that somebody stands in. */
  readonly queues = new Set<Queue<L>>();
  readonly #options: LobbyOptions<L>;
  /** In the order of arrival, and so of their deadlines. */
  readonly #waiting = new Map<Waiter<L>, Waiting<L>>();

  constructor(options: LobbyOptions<L>) {
    this.#options = options;
  }

  get size(): number {
    return this.#waiting.size;
  }

  /** When the first of them has waited long enough. */
  get dueAt(): number {
    const [first] = this.#waiting.values();
    return first?.dueAt ?? Infinity;
  }

  /** `false`: there is no room. */
  enter(waiting: Waiting<L>): boolean {
    const { maxWaiting } = this.#options;
    const { waiter, share } = waiting;
    if (this.#waiting.size >= maxWaiting || share.waiting >= maxWaiting / 2) return false;
    this.#waiting.set(waiter, waiting);
    share.enter();
    this.#line(waiting);
    return true;
  }

  find(waiter: Waiter<L>): Waiting<L> | undefined {
    return this.#waiting.get(waiter);
  }

  /** It has got what it waited for, or wants it no more. */
  leave(waiting: Waiting<L>): void {
    if (!this.#waiting.delete(waiting.waiter)) return;
    this.#unline(waiting);
    waiting.share.parked.delete(waiting);
    waiting.share.leave();
    this.unpark(waiting.share);
  }

  /** Those whose time is over, parked ones too. */
  overdue(now: number): Waiting<L>[] {
    const late: Waiting<L>[] = [];
    for (const waiting of this.#waiting.values()) {
      if (waiting.dueAt > now) break;
      late.push(waiting);
    }
    return late;
  }

  /** The connection at hand would cost the client too much. */
  park(waiting: Waiting<L>): void {
    this.#unline(waiting);
    waiting.share.parked.add(waiting);
  }

  /** A client has given something back. */
  unpark(share: Share<Waiting<L>>): void {
    for (const waiting of share.parked) {
      if (!share.admits(this.#options.cost(waiting.queue), share.lined)) return;
      share.parked.delete(waiting);
      this.#line(waiting);
    }
  }

  /** Requests turned out to cost something else than was thought. */
  lineUpAgain(): void {
    for (const waiting of this.#waiting.values()) {
      this.#unline(waiting);
      waiting.share.parked.delete(waiting);
      this.#line(waiting);
    }
  }

  all(): Waiting<L>[] {
    return [...this.#waiting.values()];
  }

  #line(waiting: Waiting<L>): void {
    const { queue, share } = waiting;
    if (!share.admits(this.#options.cost(queue), share.lined)) {
      share.parked.add(waiting);
      return;
    }
    share.lined++;
    queue.waiting.add(waiting);
    this.queues.add(queue);
  }

  #unline(waiting: Waiting<L>): void {
    const { queue, share } = waiting;
    if (!queue.waiting.delete(waiting)) return;
    share.lined--;
    if (queue.waiting.size === 0) this.queues.delete(queue);
  }
}
