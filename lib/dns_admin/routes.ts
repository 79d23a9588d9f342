import { changeRoutes } from "./change_routes.ts";
import { fileRoutes } from "./file_routes.ts";
import { recordRoutes } from "./record_routes.ts";
import type { Route } from "./route.ts";
import type { RoutesOptions } from "./routes_options.ts";
import { secondaryRoutes } from "./secondary_routes.ts";
import { serverRoutes } from "./server_routes.ts";
import { setRoutes } from "./set_routes.ts";
import { tokenRoutes } from "./token_routes.ts";
import { zoneRoutes } from "./zone_routes.ts";

/** The operations of the API, those about zones and records first. */
export function createRoutes(options: RoutesOptions): readonly Route[] {
  return [
    ...zoneRoutes(options),
    ...secondaryRoutes(options),
    ...recordRoutes(options),
    ...setRoutes(options),
    ...fileRoutes(options),
    ...serverRoutes(options),
    ...tokenRoutes(options),
    ...changeRoutes(options),
  ];
}
