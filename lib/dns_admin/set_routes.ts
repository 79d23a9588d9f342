import type { SetInput } from "../dns_control/mod.ts";
import { missing } from "../queue/mod.ts";
import { doneJson } from "./answers.ts";
import type { Route } from "./route.ts";
import type { RoutesOptions } from "./routes_options.ts";
import * as schema from "./schemas.ts";

/** Records of a zone by name and type, all of one kind at once. */
export function setRoutes({ control }: RoutesOptions): readonly Route[] {
  const path = "/v1/zones/{zone}/rrsets/{name}/{type}";
  return [
    {
      ...{ method: "GET", path, id: "GetSet", needs: "read", output: schema.SET },
      summary: "The records of a name and type.",
      handle: ({ zone, path: { name = "", type = "" } }) => {
        const records = control.set(zone, { name, type });
        const [first] = records;
        if (first === undefined) throw missing(`the set ${name} ${type}`);
        const values = records.map(({ value }) => value);
        return { version: control.zone(zone).version, json: { ttl: first.ttl, values } };
      },
    },
    {
      ...{ method: "PUT", path, id: "ReplaceSet", needs: "write", output: schema.CHANGED_SET },
      summary: "Makes the records of a name and type these; those that stay keep their ids.",
      isConditional: true,
      input: schema.NEW_SET,
      handle: async ({ zone, path: { name = "", type = "" }, input, operation }) => {
        const { records, ...done } = await control.records
          .replaceSet(zone, { name, type }, input as SetInput, operation("ReplaceSet"));
        return { version: done.version, json: { records, ...doneJson(done) } };
      },
    },
    {
      ...{ method: "DELETE", path, id: "RemoveSet", needs: "write", output: schema.DONE },
      summary: "Removes the records of a name and type.",
      isConditional: true,
      handle: async ({ zone, path: { name = "", type = "" }, operation }) => {
        const done = await control.records.removeSet(zone, { name, type }, operation("RemoveSet"));
        return { version: done.version, json: doneJson(done) };
      },
    },
  ];
}
