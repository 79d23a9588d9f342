/**
 * A field of the state is described once; everything that reads, writes or shows the state walks
 * over the description. Here every field of every record goes in each way there is, is read back
 * each way there is, and again after a restart. Whoever adds a field and forgets a way, or writes a
 * way with a list of fields of its own, meets this test.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { create, fromJsonString } from "@bufbuild/protobuf";
import { parse, stringify } from "smol-toml";
import * as pb from "../../lib/admin/gen/mod.ts";
import { fromMessage, stateOfAnswer, stateToMessage, toMessage } from "../../lib/messages/mod.ts";
import {
  type AnyField,
  formatDuration,
  fromColumn,
  identityOf,
  type Json,
  type RecordShape,
  recordToJson,
  recordToToml,
  textOfRecord,
  toJson,
} from "../../lib/schema/mod.ts";
import {
  BACKEND,
  HEALTH,
  LISTENER,
  type Listener,
  POLICY,
  readStateFile,
  ROUTE,
  ROUTE_PATH,
  type RouteSettings,
  RULE,
  type RuleSettings,
  type State,
  writeStateFile,
} from "../../lib/state/mod.ts";
import { type AdminFixture, startAdmin } from "../support/admin.ts";
import { createServerIdentity } from "../support/certificates.ts";
import { runCtl } from "../support/mcproxyctl.ts";
import { unusedPort } from "../support/ports.ts";
import { sampleOf } from "../support/state_samples.ts";
import { countryDatabase } from "../support/vectors.ts";

/** Every field with a value of its own; the listener is a second one beside that of the fixture. */
async function sampleState(folder: string): Promise<Required<State>> {
  await Deno.writeFile(join(folder, "geo.mmdb"), countryDatabase());
  const { certPem, keyPem } = await createServerIdentity("a.example");
  const [cert, key] = [join(folder, "cert.pem"), join(folder, "key.pem")];
  await Deno.writeTextFile(cert, certPem);
  await Deno.writeTextFile(key, keyPem);
  const policy = sampleOf(POLICY, { type: "block_user_agent", value: "bot" });
  const route = sampleOf(ROUTE, {
    hostname: "a.example",
    backend: "10.0.0.1:443",
    mode: "l7",
    tls_cert: cert,
    tls_key: key,
    backend_ca: cert,
    backend_server_name: "backend.example",
    description: "the shop; ask ops@example.net",
    allowed_ips: ["192.0.2.1", "2001:db8::1"],
    allowed_cidrs: ["198.51.100.0/24"],
    allowed_countries: ["NL", "SE"],
    backends: [
      sampleOf(BACKEND, { addr: "10.0.0.1:443" }),
      { addr: "[2001:db8::1]:443", weight: 2, backup: true, maxConnections: 5, state: "up" },
    ],
    health: sampleOf(HEALTH, { path: "/healthz?deep=1", status: "204" }),
    rate_limit: { connections: 7, requests: 100, perMs: 10_000 },
    response_headers: { set: ["x-frame-options: DENY", "link: </a>, </b>"], remove: ["server"] },
    request_headers: { set: ["x-tenant: a"], remove: ["cookie"] },
    hsts: "180d",
    error_pages: [{ status: 503, body: "<p>soon, really", contentType: "text/plain" }],
    paths: [
      sampleOf(ROUTE_PATH, {
        prefix: "/api",
        backend: "10.0.0.2:80",
        backends: [
          sampleOf(BACKEND, { addr: "10.0.0.2:80" }),
          { addr: "10.0.0.3:80", weight: 3, backup: true, state: "up" },
        ],
        health: sampleOf(HEALTH, { path: "/up", status: "200" }),
      }, { without: ["exact", "respond"] }),
      { exact: "/gone", respond: { status: 410, body: "gone", contentType: "text/html" } },
    ],
    basic_auth: {
      realm: "staff",
      forward: true,
      users: [{ name: "alice", hash: `$scrypt$ln=15,r=8,p=1$${"A".repeat(22)}$${"B".repeat(43)}` }],
    },
    forward_auth: {
      url: "http://10.0.0.9:9091/verify",
      headers: ["remote-user", "remote-groups"],
      timeoutMs: 3000,
    },
    respond: { status: 200, body: "up\n", contentType: "text/html", retryAfterMs: 5000 },
    policies: [policy],
  });
  const listener = sampleOf(LISTENER, {
    addr: `127.0.0.1:${await unusedPort()}`,
    trusted_proxies: ["10.0.0.0/8", "::1"],
    routes: [route],
  }, { without: ["kind"] });
  const redirect = sampleOf(LISTENER, {
    addr: `127.0.0.1:${await unusedPort()}`,
    trusted_proxies: ["10.0.0.0/8"],
  }, { without: ["routes"] });
  const rule = sampleOf(RULE, {
    type: "cidr",
    value: "192.0.2.0/24",
    reason: "scans",
    expires_at: Date.UTC(2031, 0, 2, 3, 4, 5),
  });
  return {
    listeners: [listener, redirect],
    rules: [rule],
    rateLimit: { limit: 30_000, windowMs: 90_000 },
    records: [],
  };
}

