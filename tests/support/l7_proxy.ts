/**
 * The whole program with one l7 route.
 *
 * @module
 */
import { join } from "node:path";
import { HOST, identity } from "./l7.ts";
import { type ConfigTree, type Proxy, type ProxyOptions, startProxy } from "./proxy.ts";

/** Settings of {@link startL7Proxy}. */
export interface L7ProxyOptions extends Omit<ProxyOptions, "config"> {
  /** `host:port`. */
  readonly backend: string;
  /** The route's certificate and key. Default: the test's own, see `identity()`. */
  readonly pair?: { readonly certPem: string; readonly keyPem: string };
  /** More of the route, by the keys of the file; a function of the folder. */
  readonly route?: (folder: string) => ConfigTree;
  /** More of the configuration than the listener; a function of the folder. */
  readonly more?: (folder: string) => ConfigTree;
}

/** Starts a proxy whose route for {@link HOST} goes to `backend`; the pair is `a.pem` and `a.key`. */
export async function startL7Proxy(
  { backend, pair, route = () => ({}), more = () => ({}), files, ...options }: L7ProxyOptions,
): Promise<Proxy> {
  const { certPem, keyPem } = pair ?? await identity();
  return await startProxy({
    ...options,
    files: { "a.pem": certPem, "a.key": keyPem, ...files },
    config: (folder) => ({
      listeners: [{
        addr: "127.0.0.1:0",
        routes: [{
          hostname: HOST,
          backend,
          mode: "l7",
          "tls_cert": join(folder, "a.pem"),
          "tls_key": join(folder, "a.key"),
          ...route(folder),
        }],
      }],
      ...more(folder),
    }),
  });
}
