import type { BackendFailure } from "./message.ts";

/** Methods without effect on the backend (RFC 9110 §9.2.1): they may be sent twice. */
const SAFE_METHODS: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS", "TRACE"]);

/**
 * Whether a request without content may be sent again on another connection: nothing of an answer
 * came, and the backend certainly did not process it or would do so twice without harm.
 */
export function mayRepeat(
  { untouched, unprocessed, kind }: BackendFailure,
  method: string,
): boolean {
  return untouched && (unprocessed || (kind === "reset" && SAFE_METHODS.has(method)));
}
