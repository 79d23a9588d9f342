/**
 * Mode l7: terminates TLS and proxies HTTP/2 (gRPC included) and HTTP/1.1 to backends that speak
 * either. Both are framed by engines of ours (lib/h2, lib/h1) on both sides.
 *
 * @module
 */
export { GUESS_WINDOW_MS } from "./basic_auth_step.ts";
export { type L7Connection } from "./l7_connection.ts";
export { type Page, type PageContent, type PageOf, type Pages } from "./error_pages.ts";
export { hostOfAuthority } from "./authority.ts";
export { DEFAULT_FIELD_SETTINGS, type FieldSettings } from "./field_rules.ts";
export { GuardedH1Server, GuardedH2Session } from "./guarded_sessions.ts";
export { DEFAULT_HTTP_LIMITS, EngineLimits, type HttpLimits } from "./http_limits.ts";
export { type L7Ending, type L7Session } from "./session.ts";
export { type H2TransportName } from "./backend_dialer.ts";
export { type BackendTls, connectBackend } from "./backend_address.ts";
export { probeHttp, type ProbeTarget } from "./probe.ts";
export { type BackendUse } from "./exchange_record.ts";
export { type CurrentRoutes } from "./backend_pools.ts";
export { L7Service, type L7ServiceOptions, type L7Settings } from "./service.ts";
export { type TlsMaterial, tlsMaterialId } from "./tls_material.ts";
