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
  #crashed = false;
  readonly #onCrash: OnCrash;

  constructor(onCrash: OnCrash) {
    this.#onCrash = onCrash;
  }

  /** Does something; nothing is done any more once something has thrown. */
  run<T>(work: () => T, otherwise: T): T {
    return this.#crashed ? otherwise : this.runAnyway(work, otherwise);
  }

  /** The same also after a crash, as far as it goes. */
  runAnyway<T>(work: () => T, otherwise: T): T {
    try {
      return work();
    } catch (error) {
      if (!this.#crashed) {
        this.#crashed = true;
        this.#onCrash(error);
      }
      return otherwise;
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
    return this.#guard.run(() => super.receive(bytes, now, work), bytes.length);
  }

  override takeOutput(): Uint8Array[] {
    return this.#guard.run(() => super.takeOutput(), []);
  }

  override tick(now: number): void {
    this.#guard.run(() => super.tick(now), undefined);
  }

  override abort(reason: string): void {
    this.#guard.runAnyway(() => super.abort(reason), undefined);
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
    this.#guard.run(() => super.receive(bytes, now), undefined);
  }

  override resume(now: number): void {
    this.#guard.run(() => super.resume(now), undefined);
  }

  override receiveEnd(now: number): void {
    this.#guard.run(() => super.receiveEnd(now), undefined);
  }

  override takeOutput(): Uint8Array[] {
    return this.#guard.run(() => super.takeOutput(), []);
  }

  override tick(now: number): void {
    this.#guard.run(() => super.tick(now), undefined);
  }

  override abort(reason: string): void {
    this.#guard.runAnyway(() => super.abort(reason), undefined);
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
    this.#guard.run(() => super.receive(bytes, now), undefined);
  }

  override receiveEnd(now: number): void {
    this.#guard.run(() => super.receiveEnd(now), undefined);
  }

  override takeOutput(): Uint8Array[] {
    return this.#guard.run(() => super.takeOutput(), []);
  }

  override abort(reason: string): void {
    this.#guard.runAnyway(() => super.abort(reason), undefined);
  }
}
