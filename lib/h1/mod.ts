/**
 * HTTP/1.1 (RFC 9112) as a pure core: octets in, events and octets out, for both ends of a
 * connection. No I/O, no clock, no timers.
 *
 * `H1ServerSession` is the connection of a client, `H1ClientSession` that to a backend. Their
 * streams have the shape of lib/h2's (`respond`, `sendData`, `sendTrailers`, `consume`, `reset`) and
 * their heads are the same (lib/http), so that whoever passes messages on need not know which
 * version either side speaks. What differs: one exchange at a time, no flow control on the wire
 * (`congested` asks the owner not to read), and a `reset` ends the connection.
 *
 * @module
 */
export { H1ClientSession } from "./client_session.ts";
export { H1StateError } from "./errors.ts";
export { H1_BACKEND_LIMITS, H1_EDGE_LIMITS, type H1Limits } from "./limits.ts";
export type { ClientOptions, ServerOptions } from "./options.ts";
export { H1ServerSession } from "./server_session.ts";
export type {
  H1ClientHandler,
  H1ClientStream,
  H1CloseCause,
  H1ResetCause,
  H1ServerHandler,
  H1ServerStream,
  H1Stream,
  RefusalPage,
} from "./types.ts";
