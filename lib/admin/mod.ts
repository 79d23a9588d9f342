/**
 * The gRPC service of the admin API, on a Unix socket that only its owner may open.
 *
 * @module
 */
export { type AdminOptions, AdminServer } from "./server.ts";
export {
  AdminSocketError,
  type AdminSocketErrorCode,
  bindPrivately,
  type BoundSocket,
} from "../rpc_server/mod.ts";
