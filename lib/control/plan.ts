import type { Database, StoredRule } from "../db/mod.ts";
import type { FirewallSnapshot, ListenerSnapshot } from "../plane/mod.ts";
import { invalid } from "../queue/mod.ts";
import type { RouteTable } from "../routes/mod.ts";
import { identityOf } from "../schema/mod.ts";
import { Slices } from "../slices/mod.ts";
import {
  isAutomaticBan,
  isTimedBlock,
  LISTENER,
  type Listener,
  type Policy,
  type RateLimit,
  ROUTE,
  type Route,
  type RouteSettings,
  RULE,
  type RuleSettings,
  type State,
} from "../state/mod.ts";
import { findBindableEndpoint, type TryToBind } from "./binding.ts";
import { Complaints } from "./complaints.ts";
import * as differences from "./differences.ts";
import { type Difference, sameFields } from "./difference.ts";
import { refuseUnknownCountries } from "./geoip.ts";
import { outOfPlace } from "./out_of_place.ts";
import { planPolicies } from "./plan_policies.ts";
import type { RouteFilesCheck } from "./route_files_check.ts";

/** Rules that are read at once: a few milliseconds. */
const PAGE = 500;

/** {@link PlanOptions}, the turns that planning takes, and what is wrong with what is wanted. */
interface PlanContext extends PlanOptions {
  readonly slices: Slices;
  readonly complaints: Complaints;
}

/** What {@link planState} looks at beside what is wanted. */
export interface PlanOptions {
  readonly state: PlannedState;
  readonly tls: Pick<RouteFilesCheck, "check">;
  readonly rateLimit: RateLimit;
  readonly now: number;
  /** Whether the wanted state is the truth, which leaves nothing else but blocks for a time. */
  readonly isWhole?: boolean;
  /** Whether rules say when they were made; else that is now. */
  readonly isDated?: boolean;
  /** Whether things have to be in the wanted order, too. */
  readonly isOrdered?: boolean;
  /** Which rules stay that are not wanted. Default: those that come and go. */
  readonly keeps?: (rule: StoredRule) => boolean;
  /** Whether addresses of new listeners can be bound; default: with the system. */
  readonly tryToBind?: TryToBind;
}

/** What of a state is compared. */
export interface PlannedState {
  readonly database: Pick<Database, "rules">;
  readonly snapshot: {
    readonly listeners: readonly ListenerSnapshot[];
    readonly firewall: Pick<FirewallSnapshot, "geoip">;
  };
  /** Looks routes of a listener up. */
  table(listenerId: number): Pick<RouteTable, "get"> | undefined;
}

/**
 * The differences from the state as it is to the one that is wanted: removals first, so that a port or a
 * hostname can go from one listener to another.
 *
 * @throws {RefusedError} with every field that is wrong.
 */
export async function planState(wanted: State, options: PlanOptions): Promise<Difference[]> {
  const complaints = new Complaints();
  const context = { ...options, slices: new Slices(), complaints };
  const { listeners, rules } = wanted;
  const parts = [
    listeners === undefined ? [] : await planListeners(listeners, context),
    rules === undefined ? [] : await planRules(rules, context),
  ];
  complaints.refuse();
  // Not by spreading: the arguments of a call lie on the stack, and 300,000 rules overflow it.
  const planned = parts.flat();
  if (wanted.rateLimit !== undefined) {
    const after = wanted.rateLimit;
    const before = context.rateLimit;
    if (differsInRateLimit(before, after)) planned.push(differences.setRateLimit(before, after));
  }
  return planned;
}

/** Whether two limits differ: the window of one that is off means nothing. */
export function differsInRateLimit(a: RateLimit, b: RateLimit): boolean {
  return a.limit !== b.limit || (b.limit > 0 && a.windowMs !== b.windowMs);
}

/** How many differences {@link planState} finds between a route of a listener and the one wanted. */
export function countRouteDifferences(
  addr: string,
  wanted: RouteSettings | undefined,
  there: Route | undefined,
): number {
  if (wanted === undefined) return there === undefined ? 0 : 1;
  if (there === undefined) return 1 + (wanted.policies?.length ?? 0);
  const policies = planPolicies(addr, wanted, keptPolicies(there, wanted)).length;
  return Number(!sameFields(ROUTE, there, wanted)) + policies;
}

/** Whether {@link planState} finds a difference between a rule and the one wanted. */
export function differsInRule(
  wanted: RuleSettings | undefined,
  stored: RuleSettings | undefined,
  now: number,
): boolean {
  if (wanted === undefined || isOver(wanted, now)) {
    return stored !== undefined && !isAutomaticBan(stored);
  }
  return stored === undefined || !sameFields(RULE, stored, wanted);
}

/** An export that is applied again later: a rule has ended meanwhile. */
function isOver({ expiresAt }: RuleSettings, now: number): boolean {
  return expiresAt !== undefined && expiresAt <= now;
}

/** An update that leaves l7 takes the policies along. */
function keptPolicies({ policies = [] }: Route, { mode }: RouteSettings): readonly Policy[] {
  return mode === "l7" ? policies : [];
}

