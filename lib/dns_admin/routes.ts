import { nameToText } from "../dns/mod.ts";
import type {
  DnsControl,
  Explanation,
  NewToken,
  RecordInput,
  SetInput,
  ZoneView,
} from "../dns_control/mod.ts";
import { canonical, readZoneName } from "../dns_control/mod.ts";
import { invalid, missing, present } from "../queue/mod.ts";
import { forbidden } from "./auth.ts";
import { changeRoutes } from "./change_routes.ts";
import { recursionOf } from "./recursion_words.ts";
import type { Answer, Call, Parameter, Route } from "./route.ts";
import * as schema from "./schemas.ts";
import { secondaryRoutes, timeText, zoneJson } from "./secondary_routes.ts";

/** How one address is that questions are answered at. */
export interface AddressState {
  readonly address: string;
  readonly state: string;
  readonly restarts: number;
  readonly counters: readonly { readonly name: string; readonly value: number }[];
}

/** What routes are made of. */
export interface RoutesOptions {
  readonly control: DnsControl;
  /** The program's version. */
  readonly version: string;
  /** Why the server is not healthy, beyond what `control` knows; empty if it is. */
  readonly problem?: (() => string) | undefined;
  /** How the addresses are that questions are answered at; absent: there are none. */
  readonly addresses?: (() => readonly AddressState[]) | undefined;
  /** Reads the configuration again; what is odd about it. @throws {Error} with what is wrong. */
  readonly reload?: (() => Promise<readonly string[]>) | undefined;
  /** What becomes of a question that no zone answers, by the address of who asks. */
  readonly recursion?: ((address: string) => string) | undefined;
}

/** Records of one answer at most, and of one that does not say how many. */
const MAX_PAGE = 10_000;
const PAGE = 1000;
const MAX_AUDIT = 1000;

const LIMIT: Parameter = { type: "integer", description: `At most so many, up to ${MAX_PAGE}.` };
const ENCODER = new TextEncoder();

/** The operations of the API, those about zones and records first. */
export function createRoutes(options: RoutesOptions): readonly Route[] {
  return [
    ...zoneRoutes(options),
    ...secondaryRoutes(options),
    ...recordRoutes(options),
    ...setRoutes(options),
    ...fileRoutes(options),
    ...otherRoutes(options),
    ...tokenRoutes(options),
    ...changeRoutes(options),
  ];
}

function zoneRoutes({ control }: RoutesOptions): readonly Route[] {
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
        return { location, version: done.version, json: { name: text, ...changed(done) } };
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

function recordRoutes({ control }: RoutesOptions): readonly Route[] {
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
        const limit = integerOf(query, "limit", PAGE, MAX_PAGE);
        const afterId = integerOf(query, "after", 0);
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
        return { location, version: done.version, json: { ...record, ...changed(done) } };
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
        return { version: done.version, json: { ...record, ...changed(done) } };
      },
    },
    {
      ...{ method: "DELETE", path: one, id: "RemoveRecord", needs: "write", output: schema.DONE },
      summary: "Removes a record.",
      isConditional: true,
      handle: async ({ zone, path, operation }) => {
        const done = await control.records.remove(zone, idOf(path), operation("RemoveRecord"));
        return { version: done.version, json: changed(done) };
      },
    },
  ];
}

function setRoutes({ control }: RoutesOptions): readonly Route[] {
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
        return { version: done.version, json: { records, ...changed(done) } };
      },
    },
    {
      ...{ method: "DELETE", path, id: "RemoveSet", needs: "write", output: schema.DONE },
      summary: "Removes the records of a name and type.",
      isConditional: true,
      handle: async ({ zone, path: { name = "", type = "" }, operation }) => {
        const done = await control.records.removeSet(zone, { name, type }, operation("RemoveSet"));
        return { version: done.version, json: changed(done) };
      },
    },
  ];
}

function fileRoutes({ control }: RoutesOptions): readonly Route[] {
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
          json: { records, added, removed, changed: other, ...changed(done) },
        };
      },
    },
  ];
}

