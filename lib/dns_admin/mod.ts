/**
 * How a name server is managed over the network: REST and gRPC over TLS, and who may.
 *
 * @module
 */
export {
  Authenticator,
  AuthError,
  type AuthOptions,
  type Caller,
  type Introspector,
} from "./auth.ts";
export { DnsAdmin, type DnsAdminOptions } from "./admin.ts";
export { type IntrospectionOptions, TokenIntrospection } from "./introspection.ts";
export { RestApi, type RestOptions } from "./rest.ts";
