/**
 * Each way in which the state can be written and read, so that a test can take all of them.
 *
 * @module
 */
import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { create, fromJsonString } from "@bufbuild/protobuf";
import { parse } from "smol-toml";
import * as pb from "../../lib/admin/gen/mod.ts";
import { fromMessage, stateOfAnswer, stateToMessage, toMessage } from "../../lib/messages/mod.ts";
import {
  type AnyField,
  formatDuration,
  fromColumn,
  type Json,
  type RecordShape,
  textOfRecord,
  toJson,
} from "../../lib/schema/mod.ts";
import {
  LISTENER,
  POLICY,
  readStateFile,
  ROUTE,
  RULE,
  type State,
  writeStateFile,
} from "../../lib/state/mod.ts";
import { type AdminFixture } from "./admin.ts";
import { runCtl } from "./mcproxyctl.ts";

/** What a way in carries: it need not carry all of it. */
export interface Carried {
  readonly rules: boolean;
  /** When a rule ends, to the millisecond. */
  readonly expiry: boolean;
}

/** Makes a proxy have a state. */
export type WayIn = (admin: AdminFixture, state: Required<State>) => Promise<void>;

/** Every way in. */
export const WAYS_IN: readonly (readonly [name: string, carried: Carried, way: WayIn])[] = [
  ["calls that add", { rules: true, expiry: false }, addByCalls],
  ["a call that updates", { rules: false, expiry: false }, updateByCalls],
  ["Apply", { rules: true, expiry: true }, applyMessage],
  ["mcproxyctl apply with TOML", { rules: true, expiry: true }, applyToml],
  ["flags of mcproxyctl that add", { rules: true, expiry: false }, addByFlags],
  ["flags of mcproxyctl that update", { rules: false, expiry: false }, updateByFlags],
];

async function addByCalls({ client }: AdminFixture, state: Required<State>): Promise<void> {
  for (const listener of state.listeners) {
    await client.addListener(toMessage(LISTENER.shape, pb.AddListenerRequestSchema, listener));
    for (const route of listener.routes) {
      await client.addRoute({
        ...toMessage(ROUTE.shape, pb.AddRouteRequestSchema, route),
        listenerAddr: listener.addr,
      });
      await addPolicies(client, listener.addr, route);
    }
  }
  for (const rule of state.rules) {
    await client.addFirewallRule(toMessage(RULE.shape, pb.AddFirewallRuleRequestSchema, rule));
  }
  await client.setRateLimit({ rateLimit: stateToMessage(state).rateLimit ?? {} });
}

async function updateByCalls(
  { client }: AdminFixture,
  state: Required<State>,
): Promise<void> {
  for (const listener of state.listeners) {
    const { addr: listenerAddr } = listener;
    await client.addListener(toMessage(LISTENER.shape, pb.AddListenerRequestSchema, listener));
    for (const route of listener.routes) {
      const { hostname } = route;
      await client.addRoute({ listenerAddr, hostname, backend: "10.0.0.9:9" });
      await client.updateRoute({
        listenerAddr,
        route: toMessage(ROUTE.shape, pb.RouteSchema, route),
      });
      await addPolicies(client, listenerAddr, route);
    }
  }
  await client.setRateLimit({ rateLimit: stateToMessage(state).rateLimit ?? {} });
}

async function addPolicies(
  client: AdminFixture["client"],
  listenerAddr: string,
  { hostname, policies = [] }: Required<State>["listeners"][number]["routes"][number],
): Promise<void> {
  for (const policy of policies) {
    const message = toMessage(POLICY.shape, pb.L7PolicySchema, policy);
    await client.addL7Policy({ listenerAddr, hostname, policy: message });
  }
}

/** The state with the fixture's own listener kept. */
async function withOwn(
  { client }: AdminFixture,
  state: Required<State>,
): Promise<Required<State>> {
  const { state: found = create(pb.StateSchema) } = await client.exportState({});
  return { ...state, listeners: [...stateOfAnswer(found).listeners, ...state.listeners] };
}

async function applyMessage(admin: AdminFixture, state: Required<State>): Promise<void> {
  await admin.client.apply({ state: stateToMessage(await withOwn(admin, state)) });
}

