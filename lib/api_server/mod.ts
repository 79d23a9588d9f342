/**
 * An HTTP server for an API on the network: TLS, HTTP/2 and HTTP/1.1 by the engines that l7 has, one
 * function that answers requests; and the listener below it, for whoever speaks something else.
 *
 * @module
 */
export { type ApiRequest, type ApiResponse, BodyError, type BodyLimits } from "./exchange.ts";
export {
  type Credentials,
  type SecureConnection,
  SecureListener,
  type SecureListenerOptions,
} from "./listener.ts";
export { ApiServer, type ApiServerOptions } from "./server.ts";
