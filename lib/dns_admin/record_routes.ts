import { nameToText } from "../dns/mod.ts";
import type { RecordInput } from "../dns_control/mod.ts";
import { missing } from "../queue/mod.ts";
import { doneJson } from "./answers.ts";
import { integerOf } from "./parameters.ts";
import type { Call, Parameter, Route } from "./route.ts";
import type { RoutesOptions } from "./routes_options.ts";
import * as schema from "./schemas.ts";

/** Records of one answer at most, and of one that does not say how many. */
const MAX_PAGE = 10_000;
const PAGE = 1000;

const LIMIT: Parameter = { type: "integer", description: `At most so many, up to ${MAX_PAGE}.` };

/** Records of a zone, one by one. */
export function recordRoutes({ control }: RoutesOptions): readonly Route[] {
  const path = "/v1/zones/{zone}/records";
  const one = `${path}/{id}`;
  return [
    {
      ...{ method: "GET", path, id: "ListRecords", needs: "read", output: schema.RECORDS },
      summary: "Records of a zone, in the order of their ids.",
      query: {
        name: { description: "Only those of this name." },
        type: { description: "Only those of this type." },
        limit: LIMIT,
        after: { type: "integer", description: "Only those with a greater id." },
      },
      handle: ({ zone, query }) => {
        const limit = integerOf(query, "limit", { fallback: PAGE, max: MAX_PAGE });
        const afterId = integerOf(query, "after");
        const { name, type } = query;
        const { serial, version } = control.zone(zone);
        const found = control.listRecords(zone, { name, type, afterId, limit: limit + 1 });
        const records = found.slice(0, limit);
        const next = found.length > limit ? { next: records.at(-1)?.id } : {};
        return { version, json: { records, serial, version, ...next } };
      },
    },
    {
      ...{ method: "POST", path, id: "AddRecord", needs: "write", status: 201 },
      summary: "Adds a record; those that are there stay.",
      isConditional: true,
      input: schema.NEW_RECORD,
      output: schema.CHANGED_RECORD,
      handle: async ({ zone, input, operation }) => {
        const { record, ...done } = await control.records
          .add(zone, input as RecordInput, operation("AddRecord"));
        const location = `/v1/zones/${encodeURIComponent(nameToText(zone))}/records/${record.id}`;
        return { location, version: done.version, json: { ...record, ...doneJson(done) } };
      },
    },
    {
      ...{ method: "GET", path: one, id: "GetRecord", needs: "read", output: schema.RECORD },
      summary: "A record.",
      handle: ({ zone, path }) => {
        const record = control.record(zone, idOf(path));
        return { version: control.zone(zone).version, json: record };
      },
    },
    {
      ...{ method: "PUT", path: one, id: "ReplaceRecord", needs: "write" },
      summary: "Replaces a record, which keeps its id.",
      isConditional: true,
      input: schema.NEW_RECORD,
      output: schema.CHANGED_RECORD,
      handle: async ({ zone, path, input, operation }) => {
        const { record, ...done } = await control.records
          .replace(zone, idOf(path), input as RecordInput, operation("ReplaceRecord"));
        return { version: done.version, json: { ...record, ...doneJson(done) } };
      },
    },
    {
      ...{ method: "DELETE", path: one, id: "RemoveRecord", needs: "write", output: schema.DONE },
      summary: "Removes a record.",
      isConditional: true,
      handle: async ({ zone, path, operation }) => {
        const done = await control.records.remove(zone, idOf(path), operation("RemoveRecord"));
        return { version: done.version, json: doneJson(done) };
      },
    },
  ];
}

function idOf({ id = "" }: Call["path"]): number {
  if (/^[1-9][0-9]{0,14}$/.test(id)) return Number(id);
  throw missing(`the record ${JSON.stringify(id.slice(0, 32))}`);
}
