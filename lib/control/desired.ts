import type { Endpoint } from "../addr/mod.ts";
import type { FullRoute, NewListener, NewPolicy, RateLimitSetting, StoredRule } from "../db/mod.ts";
import type { Route } from "../routes/mod.ts";
import type { ListenerSnapshot } from "../server/mod.ts";
import { settleEndpoint } from "./binding.ts";
import * as edits from "./edits.ts";
import type { Edit } from "./edits.ts";
import type { TlsFiles } from "./files.ts";
import {
  checkListener,
  checkRateLimit,
  checkRoute,
  checkRule,
  type ListenerInput,
  type RouteInput,
  type RuleInput,
} from "./inputs.ts";
import type { LiveState } from "./live_state.ts";
import { checkPolicy } from "./policies.ts";
import { invalid } from "./refused.ts";

/** The state that an operator wants; a part that is absent stays as it is. */
export interface DesiredState {
  readonly listeners?: readonly DesiredListener[];
  readonly rules?: readonly RuleInput[];
  readonly rateLimit?: RateLimitSetting;
}

/** A listener with everything on it. */
export interface DesiredListener {
  readonly listener: ListenerInput;
  readonly routes: readonly DesiredRoute[];
}

/** A route with its policies. */
export interface DesiredRoute {
  readonly route: RouteInput;
  readonly policies: readonly { readonly type: string; readonly value: string }[];
}

interface CheckedListener {
  readonly at: string;
  readonly listener: Required<NewListener>;
  readonly endpoint: Endpoint;
  readonly routes: ReadonlyMap<string, CheckedRoute>;
}

interface CheckedRoute {
  readonly at: string;
  readonly route: FullRoute;
  readonly policies: readonly NewPolicy[];
}

/** What {@link planState} looks at beside the wish. */
export interface PlanContext {
  readonly state: LiveState;
  readonly tls: TlsFiles;
  readonly rateLimit: RateLimitSetting;
  readonly now: number;
}

/**
 * The edits from the state as it is to the one that is wanted: removals first, so that a port or a
 * hostname can go from one listener to another.
 *
 * @throws {RefusedError}
 */
export async function planState(wish: DesiredState, context: PlanContext): Promise<Edit[]> {
  const planned: Edit[] = [];
  if (wish.listeners !== undefined) planned.push(...await planListeners(wish.listeners, context));
  if (wish.rules !== undefined) planned.push(...planRules(wish.rules, context));
  if (wish.rateLimit !== undefined) {
    const after = checkRateLimit(wish.rateLimit);
    const before = context.rateLimit;
    if (after.limit !== before.limit || (after.limit > 0 && after.windowMs !== before.windowMs)) {
      planned.push(edits.setRateLimit(before, after));
    }
  }
  return planned;
}

async function planListeners(
  wish: readonly DesiredListener[],
  context: PlanContext,
): Promise<Edit[]> {
  if (wish.length === 0) throw invalid("state.listeners", "the last listener cannot be removed");
  const wanted = new Map<string, CheckedListener>();
  for (const [i, desired] of wish.entries()) {
    const checked = checkDesiredListener(desired, `state.listeners[${i}].`);
    if (wanted.has(checked.listener.addr)) throw invalid(`${checked.at}listener.addr`, "repeats");
    wanted.set(checked.listener.addr, checked);
  }
  const present = context.state.snapshot.listeners;
  const kept = present.filter(({ addr }) => wanted.has(addr));
  const removals = present.filter(({ addr }) => !wanted.has(addr)).map(edits.removeListener);
  const others: Edit[] = [];
  for (const checked of wanted.values()) {
    const before = kept.find(({ addr }) => addr === checked.listener.addr);
    if (before === undefined) others.push(...await planNewListener(checked, kept, context));
    else others.push(...await planListener(before, checked, context));
  }
  return [...removals, ...others];
}

function checkDesiredListener(
  { listener, routes }: DesiredListener,
  at: string,
): CheckedListener {
  const byHostname = new Map<string, CheckedRoute>();
  for (const [i, desired] of routes.entries()) {
    const routeAt = `${at}routes[${i}].`;
    const route = checkRoute(desired.route, `${routeAt}route.`);
    if (byHostname.has(route.hostname)) throw invalid(`${routeAt}route.hostname`, "repeats");
    const policies = desired.policies.map((it, j) => checkPolicy(it, `${routeAt}policies[${j}].`));
    if (policies.length > 0 && route.mode !== "l7") {
      throw invalid(`${routeAt}policies`, "only an l7 route has policies");
    }
    byHostname.set(route.hostname, { at: routeAt, route, policies });
  }
  return { at, ...checkListener(listener, `${at}listener.`), routes: byHostname };
}

