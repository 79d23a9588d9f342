/**
 * The plain-HTTP listener: one request of HTTP/1.1 and one answer to a connection. A name that is
 * served by `https` is sent there, a proof of http-01 is shown, and nothing else is done.
 *
 * @module
 */
export { decide, type Decision, PROOF_PATH, type Sights } from "./decide.ts";
export { RedirectService, type RedirectServiceOptions } from "./service.ts";
export { type RedirectEnding, type RedirectSession, type Visit } from "./session.ts";
