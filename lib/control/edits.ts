import type { Endpoint } from "../addr/mod.ts";
import type { StoredRule } from "../db/mod.ts";
import { type Json, type RecordKind, recordToJson } from "../schema/mod.ts";
import type { ListenerSnapshot } from "../server/mod.ts";
import {
  LISTENER,
  type ListenerSettings,
  POLICY,
  type Policy,
  RATE_LIMIT,
  type RateLimit,
  ROUTE,
  type Route,
  type RouteSettings,
  RULE,
  type RuleSettings,
} from "../state/mod.ts";
import type { Draft } from "./draft.ts";
import { missing, present } from "./refused.ts";

/** What kind of thing an edit is about. */
export type EditKind = "listener" | "route" | "firewall_rule" | "l7_policy" | "rate_limit";

/** One difference between the state as it is and as it is wanted, and how to make it. */
export interface Edit {
  readonly action: "add" | "update" | "remove";
  readonly kind: EditKind;
  /** What is meant, such as `:443 www.example.net`. */
  readonly subject: string;
  /** What is there before and after, for the audit log. */
  readonly before?: Json;
  readonly after?: Json;
  /** The connections it is about: those of a listener, or of one of its routes. */
  readonly touches?: { readonly listenerId: number; readonly route?: string };
  /** Writes the rows, in a transaction, and notes in the draft what the data plane has to know. */
  write(draft: Draft): void;
}

type Owner = Pick<ListenerSnapshot, "id" | "addr">;
type NewRule = RuleSettings & { readonly createdAt?: number };

export function addListener(listener: ListenerSettings, endpoint: Endpoint): Edit {
  return {
    action: "add",
    kind: "listener",
    subject: listener.addr,
    after: shown(LISTENER, listener),
    write: (draft) => draft.addListener(draft.database.addListener(listener), endpoint),
  };
}

export function updateListener(before: ListenerSnapshot, after: ListenerSettings): Edit {
  const row = { id: before.id, ...after };
  return {
    action: "update",
    kind: "listener",
    subject: after.addr,
    before: shown(LISTENER, before),
    after: shown(LISTENER, after),
    touches: { listenerId: before.id },
    write: (draft) => {
      draft.database.updateListener(row);
      draft.updateListener(row);
    },
  };
}

export function removeListener(before: ListenerSnapshot): Edit {
  return {
    action: "remove",
    kind: "listener",
    subject: before.addr,
    before: shown(LISTENER, before),
    touches: { listenerId: before.id },
    write: (draft) => {
      draft.database.removeListener(before.id);
      draft.removeListener(before.addr);
    },
  };
}

export function addRoute(addr: string, route: RouteSettings): Edit {
  const subject = `${addr} ${route.hostname}`;
  return {
    action: "add",
    kind: "route",
    subject,
    after: shown(ROUTE, route),
    write: (draft) => {
      const { id } = draft.listener(addr);
      if (draft.route(id, route.hostname) !== undefined) throw present(`the route ${subject}`);
      draft.setRoute(id, draft.database.addRoute(id, route));
    },
  };
}

export function updateRoute(listener: Owner, before: Route, after: RouteSettings): Edit {
  return {
    action: "update",
    kind: "route",
    subject: `${listener.addr} ${after.hostname}`,
    before: shown(ROUTE, before),
    after: shown(ROUTE, after),
    touches: { listenerId: listener.id, route: before.hostname },
    write: (draft) => {
      const { policies } = draft.database;
      const row = draft.database.updateRoute(before.id, after);
      // Policies stay with a route that goes on terminating TLS; others could not keep them.
      if (after.mode !== "l7") policies.list(row.id).forEach((it) => policies.remove(row.id, it));
      draft.setRoute(listener.id, withPolicies(draft, row));
    },
  };
}

export function removeRoute(listener: Owner, before: Route): Edit {
  return {
    action: "remove",
    kind: "route",
    subject: `${listener.addr} ${before.hostname}`,
    before: shown(ROUTE, before),
    touches: { listenerId: listener.id, route: before.hostname },
    write: (draft) => {
      draft.database.removeRoute(before.id);
      draft.removeRoute(listener.id, before.hostname);
    },
  };
}

export function addRule(rule: NewRule): Edit {
  const subject = `${rule.type} ${rule.value}`;
  return {
    action: "add",
    kind: "firewall_rule",
    subject,
    after: shown(RULE, rule),
    write: (draft) => {
      draft.addRule(draft.database.rules.add(rule));
    },
  };
}

/** Changes why and until when a rule blocks: nothing that the data plane has to know. */
export function updateRule(before: StoredRule, after: RuleSettings): Edit {
  return {
    action: "update",
    kind: "firewall_rule",
    subject: `${before.type} ${before.value}`,
    before: shown(RULE, before),
    after: shown(RULE, after),
    write: ({ database }) => database.rules.update(before.id, after),
  };
}

export function removeRule(before: StoredRule): Edit {
  return {
    action: "remove",
    kind: "firewall_rule",
    subject: `${before.type} ${before.value}`,
    before: shown(RULE, before),
    write: (draft) => {
      draft.database.rules.remove(before.id);
      draft.removeRule(before.id);
    },
  };
}

export function addPolicy(addr: string, hostname: string, policy: Policy): Edit {
  return {
    action: "add",
    kind: "l7_policy",
    subject: policySubject(addr, hostname, policy),
    after: shown(POLICY, policy),
    write: (draft) => {
      const [listenerId, route] = routeOf(draft, addr, hostname);
      draft.database.policies.add(route.id, policy);
      draft.setRoute(listenerId, withPolicies(draft, route));
    },
  };
}

export function removePolicy(addr: string, hostname: string, policy: Policy): Edit {
  return {
    action: "remove",
    kind: "l7_policy",
    subject: policySubject(addr, hostname, policy),
    before: shown(POLICY, policy),
    write: (draft) => {
      const [listenerId, route] = routeOf(draft, addr, hostname);
      draft.database.policies.remove(route.id, policy);
      draft.setRoute(listenerId, withPolicies(draft, route));
    },
  };
}

export function setRateLimit(before: RateLimit, after: RateLimit): Edit {
  return {
    action: "update",
    kind: "rate_limit",
    subject: "rate_limit",
    before: shown(RATE_LIMIT, before),
    after: shown(RATE_LIMIT, after),
    write: (draft) => {
      draft.database.settings.setRateLimit(after);
      draft.setRateLimit(after);
    },
  };
}

function routeOf(draft: Draft, addr: string, hostname: string): [number, Route] {
  const { id } = draft.listener(addr);
  const route = draft.route(id, hostname);
  if (route === undefined) throw missing(`the route ${addr} ${hostname}`);
  return [id, route];
}

/** The route with the policies that the database holds for it now. */
function withPolicies({ database }: Draft, route: Route): Route {
  const policies = database.policies.list(route.id).map(({ id, type, value }) => {
    return { id, type, value };
  });
  return Object.assign({ ...route }, { policies });
}

function policySubject(addr: string, hostname: string, { type, value }: Policy): string {
  return `${addr} ${hostname} ${type} ${value}`;
}

/** What the audit log and differences show: the names of the protocol, and no secret. */
function shown<T extends object>({ shape }: RecordKind<T>, value: object): Json {
  return recordToJson(shape, value, { hideSecrets: true });
}