/** A route may name countries where somebody knows them. */
function geoip(folder: string): string {
  return `firewall.geoip_db = "${join(folder, "geo.mmdb")}"\n`;
}

/** What a way in carries: it need not carry all of it. */
interface Carried {
  readonly rules: boolean;
  /** When a rule ends, to the millisecond. */
  readonly expiry: boolean;
}

type WayIn = (admin: AdminFixture, state: Required<State>) => Promise<void>;

const WAYS_IN: readonly (readonly [name: string, carried: Carried, way: WayIn])[] = [
  ["calls that add", { rules: true, expiry: false }, addByCalls],
  ["a call that updates", { rules: false, expiry: false }, updateByCalls],
  ["Apply", { rules: true, expiry: true }, applyMessage],
  ["mcproxyctl apply with TOML", { rules: true, expiry: true }, applyToml],
  ["flags of mcproxyctl that add", { rules: true, expiry: false }, addByFlags],
  ["flags of mcproxyctl that update", { rules: false, expiry: false }, updateByFlags],
];

for (const [name, carried, way] of WAYS_IN) {
  Deno.test(`every field goes in by ${name} and comes out each way, also after a restart`, async () => {
    const folder = await Deno.makeTempDir({ prefix: "mc-proxy-test-" });
    const state = await sampleState(folder);
    {
      await using admin = await startAdmin({ folder, config: geoip(folder) });
      await way(admin, state);
      await expectEverywhere(admin, state, carried);
      await expectInAudit(admin, state);
    }
    {
      await using admin = await startAdmin({ folder, config: geoip(folder) });
      await expectEverywhere(admin, state, carried);
    }
    await Deno.remove(folder, { recursive: true });
  });
}

Deno.test("every field goes in by the configuration file and comes out each way", async () => {
  const folder = await Deno.makeTempDir({ prefix: "mc-proxy-test-" });
  const state = await sampleState(folder);
  const listeners = state.listeners.map((it) => recordToToml(LISTENER.shape, it));
  const nothing = { rules: false, expiry: false };
  {
    await using admin = await startAdmin({
      folder,
      config: geoip(folder) + stringify({ listeners }),
    });
    await expectEverywhere(admin, state, nothing);
  }
  {
    await using admin = await startAdmin({ folder, config: geoip(folder) });
    await expectEverywhere(admin, state, nothing);
  }
  await Deno.remove(folder, { recursive: true });
});

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

