/**
 * TLS servers over sockets whose first octets were read already.
 *
 * @module
 */
export {
  HANDSHAKE_TIMEOUT_MS,
  type Termination,
  TlsAcceptor,
  type TlsAcceptorOptions,
  type TlsFailure,
} from "./acceptor.ts";
export { ReadGate } from "./read_gate.ts";
