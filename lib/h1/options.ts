import type { OutputPool } from "../http/mod.ts";
import type { H1Limits } from "./limits.ts";
import type { H1ClientHandler, H1ServerHandler } from "./types.ts";

/** What makes a server session. */
export interface ServerOptions {
  readonly handler: H1ServerHandler;
  /** Default: `H1_EDGE_LIMITS`. */
  readonly limits?: H1Limits;
  /** Buffers for output; give one pool to all sessions of a thread. */
  readonly pool?: OutputPool;
  /** The owner's clock in milliseconds; any monotonic one. */
  readonly now: number;
  /**
   * Requests to switch to another protocol are taken without that wish (RFC 9110 §7.8 lets a server
   * ignore it), for an owner who ends each connection with its first answer. Default: WebSocket is
   * handed out, any other is refused.
   */
  readonly ignoresUpgrades?: boolean;
}

/** What makes a client session. */
export interface ClientOptions {
  readonly handler: H1ClientHandler;
  /** Default: `H1_BACKEND_LIMITS`. */
  readonly limits?: H1Limits;
  /** Buffers for output; give one pool to all sessions of a thread. */
  readonly pool?: OutputPool;
  /** The owner's clock in milliseconds; any monotonic one. */
  readonly now: number;
}