function otherRoutes(
  { control, version, problem = () => "", recursion, addresses = () => [] }: RoutesOptions,
): readonly Route[] {
  const trouble = () => control.problem || problem();
  return [
    {
      ...{ method: "GET", path: "/v1/explain", id: "Explain", needs: "any" },
      summary: "What a question would be answered from the zones, and why.",
      query: {
        name: { isNeeded: true, description: "A name in full." },
        type: { isNeeded: true, description: "A type." },
        from: { description: "The address of who would ask." },
      },
      output: schema.EXPLANATION,
      handle: ({ query, caller }) => {
        const { name = "", type = "", from } = query;
        const { outside, ...explained }: Explanation = control.explain({ name, type });
        // Whoever may not read a zone may ask the name server, and not look into it.
        if (explained.zone !== undefined && !mayRead(caller, explained.zone)) throw forbidden();
        const said = from === undefined
          ? undefined
          : recursionOf({ outside, verdict: explained.verdict }, () => recursion?.(from));
        return { json: { ...explained, ...said !== undefined && { recursion: said } } };
      },
    },
    {
      ...{ method: "GET", path: "/v1/status", id: "GetStatus", needs: "any" },
      summary: "How the server is.",
      output: schema.STATUS,
      handle: () => ({
        json: { version, ...control.counts, problem: trouble(), addresses: addresses() },
      }),
    },
    {
      ...{ method: "GET", path: "/v1/health", id: "GetHealth", needs: "nothing" },
      summary: "Whether the server is healthy; 503 if it is not.",
      output: schema.HEALTH,
      handle: () =>
        trouble() === ""
          ? { json: { status: "ok" } }
          : { status: 503, json: { status: "unhealthy" } },
    },
    {
      ...{ method: "GET", path: "/v1/audit", id: "ListAudit", needs: "admin" },
      summary: "What was changed, the latest first.",
      query: {
        limit: { type: "integer", description: `At most so many, up to ${MAX_AUDIT}.` },
        before: { type: "integer", description: "Only those with a smaller id." },
      },
      output: schema.AUDIT,
      handle: ({ query }) => {
        const limit = integerOf(query, "limit", 100, MAX_AUDIT);
        const beforeId = query.before === undefined ? undefined : integerOf(query, "before", 0);
        const entries = control.audit({ limit, beforeId })
          .map(({ time, ...entry }) => ({ ...entry, time: timeText(time) }));
        return { json: { entries } };
      },
    },
    {
      ...{ method: "POST", path: "/v1/write-back", id: "WriteBack", needs: "admin" },
      summary: "Writes a database whose file was removed or replaced back to its place.",
      output: schema.WRITTEN_BACK,
      handle: async ({ request }) => {
        const { aside } = await control.writeBack(request.signal);
        return { json: { ...aside !== undefined && { aside } } };
      },
    },
  ];
}

function tokenRoutes({ control }: RoutesOptions): readonly Route[] {
  const path = "/v1/tokens";
  return [
    {
      ...{ method: "GET", path, id: "ListTokens", needs: "admin", output: schema.TOKENS },
      summary: "The tokens of the database, without what they are.",
      handle: () => ({ json: { tokens: control.tokens.list().map(tokenJson) } }),
    },
    {
      ...{ method: "POST", path, id: "CreateToken", needs: "admin", status: 201 },
      summary: "Makes a token, which is shown this once.",
      input: schema.NEW_TOKEN,
      output: schema.CREATED_TOKEN,
      handle: async ({ input, operation }) => {
        const { ttl, ...wanted } = input as Omit<NewToken, "ttlMs"> & { ttl?: number };
        const asked = { ...wanted, ttlMs: ttl === undefined ? undefined : ttl * 1000 };
        const { secret, token } = await control.tokens.add(asked, operation("CreateToken"));
        return { json: { ...tokenJson(token), token: secret } };
      },
    },
    {
      ...{ method: "DELETE", path: `${path}/{name}`, id: "RemoveToken", needs: "admin" },
      summary: "Removes a token.",
      status: 204,
      handle: async ({ path: { name = "" }, operation }) => {
        await control.tokens.remove(name, operation("RemoveToken"));
        return {};
      },
    },
  ];
}

function mayRead({ access }: Call["caller"], zone: string): boolean {
  return access.may("read", canonical(zone) ?? zone);
}

function versioned(zone: ZoneView): Answer {
  return { version: zone.version, json: zoneJson(zone) };
}

function changed({ serial, version, pendingWorkers }: {
  readonly serial: number;
  readonly version: string;
  readonly pendingWorkers: readonly number[];
}) {
  return { serial, version, pending_workers: pendingWorkers };
}

function tokenJson({ name, scopes, createdAt, expiresAt }: {
  readonly name: string;
  readonly scopes: readonly string[];
  readonly createdAt: number;
  readonly expiresAt?: number;
}) {
  const end = expiresAt === undefined ? {} : { expires_at: timeText(expiresAt) };
  return { name, scopes, created_at: timeText(createdAt), ...end };
}

async function* encoded(lines: AsyncIterable<string>): AsyncGenerator<Uint8Array> {
  for await (const text of lines) yield ENCODER.encode(text);
}

function idOf({ id = "" }: Call["path"]): number {
  if (/^[1-9][0-9]{0,14}$/.test(id)) return Number(id);
  throw missing(`the record ${JSON.stringify(id.slice(0, 32))}`);
}

function integerOf(
  query: Call["query"],
  name: string,
  fallback: number,
  max: number = Number.MAX_SAFE_INTEGER,
): number {
  const text = query[name];
  if (text === undefined) return fallback;
  const value = Number(text);
  const isNumber = /^[0-9]{1,16}$/.test(text) && value <= max && (name !== "limit" || value > 0);
  if (isNumber) return value;
  throw invalid(name, `not a whole number up to ${max}`);
}
