import type { AccessRequest, Decision } from "./authorizer.ts";
import type { SessionEnd } from "./session_registry.ts";

/** A connection that asks to become a session. */
export interface SessionRequest extends AccessRequest {
  /** The connection's id, unique over all workers. */
  readonly id: string;
  /** Milliseconds since 1970: the end of the certificate. */
  readonly notAfter: number;
}

/**
 * Whom the data plane asks whether a client may reach a host, and who takes the right away again.
 * The database is behind it, so it lives where the permissions are and not in a worker.
 */
export interface Admission {
  /**
   * Decides; never rejects, and answers within a deadline. `end` is called once at most, while the
   * session lasts, when what was allowed is not any more.
   */
  admit(request: SessionRequest, end: (why: SessionEnd) => void): Promise<Decision>;
  /** The connection is over, whatever `admit` said or is about to say. */
  leave(id: string): void;
}

/** Why a session was ended, for the log. */
export function describeSessionEnd(end: SessionEnd): string {
  return end.reason === "access_revoked" ? `${end.reason}: ${end.cause}` : end.reason;
}
