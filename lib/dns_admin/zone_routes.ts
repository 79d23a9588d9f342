import { nameToText } from "../dns/mod.ts";
import { readZoneName } from "../dns_control/mod.ts";
import { doneJson, mayRead, versioned, zoneJson } from "./answers.ts";
import type { Route } from "./route.ts";
import type { RoutesOptions } from "./routes_options.ts";
import * as schema from "./schemas.ts";

/** Zones themselves: which there are, a new one, one less. */
export function zoneRoutes({ control }: RoutesOptions): readonly Route[] {
  const path = "/v1/zones/{zone}";
  return [
    {
      ...{ method: "GET", path: "/v1/zones", id: "ListZones", needs: "any" },
      summary: "The zones that the token may read.",
      output: schema.ZONES,
      handle: ({ caller }) => ({
        json: {
          zones: control.listZones().filter(({ name }) => mayRead(caller, name)).map(zoneJson),
        },
      }),
    },
    {
      ...{ method: "POST", path: "/v1/zones", id: "CreateZone", needs: "admin", status: 201 },
      summary: "Makes a zone of an SOA record and its name servers.",
      input: schema.NEW_ZONE,
      output: schema.CREATED_ZONE,
      handle: async ({ input, operation }) => {
        const { name, name_servers: nameServers, ...rest } = input as {
          name: string;
          name_servers: string[];
          mailbox?: string;
          ttl?: number;
        };
        const origin = readZoneName(name, "name");
        const done = await control.zones
          .create(origin, { nameServers, ...rest }, operation("CreateZone"));
        const text = nameToText(origin);
        const location = `/v1/zones/${encodeURIComponent(text)}`;
        return { location, version: done.version, json: { name: text, ...doneJson(done) } };
      },
    },
    {
      ...{ method: "GET", path, id: "GetZone", needs: "read", output: schema.ZONE },
      summary: "A zone.",
      handle: ({ zone }) => versioned(control.zone(zone)),
    },
    {
      ...{ method: "DELETE", path, id: "RemoveZone", needs: "admin", status: 204 },
      summary: "Removes a zone with everything in it.",
      isConditional: true,
      handle: async ({ zone, operation }) => {
        await control.zones.remove(zone, operation("RemoveZone"));
        return {};
      },
    },
  ];
}
