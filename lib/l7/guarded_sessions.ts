/**
 * Sessions whose every way in from a socket or a timer is guarded: what a parser or an owner's
 * handler throws is reported once, and the session does nothing any more. The caller is the event
 * loop, and an exception there would end everybody's connections.
 *
 * @module
 */
import {
  type ClientOptions,
  H1ClientSession,
  H1ServerSession,
  type ServerOptions,
} from "../h1/mod.ts";
import { H2Session, type SessionOptions } from "../h2/mod.ts";

/** Takes the first error; the owner then closes the connection. */
export type OnCrash = (error: unknown) => void;

/** Runs work until some of it throws. */
class Guard {
  readonly #onCrash: OnCrash;
  #crashed = false;

  constructor(onCrash: OnCrash) {
    this.#onCrash = onCrash;
  }

  run<T>(fallback: T, work: () => T): T {
    if (this.#crashed) return fallback;
    try {
      return work();
    } catch (error) {
      this.#crashed = true;
      this.#onCrash(error);
      return fallback;
    }
  }

  /** For the end of a session: also after a crash, as far as it goes. */
  end(work: () => void): void {
    try {
      work();
    } catch (error) {
      if (!this.#crashed) this.#onCrash(error);
      this.#crashed = true;
    }
  }
}

/** {@link H2Session}, guarded. */
export class GuardedH2Session extends H2Session {
  readonly #guard: Guard;

  constructor({ onCrash, ...options }: SessionOptions & { readonly onCrash: OnCrash }) {
    super(options);
    this.#guard = new Guard(onCrash);
  }

  override receive(bytes: Uint8Array, now: number, work?: number): number {
    return this.#guard.run(bytes.length, () => super.receive(bytes, now, work));
  }

  override takeOutput(): Uint8Array[] {
    return this.#guard.run([], () => super.takeOutput());
  }

  override tick(now: number): void {
    this.#guard.run(undefined, () => super.tick(now));
  }

  override abort(reason: string): void {
    this.#guard.end(() => super.abort(reason));
  }
}

/** {@link H1ServerSession}, guarded. */
export class GuardedH1Server extends H1ServerSession {
  readonly #guard: Guard;

  constructor({ onCrash, ...options }: ServerOptions & { readonly onCrash: OnCrash }) {
    super(options);
    this.#guard = new Guard(onCrash);
  }

  override receive(bytes: Uint8Array, now: number): void {
    this.#guard.run(undefined, () => super.receive(bytes, now));
  }

  override resume(now: number): void {
    this.#guard.run(undefined, () => super.resume(now));
  }

  override receiveEnd(now: number): void {
    this.#guard.run(undefined, () => super.receiveEnd(now));
  }

  override takeOutput(): Uint8Array[] {
    return this.#guard.run([], () => super.takeOutput());
  }

  override tick(now: number): void {
    this.#guard.run(undefined, () => super.tick(now));
  }

  override abort(reason: string): void {
    this.#guard.end(() => super.abort(reason));
  }
}

/** {@link H1ClientSession}, guarded. */
export class GuardedH1Client extends H1ClientSession {
  readonly #guard: Guard;

  constructor({ onCrash, ...options }: ClientOptions & { readonly onCrash: OnCrash }) {
    super(options);
    this.#guard = new Guard(onCrash);
  }

  override receive(bytes: Uint8Array, now: number): void {
    this.#guard.run(undefined, () => super.receive(bytes, now));
  }

  override receiveEnd(now: number): void {
    this.#guard.run(undefined, () => super.receiveEnd(now));
  }

  override takeOutput(): Uint8Array[] {
    return this.#guard.run([], () => super.takeOutput());
  }

  override abort(reason: string): void {
    this.#guard.end(() => super.abort(reason));
  }
}
