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

/** Whether work may still be done, and who is told when some of it has thrown. */
class Guard {
  crashed = false;
  readonly #onCrash: OnCrash;

  constructor(onCrash: OnCrash) {
    this.#onCrash = onCrash;
  }

  /** Something was thrown. */
  crash(error: unknown): void {
    if (this.crashed) return;
    this.crashed = true;
    this.#onCrash(error);
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
    if (this.#guard.crashed) return bytes.length;
    try {
      return super.receive(bytes, now, work);
    } catch (error) {
      this.#guard.crash(error);
      return bytes.length;
    }
  }

  override takeOutput(): Uint8Array[] {
    if (this.#guard.crashed) return [];
    try {
      return super.takeOutput();
    } catch (error) {
      this.#guard.crash(error);
      return [];
    }
  }

  override tick(now: number): void {
    if (this.#guard.crashed) return;
    try {
      super.tick(now);
    } catch (error) {
      this.#guard.crash(error);
    }
  }

  override abort(reason: string): void {
    // Also after a crash, as far as it goes.
    try {
      super.abort(reason);
    } catch (error) {
      this.#guard.crash(error);
    }
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
    if (this.#guard.crashed) return;
    try {
      super.receive(bytes, now);
    } catch (error) {
      this.#guard.crash(error);
    }
  }

  override resume(now: number): void {
    if (this.#guard.crashed) return;
    try {
      super.resume(now);
    } catch (error) {
      this.#guard.crash(error);
    }
  }

  override receiveEnd(now: number): void {
    if (this.#guard.crashed) return;
    try {
      super.receiveEnd(now);
    } catch (error) {
      this.#guard.crash(error);
    }
  }

  override takeOutput(): Uint8Array[] {
    if (this.#guard.crashed) return [];
    try {
      return super.takeOutput();
    } catch (error) {
      this.#guard.crash(error);
      return [];
    }
  }

  override tick(now: number): void {
    if (this.#guard.crashed) return;
    try {
      super.tick(now);
    } catch (error) {
      this.#guard.crash(error);
    }
  }

  override abort(reason: string): void {
    // Also after a crash, as far as it goes.
    try {
      super.abort(reason);
    } catch (error) {
      this.#guard.crash(error);
    }
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
    if (this.#guard.crashed) return;
    try {
      super.receive(bytes, now);
    } catch (error) {
      this.#guard.crash(error);
    }
  }

  override receiveEnd(now: number): void {
    if (this.#guard.crashed) return;
    try {
      super.receiveEnd(now);
    } catch (error) {
      this.#guard.crash(error);
    }
  }

  override takeOutput(): Uint8Array[] {
    if (this.#guard.crashed) return [];
    try {
      return super.takeOutput();
    } catch (error) {
      this.#guard.crash(error);
      return [];
    }
  }

  override abort(reason: string): void {
    // Also after a crash, as far as it goes.
    try {
      super.abort(reason);
    } catch (error) {
      this.#guard.crash(error);
    }
  }
}
