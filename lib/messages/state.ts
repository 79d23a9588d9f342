import type { MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import * as pb from "../admin/gen/mod.ts";
import { complete, Report } from "../schema/mod.ts";
import { mapInSteps, runAtOnce, type Steps } from "../slices/mod.ts";
import {
  DNS_SET,
  LISTENER,
  type Listener,
  POLICY,
  RATE_LIMIT,
  type RateLimit,
  refuseOverlaps,
  ROUTE,
  type RouteSettings,
  RULE,
  type RuleSettings,
  STATE,
  type State,
} from "../state/mod.ts";
import { fromMessage, toMessage, type Unchecked } from "./record.ts";

/**
 * The state of a message, and what is wrong with it, under the names of the protocol. In steps: a
 * million rules take seconds.
 */
export function* stateFromMessage(message: pb.State): Steps<{
  readonly state: State;
  readonly report: Report;
}> {
  const { listeners, firewall, rateLimit, records } = message;
  const report = new Report();
  const given: Unchecked = {
    ...listeners && { listeners: yield* listenersOf(listeners.listeners) },
    ...firewall && { rules: yield* mapInSteps(firewall.rules, ruleOf) },
    ...rateLimit && { rateLimit: rateLimitOf(rateLimit) },
    ...records.length > 0 && {
      records: records.map((it) => fromMessage(DNS_SET.shape, pb.DnsSetSchema, it)),
    },
  };
  const state = yield* STATE.checkInSteps(given as State, { path: [], report });
  const { listeners: wanted = [] } = state;
  refuseOverlaps(wanted.map(({ addr }, i) => [["listeners", i, "addr"], addr]), report);
  for (const [i, { routes }] of wanted.entries()) {
    for (const [j, { mode, policies = [] }] of routes.entries()) {
      yield;
      const path = ["listeners", i, "routes", j, "policies"];
      if (mode !== "l7" && policies.length > 0) {
        report.problem(path, "only an l7 route has policies");
      }
    }
  }
  return { state, report };
}

/**
 * The name that a path of the state has in the protocol, where a listener and its routes, a route
 * and its policies lie beside each other, and rules in a set of their own.
 */
export function stateFieldName(key: string): string {
  const nested = key.replaceAll(
    /\b(listener|route)s(\[\d+\])\.(?!(?:routes|policies)\b)/g,
    (_, record, index) => `${record}s${index}.${record}.`,
  );
  return `state.${nested.replace(/^rules/, "firewall.rules")}`;
}

/**
 * The state of an answer. The proxy has checked it: a newer one may say what this program does not
 * know, and it is not to be read as something else.
 */
export function stateOfAnswer({ listeners, firewall, rateLimit }: pb.State): Required<State> {
  const { limit = 0, windowMs = 0 } = rateLimitOf(rateLimit) as Partial<RateLimit>;
  return {
    listeners: (listeners?.listeners ?? []).map(({ listener, routes }) =>
      complete(LISTENER, {
        ...settingsOf(listener),
        routes: routes.map((it) => complete(ROUTE, routeOf(it) as Partial<RouteSettings>)),
      })
    ),
    rules: (firewall?.rules ?? []).map((it) => complete(RULE, ruleOf(it) as Partial<RuleSettings>)),
    rateLimit: { limit, windowMs },
    records: [],
  };
}

/** The message of a state; parts that are absent are so there. */
export function stateToMessage(state: State): MessageInitShape<typeof pb.StateSchema> {
  return runAtOnce(stateToMessageInSteps(state));
}

/**
 * {@link stateToMessage} in steps.
 *
 * @param ruleMessage the message of a rule. Default: what a rule says of itself.
 */
export function* stateToMessageInSteps<R extends RuleSettings = RuleSettings>(
  { listeners, rules, rateLimit, records }: Omit<State, "rules"> & {
    readonly rules?: readonly R[];
  },
  ruleMessage: (rule: R) => MessageInitShape<typeof pb.FirewallRuleSchema> = ruleToMessage,
): Steps<MessageInitShape<typeof pb.StateSchema>> {
  return {
    ...listeners && { listeners: { listeners: yield* listenerStates(listeners) } },
    ...rules && { firewall: { rules: yield* mapInSteps(rules, ruleMessage) } },
    ...rateLimit && { rateLimit: rateLimitToMessage(rateLimit) },
    ...records && {
      records: records.map((it) => toMessage(DNS_SET.shape, pb.DnsSetSchema, it)),
    },
  };
}

/** The message of a rule. */
export function ruleToMessage(rule: RuleSettings): MessageInitShape<typeof pb.FirewallRuleSchema> {
  return toMessage(RULE.shape, pb.FirewallRuleSchema, rule);
}

/** The message of a rate limit. */
export function rateLimitToMessage(
  { limit, windowMs }: RateLimit,
): MessageInitShape<typeof pb.RateLimitSchema> {
  return windowMs === 0 ? { limit } : { limit, window: durationFromMs(windowMs) };
}

function* listenerStates(
  listeners: readonly Listener[],
): Steps<MessageInitShape<typeof pb.ListenerStateSchema>[]> {
  const states: MessageInitShape<typeof pb.ListenerStateSchema>[] = [];
  for (const listener of listeners) {
    states.push({
      listener: toMessage(LISTENER.shape, pb.ListenerSchema, listener),
      routes: yield* mapInSteps(listener.routes, routeState),
    });
  }
  return states;
}

function routeState(route: RouteSettings): MessageInitShape<typeof pb.RouteStateSchema> {
  const policies = route.policies ?? [];
  return {
    route: toMessage(ROUTE.shape, pb.RouteSchema, route),
    policies: policies.map((it) => toMessage(POLICY.shape, pb.L7PolicySchema, it)),
  };
}

function* listenersOf(states: readonly pb.ListenerState[]): Steps<Unchecked[]> {
  const found: Unchecked[] = [];
  for (const { listener, routes } of states) {
    found.push({ ...settingsOf(listener), routes: yield* mapInSteps(routes, routeOf) });
  }
  return found;
}

function settingsOf(listener: pb.Listener | undefined): Unchecked {
  return fromMessage(LISTENER.shape, pb.ListenerSchema, listener);
}

function routeOf({ route, policies }: pb.RouteState): Unchecked {
  return {
    ...fromMessage(ROUTE.shape, pb.RouteSchema, route),
    policies: policies.map((it) => fromMessage(POLICY.shape, pb.L7PolicySchema, it)),
  };
}

function ruleOf(rule: pb.FirewallRule): Unchecked {
  return fromMessage(RULE.shape, pb.FirewallRuleSchema, rule);
}

function rateLimitOf(rateLimit: pb.RateLimit | undefined): Unchecked {
  return fromMessage(RATE_LIMIT.shape, pb.RateLimitSchema, rateLimit);
}
