/** Every bound of a session. Sizes are octets, times milliseconds. */
export interface H1Limits {
  /** A head from its first octet to its empty line; more is answered 431 (a request line: 414). */
  readonly maxHead: number;
  /** Fields of a head. Each costs two strings, however short. */
  readonly maxFields: number;
  /** Trailers, from the last chunk to their empty line. */
  readonly maxTrailers: number;
  /** The line before a chunk: its size and its extensions. */
  readonly maxChunkLine: number;
  /**
   * Octets that chunk lines may take beyond 16 for each chunk and the content itself over a whole
   * message: content in one-octet chunks with extensions costs a hundred times what it carries
   * (CVE-2023-39326).
   */
  readonly maxChunkOverhead: number;
  /** Content handed to the owner and not yet consumed at which the session wants no more octets. */
  readonly window: number;
  /** Octets waiting for the owner's flush at which `sendData` asks it to pause. */
  readonly sendBuffer: number;
  /** From the first octet of a head to its last; for the first head, from the connection's start. */
  readonly headerTimeoutMs: number;
  /** Between an answer and the next request; after that the connection is closed. */
  readonly idleTimeoutMs: number;
}

/** For strangers. nginx takes 32 KiB of head, HAProxy 16, Node 16; gRPC metadata may be larger. */
export const H1_EDGE_LIMITS: H1Limits = Object.freeze({
  maxHead: 65536,
  maxFields: 4096,
  maxTrailers: 16384,
  maxChunkLine: 1024,
  maxChunkOverhead: 16384,
  window: 65536,
  sendBuffer: 65536,
  headerTimeoutMs: 10_000,
  // nginx: 75 s. Longer than most clients keep a connection, so that few lose the race.
  idleTimeoutMs: 75_000,
});

/** For backends that the operator named; their deadlines belong to whoever pools them. */
export const H1_BACKEND_LIMITS: H1Limits = Object.freeze({
  ...H1_EDGE_LIMITS,
  window: 131072,
  headerTimeoutMs: Infinity,
  idleTimeoutMs: Infinity,
});
