/** How long a thread writes before everything else on it gets a turn, in milliseconds. */
const SLICE_MS = 10;

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

/** Runs a generator to its end in slices; `around` brackets each of them. */
export async function runInSlices<T>(
  steps: Generator<undefined, T>,
  around: { readonly enter: () => void; readonly leave: () => void },
): Promise<T> {
  const slices = new Slices();
  for (;;) {
    around.enter();
    try {
      do {
        const next = steps.next();
        if (next.done === true) return next.value;
      } while (!slices.isOver);
    } finally {
      around.leave();
    }
    await slices.pause();
  }
}
