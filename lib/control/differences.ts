import type { Endpoint } from "../addr/mod.ts";
import type { SetDifference } from "../dns_rest/mod.ts";
import type { AuditEntry, StoredRule } from "../db/mod.ts";
import {
  type DatedRule,
  type Edit,
  type FleetObject,
  listenerKey,
  type ObjectKey,
  policyKey,
  routeKey,
  ruleKey,
} from "../fleet/mod.ts";
import type { ListenerSnapshot } from "../plane/mod.ts";
import { missing, present } from "../queue/mod.ts";
import { identityOf, type Json, type RecordKind, recordToJson } from "../schema/mod.ts";
import {
  isTimedBlock,
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
import type { ChangeSet } from "./change_set.ts";

/** What kind of thing a difference is about. */
export type DifferenceKind =
  | "listener"
  | "route"
  | "firewall_rule"
  | "l7_policy"
  | "rate_limit"
  | "dns_set";

/** One difference between the state as it is and as it is wanted, and how to make it. */
export interface Difference {
  readonly action: "add" | "update" | "remove";
  readonly kind: DifferenceKind;
  /** What is meant, such as `:443 www.example.net`. */
  readonly subject: string;
  /** What is there before and after, for the audit log. */
  readonly before?: Json;
  readonly after?: Json;
  /** The connections it is about: those of a listener, or of one of its routes. */
  readonly touches?: { readonly listenerId: number; readonly route?: string };
  /** Whether it is about a rule that comes and goes, whatever the truth about the state is. */
  readonly isPassing?: boolean;
  /** Of a rule: what there is before and after. */
  readonly rule?: { readonly before?: RuleSettings; readonly after?: RuleSettings };
  /** What it is to the log of a group. */
  readonly edits: readonly Edit[];
  /** Writes the rows, in a transaction, and notes what the data plane has to know. */
  write(changes: ChangeSet): void;
}

/** What the audit log says of a difference that an operation has made true. */
export function auditEntry(
  { subject, before, after }: Difference,
  { actor, action, time }: {
    readonly actor: string;
    readonly action: string;
    readonly time: number;
  },
): Omit<AuditEntry, "id"> {
  return { time, actor, action, subject, before: toText(before), after: toText(after) };
}

function toText(value: Json | undefined): string {
  return value === undefined ? "" : JSON.stringify(value);
}

type Owner = Pick<ListenerSnapshot, "id" | "addr">;

export function addListener(listener: ListenerSettings, endpoint: Endpoint): Difference {
  return {
    action: "add",
    kind: "listener",
    subject: listener.addr,
    after: shown(LISTENER, listener),
    edits: [put({ kind: "listener", listener })],
    write: (changes) => changes.addListener(changes.database.addListener(listener), endpoint),
  };
}

export function updateListener(before: ListenerSnapshot, after: ListenerSettings): Difference {
  const row = { id: before.id, ...after };
  return {
    action: "update",
    kind: "listener",
    subject: after.addr,
    before: shown(LISTENER, before),
    after: shown(LISTENER, after),
    touches: { listenerId: before.id },
    edits: [put({ kind: "listener", listener: after })],
    write: (changes) => {
      changes.database.updateListener(row);
      changes.updateListener(row);
    },
  };
}

export function removeListener(before: ListenerSnapshot): Difference {
  return {
    action: "remove",
    kind: "listener",
    subject: before.addr,
    before: shown(LISTENER, before),
    touches: { listenerId: before.id },
    edits: [cut(listenerKey(before.addr))],
    write: (changes) => {
      changes.database.removeListener(before.id);
      changes.removeListener(before.addr);
    },
  };
}

export function addRoute(addr: string, route: RouteSettings): Difference {
  const subject = `${addr} ${route.hostname}`;
  return {
    action: "add",
    kind: "route",
    subject,
    after: shown(ROUTE, route),
    edits: [put({ kind: "route", addr, route })],
    write: (changes) => {
      const { id } = changes.listener(addr);
      if (changes.route(id, route.hostname) !== undefined) throw present(`the route ${subject}`);
      changes.setRoute(id, changes.database.addRoute(id, route));
    },
  };
}

export function updateRoute(listener: Owner, before: Route, after: RouteSettings): Difference {
  return {
    action: "update",
    kind: "route",
    subject: `${listener.addr} ${after.hostname}`,
    before: shown(ROUTE, before),
    after: shown(ROUTE, after),
    touches: { listenerId: listener.id, route: before.hostname },
    edits: [
      ...before.mode === "l7" && after.mode !== "l7"
        ? [{ do: "strip", key: routeKey(listener.addr, before.hostname) } as const]
        : [],
      put({ kind: "route", addr: listener.addr, route: after }),
    ],
    write: (changes) => {
      const { policies } = changes.database;
      const row = changes.database.updateRoute(before.id, after);
      // Policies stay with a route that goes on terminating TLS; others could not keep them.
      if (after.mode !== "l7") policies.list(row.id).forEach((it) => policies.remove(row.id, it));
      changes.setRoute(listener.id, withPolicies(changes, row));
    },
  };
}

export function removeRoute(listener: Owner, before: Route): Difference {
  return {
    action: "remove",
    kind: "route",
    subject: `${listener.addr} ${before.hostname}`,
    before: shown(ROUTE, before),
    touches: { listenerId: listener.id, route: before.hostname },
    edits: [cut(routeKey(listener.addr, before.hostname))],
    write: (changes) => {
      changes.database.removeRoute(before.id);
      changes.removeRoute(listener.id, before.hostname);
    },
  };
}

export function addRule(rule: DatedRule): Difference {
  const subject = identityOf(RULE.shape, rule);
  return {
    action: "add",
    kind: "firewall_rule",
    subject,
    after: shown(RULE, rule),
    isPassing: isTimedBlock(rule),
    rule: { after: rule },
    edits: [put({ kind: "rule", rule })],
    write: (changes) => {
      changes.addRule(changes.database.rules.add(rule));
    },
  };
}

/** Changes why and until when a rule holds, and what it exempts from. */
export function updateRule(before: StoredRule, after: RuleSettings): Difference {
  return {
    action: "update",
    kind: "firewall_rule",
    subject: identityOf(RULE.shape, before),
    before: shown(RULE, before),
    after: shown(RULE, after),
    rule: { before, after },
    edits: [put({ kind: "rule", rule: dated(after, before) })],
    write: (changes) => {
      changes.database.rules.update(before.id, after);
      // The rest is nothing that the data plane has to know.
      if (before.skipRateLimit === after.skipRateLimit) return;
      changes.removeRule(before.id);
      changes.addRule({ ...after, id: before.id });
    },
  };
}

export function removeRule(before: StoredRule): Difference {
  return {
    action: "remove",
    kind: "firewall_rule",
    subject: identityOf(RULE.shape, before),
    before: shown(RULE, before),
    isPassing: before.expiresAt !== undefined,
    rule: { before },
    edits: [cut(ruleKey(before))],
    write: (changes) => {
      changes.database.rules.remove(before.id);
      changes.removeRule(before.id);
    },
  };
}

export function addPolicy(addr: string, hostname: string, policy: Policy): Difference {
  return {
    action: "add",
    kind: "l7_policy",
    subject: policySubject(addr, hostname, policy),
    after: shown(POLICY, policy),
    edits: [put({ kind: "policy", addr, hostname, policy })],
    write: (changes) => {
      const [listenerId, route] = routeOf(changes, addr, hostname);
      changes.database.policies.add(route.id, policy);
      changes.setRoute(listenerId, withPolicies(changes, route));
    },
  };
}

export function removePolicy(addr: string, hostname: string, policy: Policy): Difference {
  return {
    action: "remove",
    kind: "l7_policy",
    subject: policySubject(addr, hostname, policy),
    before: shown(POLICY, policy),
    edits: [cut(policyKey(addr, hostname, policy))],
    write: (changes) => {
      const [listenerId, route] = routeOf(changes, addr, hostname);
      changes.database.policies.remove(route.id, policy);
      changes.setRoute(listenerId, withPolicies(changes, route));
    },
  };
}

export function setRateLimit(before: RateLimit, after: RateLimit): Difference {
  return {
    action: "update",
    kind: "rate_limit",
    subject: "rate_limit",
    before: shown(RATE_LIMIT, before),
    after: shown(RATE_LIMIT, after),
    edits: [put({ kind: "rate_limit", rateLimit: after })],
    write: (changes) => {
      changes.database.settings.setRateLimit(after);
      changes.setRateLimit(after);
    },
  };
}

function put(object: FleetObject): Edit {
  return { do: "put", object };
}

function cut(key: ObjectKey): Edit {
  return { do: "cut", key };
}

/** A rule as it is said anew stays as old as it is. */
function dated(rule: RuleSettings, { createdAt }: StoredRule): DatedRule {
  return { ...rule, ...createdAt !== undefined && { createdAt } };
}

function routeOf(changes: ChangeSet, addr: string, hostname: string): [number, Route] {
  const { id } = changes.listener(addr);
  const route = changes.route(id, hostname);
  if (route === undefined) throw missing(`the route ${addr} ${hostname}`);
  return [id, route];
}

/** The route with the policies that the database holds for it now. */
function withPolicies({ database }: ChangeSet, route: Route): Route {
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

/** What becomes of sets of records at the name server; of our own rows, none is written. */
export function dnsDifferences(sets: readonly SetDifference[]): Difference[] {
  return sets.map(({ name, type, before, after }) => {
    const [was, is] = [before, after].map(({ ttl, values }) =>
      values.length === 0 ? undefined : { ttl, values: [...values] }
    );
    const action = was === undefined ? "add" : is === undefined ? "remove" : "update";
    return {
      ...{ action, kind: "dns_set", subject: `${name} ${type}` },
      ...was !== undefined && { before: was },
      ...is !== undefined && { after: is },
      edits: [],
      write: () => {},
    };
  });
}
