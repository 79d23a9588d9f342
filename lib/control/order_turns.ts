import type { AcmeOrder } from "../db/mod.ts";

/** That it is this proxy's turn to order the certificate of a name. */
export interface OrderTurn {
  /** Aborted when the turn is lost: from then on another proxy may order. */
  readonly signal: AbortSignal;
  /** How far the proxy has come whose turn it was before; absent: it left nothing that is of use here. */
  readonly left: AcmeOrder | undefined;
  /**
   * Whether the turn lasts, at this moment: a process that was stopped may find out before its timers do.
   *
   * @throws {AcmeError} `cancelled`
   */
  check(): void;
  /**
   * Notes how far the order has come, for whoever may have to go on with it.
   *
   * @throws {AcmeError} `cancelled` if it is another's turn, or nobody can say.
   */
  note(order: AcmeOrder): Promise<void>;
  /** Lets the others have their turn, so much later at the earliest. Never fails. */
  end(options: { readonly waitMs: number; readonly order?: AcmeOrder | undefined }): Promise<void>;
}

/** Whose turn it is. */
export type TurnAnswer =
  | { readonly status: "ours"; readonly turn: OrderTurn }
  | { readonly status: "wait"; readonly waitMs: number };

/** Who orders: one proxy of a group at a time. */
export interface OrderTurns {
  /** Why nobody's turn can be known; absent: it can. */
  readonly problem: string | undefined;
  /**
   * Never fails: who cannot ask has to wait.
   *
   * @param openAccount makes the account at the authority, if there is none.
   */
  take(name: string, openAccount: () => Promise<unknown>): Promise<TurnAnswer>;
}

/** It is always the turn of a proxy that is alone. */
export const ALONE: OrderTurns = {
  problem: undefined,
  take: () => Promise.resolve({ status: "ours", turn: OWN_TURN }),
};

const OWN_TURN: OrderTurn = {
  signal: new AbortController().signal,
  left: undefined,
  check: () => {},
  note: () => Promise.resolve(),
  end: () => Promise.resolve(),
};