async function applyToml(admin: AdminFixture, state: Required<State>): Promise<void> {
  const file = writeStateFile(await withOwn(admin, state));
  await ctl(admin, ["apply", "-f", "-"], file);
}

async function addByFlags(admin: AdminFixture, state: Required<State>): Promise<void> {
  for (const listener of state.listeners) {
    const { addr } = listener;
    await ctl(admin, ["listeners", "add", addr, ...flagsOf(LISTENER.shape, listener, ["addr"])]);
    for (const route of listener.routes) {
      const { hostname, backend, policies = [] } = route;
      const flags = flagsOf(ROUTE.shape, route, ["hostname", "backend"]);
      await ctl(admin, ["routes", "add", addr, hostname, backend, ...flags]);
      for (const { type, value } of policies) {
        await ctl(admin, ["policies", "add", addr, hostname, type, value]);
      }
    }
  }
  for (const rule of state.rules) {
    const flags = flagsOf(RULE.shape, rule, ["type", "value", "expires_at"]);
    await ctl(admin, ["firewall", "add", rule.type, rule.value, ...flags]);
  }
  const { limit, windowMs } = state.rateLimit;
  await ctl(admin, ["firewall", "rate-limit", `${limit}`, formatDuration(windowMs)]);
}

async function updateByFlags(admin: AdminFixture, state: Required<State>): Promise<void> {
  for (const listener of state.listeners) {
    const { addr } = listener;
    await ctl(admin, ["listeners", "add", addr, ...flagsOf(LISTENER.shape, listener, ["addr"])]);
    for (const route of listener.routes) {
      const { hostname, policies = [] } = route;
      await ctl(admin, ["routes", "add", addr, hostname, "10.0.0.9:9"]);
      const flags = flagsOf(ROUTE.shape, route, ["hostname"]);
      await ctl(admin, ["routes", "update", addr, hostname, ...flags]);
      for (const { type, value } of policies) {
        await ctl(admin, ["policies", "add", addr, hostname, type, value]);
      }
    }
  }
  const { limit, windowMs } = state.rateLimit;
  await ctl(admin, ["firewall", "rate-limit", `${limit}`, formatDuration(windowMs)]);
}

/** Flags for every field but those that the command takes as arguments. */
function flagsOf(shape: RecordShape, record: object, args: readonly string[]): string[] {
  const values = record as Readonly<Record<string, unknown>>;
  return [...shape.fields].flatMap(([property, field]) => {
    if (field.apart || args.includes(field.key) || values[property] === undefined) return [];
    assert.ok(field.flag, `mcproxyctl has no flag for ${field.key}`);
    const flag = `--${field.flag.name ?? field.key.replaceAll("_", "-")}`;
    return flagWords(flag, field, values[property]);
  });
}

function flagWords(flag: string, { kind }: AnyField, value: unknown): string[] {
  switch (kind.form) {
    case "boolean":
      return [value === true ? flag : flag.replace("--", "--no-")];
    case "list":
      return (value as string[]).flatMap((it) => [flag, it]);
    case "record":
      return [flag, textOfRecord(kind.shape as RecordShape, value as object)];
    case "records":
      return (value as object[]).flatMap((it) => [
        flag,
        textOfRecord(kind.shape as RecordShape, it),
      ]);
    default:
      return [flag, String(toJson(kind, value))];
  }
}

async function ctl(
  admin: AdminFixture,
  args: readonly string[],
  input = "",
): Promise<string> {
  const { code, stdout, stderr } = await runCtl(admin, args, input);
  assert.equal(code, 0, `${args.join(" ")}: ${stderr}`);
  return stdout;
}

/** Lists of the API say what an absent field means. */
export function withoutAbsent({ fields }: RecordShape, json: Json): Json {
  const absent = new Map([...fields.values()].map((it) => [it.key, "absent" in it && it.absent]));
  const said = Object.entries(json as object).filter(([key, value]) => value !== absent.get(key));
  return Object.fromEntries(said);
}

/** What a way out shows. */
export type Seen = Pick<Required<State>, "listeners" | "rules"> & Pick<State, "rateLimit">;

