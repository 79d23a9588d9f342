/** Whoever has something to write at the end of the turn. */
export interface Flushing {
  flush(): void;
}

/**
 * What is written at the end of a turn of the event loop, for all connections of a thread: one call
 * for all of them, and everything that the turn has caused on a connection leaves in one write.
 */
export class Flushes {
  #waiting: Flushing[] = [];
  readonly #run = () => this.#flush();

  /** Has `flush` called at the end of this turn; add it once. */
  add(one: Flushing): void {
    if (this.#waiting.push(one) === 1) queueMicrotask(this.#run);
  }

  #flush(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (let i = 0; i < waiting.length; i++) {
      try {
        waiting[i]?.flush();
      } catch (error) {
        // The others are written all the same.
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}
