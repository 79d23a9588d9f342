/** Bounds of requests and responses, whatever HTTP they come in. Sizes are octets. */
export interface HttpLimits {
  /** A request's head. */
  readonly maxRequestHead: number;
  /** A response's head. */
  readonly maxResponseHead: number;
  /** Fields of a head, of either. */
  readonly maxFields: number;
  /** Trailers over HTTP/1.1, of either; over HTTP/2 they count as a head. */
  readonly maxTrailers: number;
  /** What the framing of one message in chunks may take beside 16 octets a chunk. */
  readonly maxChunkOverhead: number;
  /** Content that waits in each direction of a connection over HTTP/1.1. */
  readonly contentBuffer: number;
  /** From a head's first octet to its last, in milliseconds. */
  readonly headerTimeoutMs: number;
  /** Between two requests over HTTP/1.1, in milliseconds. */
  readonly keepAliveTimeoutMs: number;
  /** Requests that a connection may carry; 0: any number. */
  readonly maxRequests: number;
  /** Informational heads before one response; one more makes it a 502. */
  readonly maxInterim: number;
  /** And those of them that the client sees; it has no way to refuse them. */
  readonly maxInterimForwarded: number;
}
