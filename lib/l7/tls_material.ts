import type { Route } from "../routes/mod.ts";

/** A certificate with its key, and what belongs to it; in memory only, never logged. */
export interface TlsMaterial {
  /** {@link tlsMaterialId} of the routes that use it. */
  readonly id: string;
  readonly certPem: string;
  readonly keyPem: string;
  /** Authorities that the route's backend is checked against. */
  readonly backendCaPem?: string;
}

/** What a route's TLS is made of: the files that it names. Routes with the same files share it. */
export function tlsMaterialId(route: Pick<Route, "tlsCert" | "tlsKey" | "backendCa">): string {
  return `${route.tlsCert}\0${route.tlsKey}\0${route.backendCa ?? ""}`;
}
