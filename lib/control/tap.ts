import type { ConnectionEvent, RequestEvent } from "../observe/mod.ts";

/** Who decides or keeps something by what connections and requests leave behind. */
export interface Noter {
  noteConnection(event: ConnectionEvent): void;
  noteRequest?(event: RequestEvent): void;
}

/** What a {@link Tap} passes on. */
export interface TapSinks {
  readonly onEvent: (event: ConnectionEvent) => void;
  /** Absent: nobody wants an access log. */
  readonly onRequest?: ((event: RequestEvent) => void) | undefined;
}

/**
 * Where events of the data plane pass by on their way to the log. The plane is started before those
 * who want to note something can be made: they come later.
 */
export class Tap {
  readonly #sinks: TapSinks;
  readonly #noters = new Set<Noter>();

  constructor(sinks: TapSinks) {
    this.#sinks = sinks;
  }

  /** What it returns takes it off again. */
  add(noter: Noter): Disposable {
    this.#noters.add(noter);
    return { [Symbol.dispose]: () => void this.#noters.delete(noter) };
  }

  readonly onEvent = (event: ConnectionEvent): void => {
    for (const noter of this.#noters) noter.noteConnection(event);
    this.#sinks.onEvent(event);
  };

  readonly onRequest = (event: RequestEvent): void => {
    for (const noter of this.#noters) noter.noteRequest?.(event);
    this.#sinks.onRequest?.(event);
  };
}
