/** Where signals come from; Deno itself, or a test. */
export interface SignalSource {
  addSignalListener(signal: Deno.Signal, listener: () => void): void;
  removeSignalListener(signal: Deno.Signal, listener: () => void): void;
}

/**
 * The program's signals, from before it opens anything: what comes during the start waits until the
 * program can follow it. By default a SIGHUP in that time would end the program.
 */
export class Signals implements Disposable {
  readonly #stop = Promise.withResolvers<Deno.Signal>();
  readonly #stopAgain = Promise.withResolvers<void>();
  readonly #source: SignalSource;
  readonly #listeners: readonly (readonly [Deno.Signal, () => void])[];
  #reload: (() => Promise<void>) | undefined;
  #stopping = false;
  #reloadWanted = false;
  #reloading = false;

  constructor(source: SignalSource = Deno) {
    this.#source = source;
    this.#listeners = [
      ["SIGTERM", () => this.#requestStop("SIGTERM")],
      ["SIGINT", () => this.#requestStop("SIGINT")],
      ["SIGHUP", () => this.#requestReload()],
    ];
    for (const [signal, listener] of this.#listeners) source.addSignalListener(signal, listener);
  }

  /** Resolves at the first SIGTERM or SIGINT. */
  get stop(): Promise<Deno.Signal> {
    return this.#stop.promise;
  }

  /** Resolves at the second one. */
  get stopAgain(): Promise<void> {
    return this.#stopAgain.promise;
  }

  /**
   * Sets what follows a SIGHUP; it must not reject. It never runs twice at a time: all the signals
   * that come while it runs ask for one more run, so a storm of them queues nothing up.
   */
  onReload(reload: () => Promise<void>): void {
    this.#reload = reload;
    this.#runReloads();
  }

  [Symbol.dispose](): void {
    for (const [signal, listener] of this.#listeners) {
      this.#source.removeSignalListener(signal, listener);
    }
    this.#reload = undefined;
  }

  #requestStop(signal: Deno.Signal): void {
    if (this.#stopping) this.#stopAgain.resolve();
    this.#stopping = true;
    this.#stop.resolve(signal);
  }

  #requestReload(): void {
    this.#reloadWanted = true;
    this.#runReloads();
  }

  async #runReloads(): Promise<void> {
    if (this.#reloading) return;
    this.#reloading = true;
    while (this.#reloadWanted && this.#reload !== undefined) {
      this.#reloadWanted = false;
      await this.#reload();
    }
    this.#reloading = false;
  }
}
