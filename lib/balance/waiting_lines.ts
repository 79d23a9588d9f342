import { WaitingLine, type WaitingLineOptions } from "./waiting_line.ts";

/**
 * A line of those who take whichever backend is free, and one for each backend that somebody waits
 * for alone: who waits for one that is full must not hold up those whom another one would do.
 */
export class WaitingLines {
  readonly #options: WaitingLineOptions;
  readonly #open: WaitingLine;
  readonly #forOne = new Map<string, WaitingLine>();

  constructor(options: WaitingLineOptions) {
    this.#options = options;
    this.#open = new WaitingLine(options);
  }

  /** Those that wait, in all of them. */
  get size(): number {
    let sum = this.#open.size;
    for (const { size } of this.#forOne.values()) sum += size;
    return sum;
  }

  /** The line of those who wait for `only`, or for whichever. */
  of(only: string | undefined): WaitingLine {
    if (only === undefined) return this.#open;
    let line = this.#forOne.get(only);
    if (line === undefined) this.#forOne.set(only, line = new WaitingLine(this.#options));
    return line;
  }

  /** Serves all of them, and forgets those that nobody is in. */
  serve(): void {
    this.#open.serve();
    for (const [only, line] of this.#forOne) {
      line.serve();
      if (line.size === 0) this.#forOne.delete(only);
    }
  }
}
