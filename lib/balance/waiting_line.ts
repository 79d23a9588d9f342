import type { NoPlace, PlaceRequest } from "./place_request.ts";
import type { Place } from "./place.ts";

/** Who waits, for how long. */
interface Waiting {
  readonly request: PlaceRequest;
  readonly onPlace: (found: Place | NoPlace) => void;
  readonly dueAt: number;
}

/** What a line needs of its thread. */
export interface WaitingLineOptions {
  readonly pollMs: number;
  now(): number;
  after(ms: number, fn: () => void): () => void;
  tryNow(request: PlaceRequest): Place | NoPlace;
}

/**
 * Those who wait for a place, in the order of arrival. Places that other workers free nobody tells
 * of: while somebody waits, the counters are looked at some fifty times a second.
 */
export class WaitingLine {
  readonly #options: WaitingLineOptions;
  readonly #waiting = new Set<Waiting>();
  #stop: (() => void) | undefined;
  #serving = false;

  constructor(options: WaitingLineOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#waiting.size;
  }

  /** Waits for `timeoutMs` at most; the returned function leaves the line. */
  enter(
    request: PlaceRequest,
    onPlace: (found: Place | NoPlace) => void,
    timeoutMs: number,
  ): () => void {
    const waiting = { request, onPlace, dueAt: this.#options.now() + timeoutMs };
    this.#waiting.add(waiting);
    this.#poll();
    return () => {
      this.#waiting.delete(waiting);
      this.#rest();
    };
  }

  /** Gives places to those who wait, as far as there are any, and sends away who waited too long. */
  serve(): void {
    // Who is given a place may give it back at once.
    if (this.#serving || this.#waiting.size === 0) return;
    this.#serving = true;
    try {
      const now = this.#options.now();
      for (const waiting of this.#waiting) {
        const found = this.#options.tryNow(waiting.request);
        // Who came later is due later, and would hear the same.
        if (found === "full" && waiting.dueAt > now) break;
        this.#waiting.delete(waiting);
        waiting.onPlace(found);
      }
    } finally {
      this.#serving = false;
    }
    this.#rest();
  }

  /** Nobody looks for nobody. */
  #rest(): void {
    if (this.#waiting.size > 0) return;
    this.#stop?.();
    this.#stop = undefined;
  }

  #poll(): void {
    this.#stop ??= this.#options.after(this.#options.pollMs, () => {
      this.#stop = undefined;
      this.serve();
      if (this.#waiting.size > 0) this.#poll();
    });
  }
}
