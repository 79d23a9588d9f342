/**
 * A typed client of the admin API of a running mc-proxy, for any Deno program that may open its
 * socket.
 *
 * @module
 */
export {
  type AdminClient,
  type CallOptions,
  type ClientOptions,
  createClient,
  createServiceClient,
  type ServiceClient,
  type ServiceClientOptions,
} from "./client.ts";
export type { ChannelTarget } from "./channel.ts";
export {
  AbortedError,
  AdminError,
  type AdminErrorCode,
  AlreadyExistsError,
  DeadlineError,
  InvalidArgumentError,
  NotFoundError,
  UnreachableError,
} from "./error.ts";
export { explainFailure } from "./failure.ts";
export type * from "../admin/gen/mod.ts";
