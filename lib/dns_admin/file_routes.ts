import { nameToText } from "../dns/mod.ts";
import { missing, present } from "../queue/mod.ts";
import { doneJson } from "./answers.ts";
import type { Route } from "./route.ts";
import type { RoutesOptions } from "./routes_options.ts";
import * as schema from "./schemas.ts";

const ENCODER = new TextEncoder();

/** Zones as zone files. */
export function fileRoutes({ control }: RoutesOptions): readonly Route[] {
  const path = "/v1/zones/{zone}/file";
  return [
    {
      ...{ method: "GET", path, id: "ExportZone", needs: "read", givesFile: true },
      summary: "A zone file that says the zone.",
      handle: ({ zone }) => {
        const { version } = control.zone(zone);
        return { version, text: encoded(control.zones.export(zone)) };
      },
    },
    {
      ...{ method: "PUT", path, id: "ImportZone", needs: "write", takesFile: true },
      summary: "Makes a zone what a zone file says. Making one that is not there needs `admin`. " +
        "Its serial is the file's if that is later, else the next one.",
      isConditional: true,
      output: schema.IMPORTED,
      handle: async ({ zone, octets, request, caller, operation }) => {
        const isThere = control.has(zone);
        if (isThere && request.field("if-none-match") === "*") throw present("the zone");
        const mustBeThere = request.field("if-match")?.trim() === "*";
        if (!isThere && (mustBeThere || !caller.access.isAdmin)) {
          throw missing(`the zone ${nameToText(zone)}`);
        }
        const { isNew, records, added, removed, changed: other, ...done } = await control.zones
          .import(zone, octets, operation("ImportZone"));
        return {
          status: isNew ? 201 : 200,
          version: done.version,
          json: { records, added, removed, changed: other, ...doneJson(done) },
        };
      },
    },
  ];
}

async function* encoded(lines: AsyncIterable<string>): AsyncGenerator<Uint8Array> {
  for await (const text of lines) yield ENCODER.encode(text);
}