async function planListeners(
  wanted: readonly Listener[],
  context: PlanContext,
): Promise<Difference[]> {
  if (wanted.length === 0) throw invalid("state.listeners", "the last listener cannot be removed");
  const byAddr = new Map<string, Wanted>();
  for (const [i, listener] of wanted.entries()) {
    const at = `state.listeners[${i}].`;
    if (byAddr.has(listener.addr)) throw invalid(`${at}listener.addr`, "repeats");
    byAddr.set(listener.addr, { listener, at });
  }
  const present = context.state.snapshot.listeners;
  const kept = present.filter(({ addr }) => byAddr.has(addr));
  const leaving = present.filter(({ addr }) => !byAddr.has(addr));
  const parts: Difference[][] = [leaving.map(differences.removeListener)];
  for (const one of byAddr.values()) {
    const before = kept.find(({ addr }) => addr === one.listener.addr);
    if (before === undefined) parts.push(await planNewListener(one, { kept, leaving }, context));
    else parts.push(await planListener(before, one, context));
  }
  return parts.flat();
}

/** A listener that is wanted, and how messages begin the names of its fields. */
interface Wanted {
  readonly listener: Listener;
  readonly at: string;
}

async function planNewListener(
  { listener, at }: Wanted,
  { kept, leaving }: Readonly<Record<"kept" | "leaving", readonly ListenerSnapshot[]>>,
  context: PlanContext,
): Promise<Difference[]> {
  const { slices, tryToBind, complaints } = context;
  const { routes, ...settings } = listener;
  const field = `${at}listener.addr`;
  const planned: Difference[] = [];
  await complaints.hear(async () => {
    const bound = await findBindableEndpoint(listener.addr, {
      ...{ field, others: kept, leaving },
      ...tryToBind && { tryToBind },
    });
    planned.push(differences.addListener(settings, bound));
  });
  for (const [i, route] of routes.entries()) {
    if (slices.isOver) await slices.pause();
    await checkRoute(route, `${at}routes[${i}].route.`, context);
    planned.push(...planNewRoute(listener.addr, route));
  }
  return planned;
}

async function planListener(
  before: ListenerSnapshot,
  { listener, at }: Wanted,
  context: PlanContext,
): Promise<Difference[]> {
  const { state, slices } = context;
  const { routes, ...settings } = listener;
  const planned: Difference[] = [];
  if (!sameFields(LISTENER, before, settings)) {
    planned.push(differences.updateListener(before, settings));
  }
  const names = routes.map(({ hostname }) => hostname);
  const [hostnames, there] = [new Set(names), before.routes.map(({ hostname }) => hostname)];
  const moved = context.isOrdered ? outOfPlace(there, names) : new Set();
  for (const route of before.routes) {
    if (slices.isOver) await slices.pause();
    const { hostname } = route;
    const isGone = !hostnames.has(hostname) || moved.has(hostname);
    if (isGone) planned.push(differences.removeRoute(before, route));
  }
  for (const [i, wanted] of routes.entries()) {
    if (slices.isOver) await slices.pause();
    const { hostname } = wanted;
    const route = moved.has(hostname) ? undefined : state.table(before.id)?.get(hostname);
    const isSame = route !== undefined && sameFields(ROUTE, route, wanted);
    await checkRoute(wanted, `${at}routes[${i}].route.`, { ...context, isSame });
    if (route === undefined) {
      planned.push(...planNewRoute(before.addr, wanted));
      continue;
    }
    if (!isSame) {
      planned.push(differences.updateRoute(before, route, wanted));
    }
    planned.push(...planPolicies(before.addr, wanted, keptPolicies(route, wanted), context));
  }
  return planned;
}

/** Whether what a route names is there; certificates of one that stays as it is are in use. */
async function checkRoute(
  route: RouteSettings,
  at: string,
  { state, tls, complaints, isSame = false }: PlanContext & { readonly isSame?: boolean },
): Promise<void> {
  await complaints.hear(() => refuseUnknownCountries(route, state, at));
  if (!isSame) await complaints.hear(() => tls.check(route, at));
}

function planNewRoute(addr: string, route: RouteSettings): Difference[] {
  const { policies = [] } = route;
  const added = policies.map((policy) => differences.addPolicy(addr, route.hostname, policy));
  return [differences.addRoute(addr, route), ...added];
}

async function planRules(
  wanted: readonly RuleSettings[],
  { state, now, slices, complaints, isWhole = false, isDated = false, keeps }: PlanContext,
): Promise<Difference[]> {
  const left = new Map<string, StoredRule>();
  for (let last = 0;;) {
    const page = state.database.rules.page(last, PAGE);
    for (const rule of page) left.set(identityOf(RULE.shape, rule), rule);
    if (page.length < PAGE) break;
    last = page.at(-1)?.id ?? last;
    if (slices.isOver) await slices.pause();
  }
  const added: Difference[] = [];
  for (const [i, rule] of wanted.entries()) {
    if (slices.isOver) await slices.pause();
    if (rule.type === "country" && state.snapshot.firewall.geoip === undefined) {
      const field = `state.firewall.rules[${i}].type`;
      await complaints.hear(() => {
        throw invalid(field, "a country rule needs a GeoIP database");
      });
    }
    if (isOver(rule, now)) continue;
    const identity = identityOf(RULE.shape, rule);
    const stored = left.get(identity);
    left.delete(identity);
    if (stored === undefined) {
      added.push(differences.addRule({ ...!isDated && { createdAt: now }, ...rule }));
    } else if (differences.isOtherRule(stored, rule)) {
      added.push(differences.updateRule(stored, rule));
    }
  }
  const removed: Difference[] = [];
  const stays = keeps ?? (isWhole ? isTimedBlock : isAutomaticBan);
  for (const stored of left.values()) {
    if (slices.isOver) await slices.pause();
    if (!stays(stored)) removed.push(differences.removeRule(stored));
  }
  return removed.concat(added);
}
