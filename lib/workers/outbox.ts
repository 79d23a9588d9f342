/** An event waits at most this long for others to travel with. */
const FLUSH_MS = 20;
const MAX_BATCH = 256;
/** With 256 events each, the most the control plane's queue holds of one worker. */
const MAX_BATCHES_IN_FLIGHT = 64;

/**
 * Sends events to the control plane in batches. When the control plane does not keep up (a slow
 * disk under the log), events are dropped and counted rather than queued without bound.
 */
export class EventOutbox<E> {
  readonly #send: (events: readonly E[]) => void;
  readonly #onDrop: (count: number) => void;
  readonly #inFlight: Int32Array;
  readonly #cell: number;
  #batch: E[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: {
    send: (events: readonly E[]) => void;
    onDrop: (count: number) => void;
    batchesInFlight: SharedArrayBuffer;
    /** Which `Int32` of it counts the batches of these events. */
    cell: number;
  }) {
    this.#send = options.send;
    this.#onDrop = options.onDrop;
    this.#inFlight = new Int32Array(options.batchesInFlight);
    this.#cell = options.cell;
  }

  /** Queues an event. */
  push(event: E): void {
    this.#batch.push(event);
    if (this.#batch.length >= MAX_BATCH) this.flush();
    else this.#timer ??= setTimeout(() => this.flush(), FLUSH_MS);
  }

  /** Sends what is queued. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const batch = this.#batch;
    if (batch.length === 0) return;
    this.#batch = [];
    if (Atomics.load(this.#inFlight, this.#cell) >= MAX_BATCHES_IN_FLIGHT) {
      this.#onDrop(batch.length);
      return;
    }
    Atomics.add(this.#inFlight, this.#cell, 1);
    this.#send(batch);
  }
}
