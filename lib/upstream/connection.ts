import type { AttemptEvents, Link, LinkEnd, Offer, PoolFailure } from "./link.ts";

/**
 * `connecting`: TCP and TLS. `greeting`: until HTTP/2 is known to be spoken. `ready`: it takes
 * requests. `draining`: only those that it has. Each state is left forwards only.
 */
export type ConnectionState = "connecting" | "greeting" | "ready" | "draining" | "closed";

/** What a connection reports to its pool. */
export interface ConnectionOwner<L extends Link, Q> {
  /** It opened, with a greeting still to come or none. */
  opened(connection: Connection<L, Q>): void;
  /** It takes requests now. */
  greeted(connection: Connection<L, Q>): void;
  available(connection: Connection<L, Q>): void;
  draining(connection: Connection<L, Q>): void;
  failed(connection: Connection<L, Q>, failure: PoolFailure): void;
  /** `from`: the state that it was in. */
  closed(connection: Connection<L, Q>, end: LinkEnd, from: ConnectionState): void;
}

/** One connection of a pool, from the first SYN to its end. `Q`: whose requests it is opened for. */
export class Connection<L extends Link, Q> implements AttemptEvents<L> {
  state: ConnectionState = "connecting";
  link: L | undefined;
  /** Requests on it. */
  leases = 0;
  /** Since when there is none. */
  idleSince = 0;
  /** Until when it has to be open, and then to greet. */
  dueAt: number;
  /** It did not open or greet in time. */
  late = false;
  /** Gives the attempt up. */
  abandon: (reason: string) => void = () => {};

  /** Whose requests it is opened for. */
  readonly queue: Q;
  readonly offer: Offer;
  /** Requests that are expected to fit on it. */
  readonly expects: number;
  readonly startedAt: number;
  readonly #owner: ConnectionOwner<L, Q>;

  constructor(owner: ConnectionOwner<L, Q>, how: {
    readonly queue: Q;
    readonly offer: Offer;
    readonly expects: number;
    readonly startedAt: number;
    readonly dueAt: number;
  }) {
    this.#owner = owner;
    this.queue = how.queue;
    this.offer = how.offer;
    this.expects = how.expects;
    this.startedAt = how.startedAt;
    this.dueAt = how.dueAt;
  }

  /** It takes a request now. */
  get available(): boolean {
    return this.state === "ready" && this.link?.available === true;
  }

  /** No more requests; ends with its last one. */
  shutdown(): void {
    if (this.state !== "ready" && this.state !== "draining") return this.destroy("not needed");
    this.state = "draining";
    if (this.leases === 0 && this.link?.protocol !== "h2") this.destroy("idle");
    else this.link?.shutdown();
  }

  /** Ends at once; the owner hears of it as of any end. */
  destroy(reason: string): void {
    if (this.state === "closed") return;
    const { link } = this;
    if (link !== undefined) return link.destroy(reason);
    this.abandon(reason);
    this.onClosed({ reason, heard: "nothing", byUs: true });
  }

  /** It has taken too long to open or to greet. */
  overdue(reason: string): void {
    this.late = true;
    if (this.link !== undefined) return this.link.destroy("no greeting in time");
    this.abandon(reason);
    this.onFailed({ kind: "timeout", reason });
  }

  onOpened(link: L): void {
    if (this.state !== "connecting") return link.destroy("not needed any more");
    this.link = link;
    this.state = "greeting";
    this.#owner.opened(this);
    if (link.greeted) this.onGreeted();
  }

  onFailed(failure: PoolFailure): void {
    if (this.state !== "connecting") return;
    this.state = "closed";
    this.#owner.failed(this, failure);
  }

  onGreeted(): void {
    if (this.state !== "greeting") return;
    this.state = "ready";
    this.#owner.greeted(this);
  }

  onAvailable(): void {
    if (this.state === "ready") this.#owner.available(this);
  }

  onDraining(): void {
    if (this.state !== "ready") return;
    this.state = "draining";
    this.#owner.draining(this);
  }

  onClosed(end: LinkEnd): void {
    if (this.state === "closed") return;
    const from = this.state;
    this.state = "closed";
    this.#owner.closed(this, end, from);
  }
}
