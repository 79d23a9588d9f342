import type { ServedState } from "./served_state.ts";

/**
 * The first write of a start: it comes when everything else has begun, so that whatever fails before
 * leaves the database as it was.
 */
export class FirstWrite {
  readonly #state: ServedState;
  #held: PromiseWithResolvers<void> | undefined;

  constructor(state: ServedState) {
    this.#state = state;
  }

  /**
   * Has every change wait for it: rows have ids already that are not written yet, and a ban that came
   * now would take one of them.
   */
  hold(): void {
    const held = Promise.withResolvers<void>();
    this.#held = held;
    this.#state.exclusive(() => held.promise).catch(() => {}); // The program ends before.
  }

  /** Lets changes go on. */
  release(): void {
    this.#held?.resolve();
  }

  /** Opens what administers the proxy and then writes, alone; what was opened is closed if that fails. */
  async after<T extends AsyncDisposable | undefined>(
    open: () => Promise<T>,
    write: () => Promise<void>,
  ): Promise<T> {
    const openAndWrite = async () => {
      await using stack = new AsyncDisposableStack();
      const opened = await open();
      if (opened !== undefined) stack.use(opened);
      await write();
      stack.move();
      return opened;
    };
    if (this.#held === undefined) return await this.#state.exclusive(openAndWrite);
    try {
      return await openAndWrite();
    } finally {
      this.release();
    }
  }
}
