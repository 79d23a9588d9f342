import type { BackendOutcome } from "./outcome.ts";

/** What one request of an l7 connection leaves behind: a line of the access log. */
export interface RequestEvent {
  /** The request's own identifier, which the backend got as `X-Request-Id`. */
  readonly request: string;
  /** The connection it came on: the `id` of its `ConnectionEvent`. */
  readonly connection: string;
  /** The real client, `ip:port`. */
  readonly client: string;
  readonly method: string;
  /** As the client sent it; escaped by whoever writes it. */
  readonly host: string;
  /** Without the query, which is where secrets end up. */
  readonly path: string;
  readonly route: string;
  readonly backend: string;
  /** What the client was told; 499: it left before it was told anything. */
  readonly status: number;
  /** How the backend served it; absent: it was not asked, or the client did not wait for it. */
  readonly backendOutcome?: BackendOutcome;
  /** `grpc-status` of a gRPC response that came to its end. */
  readonly grpcStatus?: string;
  /** Octets of content from the client. */
  readonly bytesIn: number;
  /** Octets of content to the client. */
  readonly bytesOut: number;
  readonly durationMs: number;
  /** From handing the request to the backend to the head of its answer. */
  readonly upstreamMs?: number;
  /** Protocol of the client's side. */
  readonly protocol: "h2" | "http/1.1" | "http/1.0";
  /** Protocol of the backend's side. */
  readonly backendProtocol?: "h2" | "http/1.1";
  /** The L7 policy that refused it, as `type value (#id)`. */
  readonly policy?: string;
  /** Why it ended early, for people. */
  readonly reason?: string;
}
