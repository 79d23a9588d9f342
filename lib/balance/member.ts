import type { BackendCell } from "./cell.ts";
import { hashText } from "./hash.ts";

/** A backend as a route names it. */
export interface BalancedBackend {
  readonly addr: string;
  readonly weight: number;
  readonly backup: boolean;
  readonly maxConnections?: number;
  readonly state: "up" | "drain" | "down";
}

/** One backend of a route, in one thread. */
export class Member {
  readonly backend: BalancedBackend;
  readonly cell: BackendCell;
  readonly hash: number;
  /** Round robin: how far its turn has come. */
  turn = 0;
  /** Connections of which it is not known yet whether it has answered. */
  readonly unproven = new Set<Watched>();

  constructor(backend: BalancedBackend, cell: BackendCell) {
    this.backend = backend;
    this.cell = cell;
    this.hash = hashText(backend.addr);
  }

  /** Takes the place of the one that was this backend before the route was changed. */
  continues(before: Member): void {
    this.turn = before.turn;
    for (const watched of before.unproven) this.unproven.add(watched);
  }

  /** The operator wants it used. */
  get isEnabled(): boolean {
    return this.backend.state === "up";
  }

  /** Its weight, less while it starts. */
  weight(nowMs: number): number {
    return this.backend.weight * this.cell.share(nowMs);
  }

  /** Looks whether connections have brought an answer since it was asked last. */
  prove(): void {
    for (const watched of this.unproven) {
      if (watched.proof.bytesOut === 0) continue;
      this.unproven.delete(watched);
      watched.succeeded();
    }
  }
}

/** A connection of which it is not known yet whether its backend has answered. */
export interface Watched {
  readonly proof: Proof;
  succeeded(): void;
}

/** What tells by its octets whether a backend has answered. */
export interface Proof {
  readonly bytesOut: number;
}
