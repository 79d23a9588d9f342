/** The bounds of a pool: one backend as one worker sees it. */
export interface PoolLimits {
  /** Connections of any kind, those being opened and those that end included. */
  readonly maxConnections: number;
  /** Connections of HTTP/2 that take requests or are being opened. */
  readonly maxH2Connections: number;
  /** What one client may hold of the pool, as a share of it. */
  readonly clientShare: number;
  /** Requests that wait for a connection; half of them may be one client's. */
  readonly maxWaiting: number;
  /** Connections without a request that are kept open, of HTTP/1.1. */
  readonly maxIdle: number;
  /**
   * Until an idle connection of HTTP/1.1 is closed. Below the 5 s of Node's servers and of others:
   * a request must not meet a connection that the backend is just closing.
   */
  readonly idleMs: number;
  /** The same for HTTP/2, whose servers announce that they close. */
  readonly h2IdleMs: number;
  /** Streams that an HTTP/2 connection is trusted to take before it has said so. */
  readonly assumedStreams: number;
  /** Connections that opened and were of no use which one waiting request may cost. */
  readonly maxAttempts: number;
  /**
   * Until a backend has to greet in HTTP/2, where it is not known whether it speaks it; at most
   * half of the time to connect. An HTTP/2 server greets at once, and an HTTP/1.1 server answers
   * the preface, which is a complete request to it, with an error.
   */
  readonly detectMs: number;
}

/** nginx allows 128 streams on each HTTP/2 connection, everybody else at least 100. */
export const POOL_LIMITS: PoolLimits = Object.freeze({
  maxConnections: 512,
  maxH2Connections: 32,
  // Whatever one client does, as much is left for all others.
  clientShare: 0.5,
  maxWaiting: 4096,
  // As many as one client may hold: fewer, and requests that come in waves open a connection each.
  maxIdle: 256,
  idleMs: 4000,
  h2IdleMs: 90_000,
  assumedStreams: 100,
  maxAttempts: 3,
  detectMs: 2000,
});
