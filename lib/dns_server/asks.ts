import type { Ask, Told } from "./ask.ts";

/** The main thread writes a disk for a change; whoever asked has asked again by then. */
const ANSWER_MS = 10_000;
/** Questions of one worker that are under way: each holds a message. */
const MAX_ASKS = 64;

/** What a worker asks the main thread, and has not been told yet. */
export class Asks {
  readonly #send: (ask: number, what: Ask) => void;
  readonly #pending = new Map<number, (told: Told | undefined) => void>();
  #nextId = 1;

  constructor(send: (ask: number, what: Ask) => void) {
    this.#send = send;
  }

  /** The answer; nothing if there is none, it is late, or too many are asked for. */
  async ask(what: Ask): Promise<Told | undefined> {
    if (this.#pending.size >= MAX_ASKS) return undefined;
    const id = this.#nextId++;
    const { promise, resolve } = Promise.withResolvers<Told | undefined>();
    const timer = setTimeout(() => resolve(undefined), ANSWER_MS);
    this.#pending.set(id, resolve);
    this.#send(id, what);
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      this.#pending.delete(id);
    }
  }

  /** Takes an answer; one that is late is for nobody. */
  take(id: number, told: Told | undefined): void {
    this.#pending.get(id)?.(told);
  }
}