async function planNewListener(
  { at, listener, endpoint, routes }: CheckedListener,
  others: readonly ListenerSnapshot[],
  { tls }: PlanContext,
): Promise<Edit[]> {
  const bound = await settleEndpoint(endpoint, { field: `${at}listener.addr`, others });
  const planned = [edits.addListener(listener, bound)];
  for (const wanted of routes.values()) {
    planned.push(...await planNewRoute(listener.addr, wanted, tls));
  }
  return planned;
}

async function planListener(
  before: ListenerSnapshot,
  { listener, routes }: CheckedListener,
  { state, tls }: PlanContext,
): Promise<Edit[]> {
  const planned: Edit[] = [];
  if (!sameListener(before, listener)) planned.push(edits.updateListener(before, listener));
  const gone = before.routes.filter(({ hostname }) => !routes.has(hostname));
  planned.push(...gone.map((route) => edits.removeRoute(before, route)));
  const policies = Map.groupBy(state.database.policies.list(), ({ routeId }) => routeId);
  for (const wanted of routes.values()) {
    const route = state.table(before.id)?.get(wanted.route.hostname);
    if (route === undefined) {
      planned.push(...await planNewRoute(before.addr, wanted, tls));
      continue;
    }
    if (!sameRoute(route, wanted.route)) {
      await tls.check(wanted.route, `${wanted.at}route.`);
      planned.push(edits.updateRoute(before, route, wanted.route));
    }
    // An update that leaves l7 takes the policies along.
    const there = wanted.route.mode === "l7" ? policies.get(route.id) ?? [] : [];
    planned.push(...planPolicies(before.addr, wanted, there));
  }
  return planned;
}

async function planNewRoute(
  addr: string,
  { at, route, policies }: CheckedRoute,
  tls: TlsFiles,
): Promise<Edit[]> {
  await tls.check(route, `${at}route.`);
  const added = policies.map((policy) => edits.addPolicy(addr, route.hostname, policy));
  return [edits.addRoute(addr, route), ...added];
}

function planPolicies(
  addr: string,
  { route: { hostname }, policies }: CheckedRoute,
  there: readonly NewPolicy[],
): Edit[] {
  const same = (a: NewPolicy) => (b: NewPolicy) => a.type === b.type && a.value === b.value;
  const gone = there.filter((policy) => !policies.some(same(policy)));
  const added = policies.filter((policy) => !there.some(same(policy)));
  return [
    ...gone.map(({ type, value }) => edits.removePolicy(addr, hostname, { type, value })),
    ...added.map((policy) => edits.addPolicy(addr, hostname, policy)),
  ];
}

function planRules(wish: readonly RuleInput[], { state, now }: PlanContext): Edit[] {
  const wanted = new Map<string, RuleInput & Pick<StoredRule, "type">>();
  for (const [i, input] of wish.entries()) {
    const at = `state.firewall.rules[${i}].`;
    const rule = checkRule(input, at);
    if (rule.type === "country" && state.snapshot.firewall.geoip === undefined) {
      throw invalid(`${at}type`, "a country rule needs a GeoIP database");
    }
    const key = `${rule.type} ${rule.value}`;
    if (wanted.has(key)) throw invalid(`${at}value`, "repeats");
    // An export that is applied again later: the rule has ended meanwhile.
    if (rule.expiresAt === undefined || rule.expiresAt > now) wanted.set(key, rule);
  }
  const there = new Map<string, StoredRule>();
  for (const rule of state.database.rules.list()) there.set(`${rule.type} ${rule.value}`, rule);
  const gone = [...there].filter(([key]) => !wanted.has(key));
  const planned = gone.map(([, rule]) => edits.removeRule(rule));
  for (const [key, rule] of wanted) {
    const before = there.get(key);
    if (before === undefined) planned.push(edits.addRule({ ...rule, createdAt: now }));
    else if (before.reason !== rule.reason || before.expiresAt !== rule.expiresAt) {
      planned.push(edits.updateRule(before, rule));
    }
  }
  return planned;
}

function sameListener(a: ListenerSnapshot, b: Required<NewListener>): boolean {
  return a.proxyProtocol === b.proxyProtocol && a.maxConnections === b.maxConnections &&
    a.trustedProxies.join() === b.trustedProxies.join();
}

function sameRoute(a: Route, b: FullRoute): boolean {
  return a.backend === b.backend && a.mode === b.mode && a.tlsCert === b.tlsCert &&
    a.tlsKey === b.tlsKey && a.backendTls === b.backendTls &&
    a.sendProxyProtocol === b.sendProxyProtocol &&
    (a.backendProtocol ?? "auto") === (b.backendProtocol ?? "auto") &&
    (a.backendTlsVerify ?? false) === (b.backendTlsVerify ?? false) &&
    (a.backendCa ?? "") === (b.backendCa ?? "") &&
    (a.backendServerName ?? "") === (b.backendServerName ?? "");
}
