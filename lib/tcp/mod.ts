/**
 * TCP as the data plane uses it: the one module that knows the runtime's sockets. Two
 * implementations of one interface, on the handles below `node:net` and on `node:net` itself.
 *
 * @module
 */
export { bindProblem } from "./bind_problem.ts";
export { chooseSockets, type ChosenSockets, createSockets, type SocketsChoice } from "./choose.ts";
export { lacksIpv6 } from "./_listen.ts";
export { adopting, type InheritedSocket, InheritedSockets } from "./inherited.ts";
export { tryToReserve } from "./reserve.ts";
export { type TlsCredentials, tlsCredentials } from "./_tls_binding.ts";
export { NodeStream } from "./node_stream.ts";
export {
  type DialHandler,
  type Dialling,
  type ListenTarget,
  type Sockets,
  SOCKETS_KINDS,
  type SocketsKind,
  type TcpListener,
} from "./sockets.ts";
export {
  HANDLER_FAILED,
  MAX_QUEUED,
  NO_HANDLER,
  type SocketName,
  StreamError,
  type StreamHandler,
  type TcpStream,
  type TlsHandler,
} from "./stream.ts";
