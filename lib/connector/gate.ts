/** Lets a bounded number of callers in at a time and a bounded number wait, first come first in. */
export class Gate {
  readonly #maxWaiting: number;
  readonly #waiting = new Set<() => void>();
  #free: number;

  constructor(places: number, maxWaiting: number) {
    this.#free = places;
    this.#maxWaiting = maxWaiting;
  }

  /** A place, to be disposed of; `undefined` when the queue is full or `signal` aborts first. */
  async enter(signal: AbortSignal): Promise<Disposable | undefined> {
    if (this.#free > 0) this.#free--;
    else if (!await this.#turn(signal)) return undefined;
    let inside = true;
    return {
      [Symbol.dispose]: () => {
        if (!inside) return;
        inside = false;
        this.#leave();
      },
    };
  }

  /** Waits until a place is handed over; it never counts as free in between. */
  #turn(signal: AbortSignal): Promise<boolean> {
    if (signal.aborted || this.#waiting.size >= this.#maxWaiting) return Promise.resolve(false);
    return new Promise((resolve) => {
      const settle = (mine: boolean) => {
        this.#waiting.delete(wake);
        signal.removeEventListener("abort", abort);
        resolve(mine);
      };
      const wake = () => settle(true);
      const abort = () => settle(false);
      this.#waiting.add(wake);
      signal.addEventListener("abort", abort);
    });
  }

  #leave(): void {
    const [next] = this.#waiting;
    if (next) next();
    else this.#free++;
  }
}
