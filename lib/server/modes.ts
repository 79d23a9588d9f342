import type { Route } from "../routes/mod.ts";
import { serveL4 } from "./l4.ts";
import { serveL7 } from "./l7.ts";
import type { Mode } from "./mode.ts";
import { serveMtls } from "./mtls.ts";

/** The modes that a route can have. */
export const MODES: Readonly<Record<Route["mode"], Mode>> = {
  l4: serveL4,
  l7: serveL7,
  mtls: serveMtls,
};