async function updateByCalls({ client }: AdminFixture, state: Required<State>): Promise<void> {
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
async function withOwn({ client }: AdminFixture, state: Required<State>): Promise<Required<State>> {
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

async function ctl(admin: AdminFixture, args: readonly string[], input = ""): Promise<string> {
  const { code, stdout, stderr } = await runCtl(admin, args, input);
  assert.equal(code, 0, `${args.join(" ")}: ${stderr}`);
  return stdout;
}

/** Looks at the state from every side. */
async function expectEverywhere(
  admin: AdminFixture,
  state: Required<State>,
  { rules, expiry }: Carried,
): Promise<void> {
  const [listener, redirect] = state.listeners;
  const [route] = listener?.routes ?? [];
  const [rule] = state.rules;
  assert.ok(listener && redirect && route && rule);
  const wanted = {
    listener: recordToJson(LISTENER.shape, listener),
    route: recordToJson(ROUTE.shape, route),
    policies: (route.policies ?? []).map((it) => recordToJson(POLICY.shape, it)),
  };
  expectEachField(LISTENER.shape, listener, wanted.listener);
  expectEachField(ROUTE.shape, route, wanted.route);
  expectEachField(RULE.shape, rule, recordToJson(RULE.shape, rule));
  const { expires_at: _, ...ruleWithoutEnd } = recordToJson(RULE.shape, rule);
  const wantedRule = expiry ? recordToJson(RULE.shape, rule) : ruleWithoutEnd;
  for (const [way, found] of await waysOut(admin, listener.addr)) {
    const at: Listener | undefined = found.listeners.find((it) => it.addr === listener.addr);
    const seen: RouteSettings | undefined = at?.routes.find((it) => it.hostname === route.hostname);
    assert.ok(at && seen, `${way}: there is no ${listener.addr} ${route.hostname}`);
    assert.deepEqual(
      {
        listener: withoutAbsent(LISTENER.shape, recordToJson(LISTENER.shape, at)),
        route: recordToJson(ROUTE.shape, seen),
        policies: (seen.policies ?? []).map((it) => recordToJson(POLICY.shape, it)),
      },
      wanted,
      way,
    );
    const plain: Listener | undefined = found.listeners.find((it) => it.addr === redirect.addr);
    assert.deepEqual(
      plain && recordToJson(LISTENER.shape, { ...plain, routes: [] }),
      recordToJson(LISTENER.shape, redirect),
      way,
    );
    if (!rules) continue;
    const kept: RuleSettings | undefined = found.rules.find((it) =>
      identityOf(RULE.shape, it) === identityOf(RULE.shape, rule)
    );
    assert.deepEqual(kept && recordToJson(RULE.shape, kept), wantedRule, way);
    assert.deepEqual(found.rateLimit ?? state.rateLimit, state.rateLimit, way);
  }
}

/** What everything here is compared as has each field under its name, in what is in it as well. */
function expectEachField(shape: RecordShape, record: object, json: object): void {
  for (const [property, { key, apart, kind }] of shape.fields) {
    const value = (record as Record<string, unknown>)[property];
    if (apart === true || value === undefined) continue;
    assert.ok(key in json, `${key} is not said`);
    const said = [(json as Record<string, Json>)[key]].flat();
    const { shape: below } = kind;
    if (below === undefined) continue;
    for (const [i, it] of [value].flat().entries()) {
      expectEachField(below, it as object, said[i] as object);
    }
  }
}

/** Lists of the API say what an absent field means. */
function withoutAbsent({ fields }: RecordShape, json: Json): Json {
  const absent = new Map([...fields.values()].map((it) => [it.key, "absent" in it && it.absent]));
  const said = Object.entries(json as object).filter(([key, value]) => value !== absent.get(key));
  return Object.fromEntries(said);
}

type Seen = Pick<Required<State>, "listeners" | "rules"> & Pick<State, "rateLimit">;

async function waysOut(admin: AdminFixture, addr: string): Promise<[string, Seen][]> {
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

/** The audit log says each field of what was added, or of what a route became. */
async function expectInAudit(
  { client }: AdminFixture,
  { listeners }: Required<State>,
): Promise<void> {
  const [listener] = listeners;
  const [route] = listener?.routes ?? [];
  assert.ok(listener && route);
  const { entries } = await client.getAuditLog({});
  const of = (subject: string) => entries.find((entry) => entry.subject === subject)?.after ?? "{}";
  assert.deepEqual(JSON.parse(of(listener.addr)), recordToJson(LISTENER.shape, listener));
  assert.deepEqual(
    JSON.parse(of(`${listener.addr} ${route.hostname}`)),
    recordToJson(ROUTE.shape, route, { hideSecrets: true }),
  );
  for (const { before, after } of entries) assert.doesNotMatch(before + after, /\$scrypt\$/);
}
