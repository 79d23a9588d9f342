import type { Route } from "../routes/mod.ts";
import { ACME } from "../state/mod.ts";

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
export function tlsMaterialId(
  route: Pick<Route, "tlsCert" | "tlsKey" | "backendCa"> & { readonly hostname?: string },
): string {
  const { tlsCert, tlsKey, backendCa = "", hostname = "" } = route;
  // What an authority issues is of one name.
  return `${tlsCert}\0${tlsCert === ACME ? hostname : tlsKey}\0${backendCa}`;
}
