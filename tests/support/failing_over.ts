/**
 * Routes with several backends, of which some fail.
 *
 * @module
 */
import { backend } from "./balancing.ts";
import { unusedPort } from "./ports.ts";

/** A route to several backends. */
export const route = (backends: readonly string[], more = {}) => ({
  hostname: "a.test",
  backend: backends[0] ?? "",
  backends: backends.map((addr) => backend(addr)),
  ...more,
});

/** Where nobody listens. */
export const deadAddress = async () => `127.0.0.1:${await unusedPort()}`;
