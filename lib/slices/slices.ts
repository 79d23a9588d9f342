/** How long a thread works before everything else on it gets a turn, in milliseconds. */
const SLICE_MS = 10;

/** Work that can be interrupted wherever it yields; a step is a fraction of a millisecond. */
export type Steps<T> = Generator<undefined, T>;

/** Lets everything else on this thread have a turn when a long step has had its own. */
export class Slices {
  readonly #sliceMs: number;
  #since = performance.now();

  constructor(sliceMs: number = SLICE_MS) {
    this.#sliceMs = sliceMs;
  }

  /** Whether the turn has lasted long enough. */
  get isOver(): boolean {
    return performance.now() - this.#since >= this.#sliceMs;
  }

  /** A turn for the others; the next one of our own begins when it resolves. */
  async pause(): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, 0));
    this.#since = performance.now();
  }
}

/** What goes with work in slices. */
export interface SlicesOptions {
  /** Called before each slice. */
  readonly enter?: () => void;
  /** Called after each slice, also after one that throws. */
  readonly leave?: () => void;
  /** Ends the work between two slices, with its reason. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Runs steps to their end in slices, between which the thread does other things.
 *
 * @example
 * ```ts
 * import { runInSlices } from "./mod.ts";
 * import assert from "node:assert/strict";
 *
 * function* sum(numbers: readonly number[]) {
 *   let total = 0;
 *   for (const number of numbers) {
 *     total += number;
 *     yield;
 *   }
 *   return total;
 * }
 * assert.equal(await runInSlices(sum([1, 2, 3])), 6);
 * ```
 */
export async function runInSlices<T>(
  steps: Steps<T>,
  { enter, leave, signal }: SlicesOptions = {},
): Promise<T> {
  const slices = new Slices();
  for (;;) {
    signal?.throwIfAborted();
    enter?.();
    try {
      do {
        const next = steps.next();
        if (next.done === true) return next.value;
      } while (!slices.isOver);
    } finally {
      leave?.();
    }
    await slices.pause();
  }
}

/** Runs steps to their end in one go, for few of them. */
export function runAtOnce<T>(steps: Steps<T>): T {
  for (;;) {
    const next = steps.next();
    if (next.done === true) return next.value;
  }
}

/** `convert` of each, a step for each. */
export function* mapInSteps<T, U>(
  values: Iterable<T>,
  convert: (value: T, index: number) => U,
): Steps<U[]> {
  const converted: U[] = [];
  for (const value of values) {
    converted.push(convert(value, converted.length));
    yield;
  }
  return converted;
}
