import { fromJson, type Json, type RecordKind, recordToJson, Report } from "../schema/mod.ts";
import {
  LISTENER,
  type Listener,
  type ListenerSettings,
  POLICY,
  type Policy,
  RATE_LIMIT,
  type RateLimit,
  ROUTE,
  type RouteSettings,
  RULE,
  type RuleSettings,
  type State,
} from "../state/mod.ts";

/** Names one thing of the state: a listener, a route of it, a policy of that, a rule, the rate limit. */
export type ObjectKey = readonly string[];

/** A rule, and when it was made. */
export type DatedRule = RuleSettings & { readonly createdAt?: number };

/** One thing of the state, of which the log speaks. */
export type FleetObject =
  | { readonly kind: "listener"; readonly listener: ListenerSettings }
  | { readonly kind: "route"; readonly addr: string; readonly route: RouteSettings }
  | {
    readonly kind: "policy";
    readonly addr: string;
    readonly hostname: string;
    readonly policy: Policy;
  }
  | { readonly kind: "rule"; readonly rule: DatedRule }
  | { readonly kind: "rate_limit"; readonly rateLimit: RateLimit };

/** What this program does not understand, for example because a newer one has written it. */
export class UnknownObjectError extends Error {
  override readonly name = "UnknownObjectError";
}

/** The one name of a thing. */
export function keyOf(object: FleetObject): ObjectKey {
  switch (object.kind) {
    case "listener":
      return listenerKey(object.listener.addr);
    case "route":
      return routeKey(object.addr, object.route.hostname);
    case "policy":
      return policyKey(object.addr, object.hostname, object.policy);
    case "rule":
      return ruleKey(object.rule);
    case "rate_limit":
      return RATE_LIMIT_KEY;
  }
}

export function listenerKey(addr: string): ObjectKey {
  return ["listener", addr];
}

export function routeKey(addr: string, hostname: string): ObjectKey {
  return ["listener", addr, "route", hostname];
}

export function policyKey(addr: string, hostname: string, { type, value }: Policy): ObjectKey {
  return [...routeKey(addr, hostname), "policy", type, value];
}

export function ruleKey(
  { action = "block", type, value }: Pick<RuleSettings, "action" | "type" | "value">,
): ObjectKey {
  return ["rule", action, type, value];
}

export const RATE_LIMIT_KEY: ObjectKey = ["rate_limit"];

/** A thing as it lies in PostgreSQL, secrets included. */
export function valueOf(object: FleetObject): Json {
  switch (object.kind) {
    case "listener": {
      // Its key says it: by a name, maybe.
      const { addr: _, ...json } = recordToJson(LISTENER.shape, object.listener);
      return json;
    }
    case "route":
      return recordToJson(ROUTE.shape, object.route);
    case "policy":
      return recordToJson(POLICY.shape, object.policy);
    case "rule": {
      const { createdAt } = object.rule;
      const json = recordToJson(RULE.shape, object.rule);
      return createdAt === undefined ? json : { ...json, created_at: createdAt };
    }
    case "rate_limit":
      return recordToJson(RATE_LIMIT.shape, object.rateLimit);
  }
}

/**
 * The thing of a key and a value.
 *
 * @throws {UnknownObjectError}
 */
export function readObject(key: ObjectKey, value: unknown): FleetObject {
  const object = readAny(key, value);
  if (object === undefined || keyOf(object).join("\0") !== key.join("\0")) {
    throw new UnknownObjectError(
      `${
        JSON.stringify(key)
      } is nothing that this version knows: a newer one has written it, and this proxy needs an upgrade`,
    );
  }
  return object;
}

function readAny(key: ObjectKey, value: unknown): FleetObject | undefined {
  const [kind, addr = "", below, hostname = "", deeper] = key;
  if (kind === "rate_limit") {
    return { kind, rateLimit: checked(RATE_LIMIT, value, key) };
  }
  if (kind === "rule") {
    const { created_at: createdAt, ...json } = Object(value) as Record<string, unknown>;
    const rule = checked(RULE, json, key);
    return { kind, rule: typeof createdAt === "number" ? { ...rule, createdAt } : rule };
  }
  if (kind !== "listener") return undefined;
  if (below === undefined) {
    const { routes: _, ...listener } = checked(LISTENER, { ...Object(value), addr }, key);
    return { kind, listener };
  }
  if (below !== "route") return undefined;
  if (deeper === undefined) {
    const { policies: _, ...route } = checked(ROUTE, value, key);
    return { kind: "route", addr, route };
  }
  if (deeper !== "policy") return undefined;
  return { kind: "policy", addr, hostname, policy: checked(POLICY, value, key) };
}

/** The whole state, of things in the order in which they were added. */
export function stateOf(objects: readonly FleetObject[]): Required<State> {
  const listeners = new Map<string, ListenerSettings & { routes: RouteSettings[] }>();
  const routes = new Map<string, Omit<RouteSettings, "policies"> & { policies?: Policy[] }>();
  const rules: DatedRule[] = [];
  let rateLimit: RateLimit = { limit: 0, windowMs: 0 };
  for (const object of objects) {
    if (object.kind === "listener") {
      listeners.set(object.listener.addr, { ...object.listener, routes: [] });
    } else if (object.kind === "rule") rules.push(object.rule);
    else if (object.kind === "rate_limit") rateLimit = object.rateLimit;
  }
  for (const object of objects) {
    if (object.kind !== "route") continue;
    const { policies: _, ...route }: RouteSettings = object.route;
    routes.set(JSON.stringify(keyOf(object)), route);
    listeners.get(object.addr)?.routes.push(route);
  }
  for (const object of objects) {
    if (object.kind !== "policy") continue;
    const route = routes.get(JSON.stringify(routeKey(object.addr, object.hostname)));
    if (route !== undefined) (route.policies ??= []).push(object.policy);
  }
  return { listeners: [...listeners.values()], rules, rateLimit, records: [] };
}

/** The things of a whole state, each after what it is part of. */
export function objectsOf(
  { listeners = [], rules = [], rateLimit }: State & { readonly rules?: readonly DatedRule[] },
): FleetObject[] {
  return [
    ...listeners.flatMap(objectsOfListener),
    ...rules.map((rule): FleetObject => ({ kind: "rule", rule })),
    ...rateLimit === undefined ? [] : [{ kind: "rate_limit", rateLimit } as const],
  ];
}

function objectsOfListener({ routes, ...listener }: Listener): FleetObject[] {
  const { addr } = listener;
  return [
    { kind: "listener", listener },
    ...routes.flatMap(({ policies = [], ...route }): FleetObject[] => [
      { kind: "route", addr, route },
      ...policies.map((policy): FleetObject => {
        return { kind: "policy", addr, hostname: route.hostname, policy };
      }),
    ]),
  ];
}

function checked<T extends object>(kind: RecordKind<T>, value: unknown, key: ObjectKey): T {
  const found = fromJson(kind, value) as T | undefined;
  if (found !== undefined) {
    const report = new Report();
    const record = kind.check(found, { path: [], report });
    if (report.problems.length === 0) return record;
  }
  throw new UnknownObjectError(
    `the value of ${
      JSON.stringify(key)
    } is none that this version takes: a newer one has written it, and this proxy needs an upgrade`,
  );
}
