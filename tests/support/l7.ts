/**
 * A data plane with one l7 route for `a.test`, backends that speak HTTP, and clients for both.
 *
 * @module
 */
import { tlsMaterialId } from "../../lib/l7/mod.ts";
import type { L7Policy, Route } from "../../lib/routes/mod.ts";
import { HOST, identity } from "./l7_identity.ts";
import { type PlaneOptions, startPlane, type TestPlane } from "./plane.ts";

export * from "./l7_backends.ts";
export * from "./l7_clients.ts";
export { HOST, identity };

/** Settings of {@link startL7}. */
export interface L7TestOptions extends Omit<PlaneOptions, "routes"> {
  /** `host:port`. */
  readonly backend: string;
  readonly route?: Partial<Route>;
  readonly policies?: readonly L7Policy[];
  /** More routes on the same listener. */
  readonly moreRoutes?: PlaneOptions["routes"];
  readonly backendCaPem?: string;
}

/** Starts a plane whose route for {@link HOST} goes to `backend`. */
export async function startL7(options: L7TestOptions): Promise<TestPlane> {
  const { certPem, keyPem } = await identity();
  const route = { hostname: HOST, mode: "l7", backend: options.backend, ...options.route } as const;
  const routes = [
    { ...route, ...options.policies !== undefined && { policies: options.policies } },
    ...options.moreRoutes ?? [],
  ];
  const { backendCaPem } = options;
  const tls = routes.map(({ tlsCert = "", tlsKey = "", backendCa }) => ({
    id: tlsMaterialId({ tlsCert, tlsKey, ...backendCa !== undefined && { backendCa } }),
    certPem,
    keyPem,
    ...backendCaPem !== undefined && { backendCaPem },
  }));
  return await startPlane({ ...options, routes, tls });
}
