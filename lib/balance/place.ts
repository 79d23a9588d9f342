import type { Member, Proof, Watched } from "./member.ts";

/** Who is told what becomes of a place. */
export interface PlaceOwner {
  released(): void;
  failed(member: Member): void;
  succeeded(member: Member, isProbe: boolean): void;
}

/** A place at a backend, until it is released. */
export class Place {
  readonly #owner: PlaceOwner;
  readonly #member: Member;
  readonly #worker: number;
  /** It was taken although the backend was out, as all were. */
  readonly #isProbe: boolean;
  #watched: Watched | undefined;
  #released = false;

  constructor(
    owner: PlaceOwner,
    member: Member,
    { worker, isProbe }: { readonly worker: number; readonly isProbe: boolean },
  ) {
    this.#owner = owner;
    this.#member = member;
    this.#worker = worker;
    this.#isProbe = isProbe;
  }

  /** `host:port`. */
  get addr(): string {
    return this.#member.backend.addr;
  }

  /** The connection or request is over, whatever its end; calling it again does nothing. */
  release(): void {
    if (this.#released) return;
    this.#released = true;
    if (this.#watched !== undefined) this.#endWatch(this.#watched);
    this.#member.cell.release(this.#worker);
    this.#owner.released();
  }

  /** The backend could not be reached, or broke off before it said anything. */
  failed(): void {
    this.#owner.failed(this.#member);
  }

  /** The backend has answered. */
  succeeded(): void {
    this.#owner.succeeded(this.#member, this.#isProbe);
  }

  /** Whether it answers is seen later: `proof` has carried something when it has. */
  watch(proof: Proof): void {
    this.#watched = { proof, succeeded: () => this.succeeded() };
    this.#member.unproven.add(this.#watched);
  }

  #endWatch(watched: Watched): void {
    if (this.#member.unproven.delete(watched) && watched.proof.bytesOut > 0) this.succeeded();
  }
}
