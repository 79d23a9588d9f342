/**
 * What backends do to a proxy's clients when they break: one that is there and then is not, and
 * counts of what became of what was asked.
 *
 * @module
 */
import { unusedPort } from "./ports.ts";

/** How long a flapping backend is there, and how long it is not. */
const FLAP_MS = 150;

/** A backend that can be broken off. */
export interface Killable {
  /** Breaks its connections off and listens no more. */
  kill(): Promise<void>;
}

/** A backend that is there and then is not, again and again. */
export class Flapping implements AsyncDisposable {
  readonly port: number;
  /** How often it has gone. */
  flaps = 0;
  readonly #start: (port: number) => Promise<Killable>;
  readonly #stopped = Promise.withResolvers<void>();
  #isOver = false;

  private constructor(port: number, start: (port: number) => Promise<Killable>) {
    this.port = port;
    this.#start = start;
    this.#run().finally(() => this.#stopped.resolve());
  }

  /** @param start starts a backend on a port. */
  static async start(start: (port: number) => Promise<Killable>): Promise<Flapping> {
    return new Flapping(await unusedPort(), start);
  }

  async #run(): Promise<void> {
    const pause = () => new Promise((resolve) => setTimeout(resolve, FLAP_MS));
    while (!this.#isOver) {
      const backend = await this.#start(this.port);
      await pause();
      await backend.kill();
      this.flaps++;
      await pause();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true;
    await this.#stopped.promise;
  }
}

/** What became of what was asked. */
export interface Count {
  ok: number;
  failed: number;
}

/** Of how many how many failed. */
export function inWords({ ok, failed }: Count): string {
  return `${failed} of ${ok + failed}`;
}
