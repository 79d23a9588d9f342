/**
 * What each client holds of a pool, in shares of the whole: an HTTP/1.1 connection is one of
 * `maxConnections`, a stream of HTTP/2 one of all that fit. Nobody holds more than the limit, so a
 * client that is slow, many or malicious leaves as much to the others.
 */
export class Shares<W> {
  readonly #limit: number;
  readonly #clients = new Map<string, Share<W>>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Clients that hold or wait for something. */
  get size(): number {
    return this.#clients.size;
  }

  of(client: string): Share<W> {
    let share = this.#clients.get(client);
    if (share === undefined) {
      share = new Share(this.#limit, () => this.#clients.delete(client));
      this.#clients.set(client, share);
    }
    return share;
  }
}

/** One client's part. */
export class Share<W> {
  /** Requests that wait until the client has given something back. */
  readonly parked = new Set<W>();
  /** Requests that wait for a connection. */
  lined = 0;
  readonly #limit: number;
  readonly #onEmpty: () => void;
  #load = 0;
  #leases = 0;
  #waiting = 0;

  constructor(limit: number, onEmpty: () => void) {
    this.#limit = limit;
    this.#onEmpty = onEmpty;
  }

  /** Requests of the client that wait for either. */
  get waiting(): number {
    return this.#waiting;
  }

  /**
   * Whether one more request of this cost is within the limit, when `before` others like it come
   * first. The very first always is.
   */
  admits(cost: number, before = 0): boolean {
    if (this.#leases + before === 0) return true;
    // Sums of fractions are not exact.
    return this.#load + cost * (before + 1) <= this.#limit + 1e-9;
  }

  take(cost: number): void {
    this.#load += cost;
    this.#leases++;
  }

  give(cost: number): void {
    this.#leases--;
    this.#load = this.#leases === 0 ? 0 : this.#load - cost;
    this.settle();
  }

  enter(): void {
    this.#waiting++;
  }

  leave(): void {
    this.#waiting--;
    this.settle();
  }

  /** Forgets a client that holds nothing and waits for nothing. */
  settle(): void {
    if (this.#leases === 0 && this.#waiting === 0) this.#onEmpty();
  }
}
