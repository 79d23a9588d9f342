/**
 * Finding addresses of names: hosts file, servers of resolv.conf, and a cache that outlives them.
 * Nothing here blocks a thread, and no name delays another one.
 *
 * @module
 */
export { type Exchange, ExchangeError, type Server } from "../dns_client/mod.ts";
export { ResolveError, Resolver, type ResolverOptions, type ResolverSettings } from "./resolver.ts";
export { BusyError } from "./record_cache.ts";
