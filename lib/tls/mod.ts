/**
 * TLS servers over connections whose first octets were read already.
 *
 * @module
 */
export { HANDSHAKE_TIMEOUT_MS, Handshakes, type HandshakesOptions } from "./handshakes.ts";
export {
  type AcceptOptions,
  type Termination,
  TlsAcceptor,
  type TlsAcceptorOptions,
  type TlsFailure,
} from "./acceptor.ts";
export { type SecureStream, StreamAcceptor } from "./stream_acceptor.ts";
