import type { Route } from "../routes/mod.ts";
import type { Connection, Ending } from "./connection_state.ts";
import type { PlaneState } from "./plane_state.ts";

/** What a mode is given with a connection. */
export interface Arrival {
  /** The one that the connection took. */
  readonly route: Route;
  /** What was read of the stream, the ClientHello first; nobody else hands it on. */
  readonly peeked: Uint8Array;
  readonly state: PlaneState;
}

/**
 * What becomes of a connection whose route is known: one module for each mode, from here to the
 * ending. While it carries something, that is in `connection.carrier`. The stream may be left open:
 * the caller resets it.
 */
export type Mode = (connection: Connection, arrival: Arrival) => Promise<Ending>;