/** The state as it is seen from every side. */
export async function waysOut(admin: AdminFixture, addr: string): Promise<[string, Seen][]> {
  const { client, control, database } = admin;
  const { state: exported = create(pb.StateSchema) } = await client.exportState({});
  const state = stateOfAnswer(exported);
  const read = readStateFile(writeStateFile(state));
  assert.ok(read.ok);
  const text = await ctl(admin, ["export"]);
  const reread = readStateFile(text);
  assert.ok(reread.ok);
  expectTomlKeys(text, state);
  const json = fromJsonString(
    pb.ExportStateResponseSchema,
    await ctl(admin, ["--json", "export"]),
  );
  const complete = (it: State): Seen => ({ listeners: [], rules: [], ...it });
  return [
    ["ExportState", state],
    ["a file that is written and read", complete(read.state)],
    ["mcproxyctl export", complete(reread.state)],
    ["mcproxyctl export --json", stateOfAnswer(json.state ?? create(pb.StateSchema))],
    ["the lists of the API", await listed(admin, addr)],
    ["what is served", { listeners: control.state.snapshot.listeners, rules: state.rules }],
    ["the database", stored(database.path)],
  ];
}

/** Reads the file with nothing of ours: each field stands there under its name. */
function expectTomlKeys(text: string, { listeners }: Required<State>): void {
  const document = parse(text) as { listeners: Record<string, unknown>[] };
  for (const [i, listener] of listeners.entries()) {
    assert.equal(document.listeners[i]?.addr, listener.addr);
    if (listener.routes.length === 0) continue;
    const [route] = document.listeners[i]?.routes as Record<string, unknown>[];
    assert.deepEqual(
      Object.keys(route ?? {}).sort(),
      [...ROUTE.shape.fields.values()].map(({ key }) => key).sort(),
    );
  }
}

async function listed({ client }: AdminFixture, listenerAddr: string): Promise<Seen> {
  const { listeners } = await client.listListeners({});
  const { routes } = await client.listRoutes({ listenerAddr });
  const withPolicies = await Promise.all(routes.map(async (message) => {
    const route = fromMessage(ROUTE.shape, pb.RouteSchema, message);
    const { policies } = await client.listL7Policies({ listenerAddr, hostname: message.hostname });
    return {
      ...route,
      policies: policies.map((it) => fromMessage(POLICY.shape, pb.L7PolicySchema, it)),
    };
  }));
  const { rules, rateLimit } = await client.getFirewallRules({});
  const seen = {
    listeners: listeners.map(({ listener }) => ({
      ...fromMessage(LISTENER.shape, pb.ListenerSchema, listener),
      routes: listener?.addr === listenerAddr ? withPolicies : [],
    })),
    rules: rules.map((it) => fromMessage(RULE.shape, pb.FirewallRuleSchema, it)),
    rateLimit: stateOfAnswer(create(pb.StateSchema, { ...rateLimit && { rateLimit } })).rateLimit,
  };
  // What came, as it came.
  return seen as unknown as Seen;
}

/** The rows, read with nothing of ours but the columns' types. */
function stored(path: string): Seen {
  using db = new DatabaseSync(path, { readOnly: true });
  const rows = (sql: string, shape: RecordShape) =>
    db.prepare(sql).all().map((row) => ({
      id: row.id,
      ...Object.fromEntries(
        [...shape.fields].filter(([, { apart }]) => !apart).map(([property, field]) => {
          return [property, fromColumn(field, row[field.key])];
        }).filter(([, value]) => value !== undefined),
      ),
    }));
  const listeners = rows("SELECT * FROM listeners", LISTENER.shape).map((listener) => ({
    ...listener,
    routes: rows(`SELECT * FROM routes WHERE listener_id = ${listener.id}`, ROUTE.shape).map(
      (route) => ({
        ...route,
        policies: rows(`SELECT * FROM l7_policies WHERE route_id = ${route.id}`, POLICY.shape),
      }),
    ),
  }));
  const rules = rows("SELECT * FROM firewall_rules", RULE.shape);
  return { listeners, rules } as unknown as Seen;
}
