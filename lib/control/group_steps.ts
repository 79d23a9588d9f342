import { parseListenEndpoint } from "../addr/mod.ts";
import {
  type DatedRule,
  type Edit,
  type Entry,
  type FleetObject,
  type ObjectKey,
  ruleKey,
  UnknownObjectError,
} from "../fleet/mod.ts";
import type { AuditEntry, StoredRule } from "../db/mod.ts";
import type { ListenerSnapshot } from "../plane/mod.ts";
import type { RateLimit, Route } from "../state/mod.ts";
import * as differences from "./differences.ts";
import type { Difference } from "./difference.ts";

/** What edits are compared with. */
export interface ReplicaState {
  readonly listeners: readonly ListenerSnapshot[];
  readonly rateLimit: RateLimit;
  route(listenerId: number, hostname: string): Route | undefined;
  rule(rule: Pick<DatedRule, "action" | "type" | "value">): StoredRule | undefined;
}

/** The differences that edits of a group's log make to a replica: what is gone first. */
export function differencesOf(edits: readonly Edit[], state: ReplicaState): Difference[] {
  const found: Difference[] = [];
  for (const edit of edits) {
    if (edit.do === "put") continue;
    found.push(...edit.do === "cut" ? cutOf(edit.key, state) : stripOf(edit.key, state));
  }
  const gone = new Set(edits.flatMap((edit) => edit.do === "put" ? [] : [edit.key.join("\0")]));
  for (const edit of edits) {
    if (edit.do === "put") found.push(...putOf(edit.object, { state, gone }));
  }
  return found;
}

/** What is cut with what it is part of needs no difference of its own. */
function cutOf(key: ObjectKey, state: ReplicaState): Difference[] {
  const [kind, first = "", second = "", third = "", , type = "", value = ""] = key;
  if (kind === "rule") {
    const rule = state.rule({
      action: actionOf(first),
      type: second as DatedRule["type"],
      value: third,
    });
    return rule === undefined ? [] : [differences.removeRule(rule)];
  }
  if (kind !== "listener") throw new UnknownObjectError(`nobody can cut ${JSON.stringify(key)}`);
  const listener = state.listeners.find(({ addr }) => addr === first);
  if (listener === undefined) return [];
  if (key.length === 2) return [differences.removeListener(listener)];
  const route = state.route(listener.id, third);
  if (route === undefined) return [];
  if (key.length === 4) return [differences.removeRoute(listener, route)];
  const policy = route.policies?.find((it) => it.type === type && it.value === value);
  if (policy === undefined) return [];
  const { type: known, value: text } = policy;
  return [differences.removePolicy(first, third, { type: known, value: text })];
}

function stripOf([, addr = "", , hostname = ""]: ObjectKey, state: ReplicaState): Difference[] {
  const listener = state.listeners.find((it) => it.addr === addr);
  const route = listener && state.route(listener.id, hostname);
  return (route?.policies ?? []).map(({ type, value }) =>
    differences.removePolicy(addr, hostname, { type, value })
  );
}

function putOf(
  object: FleetObject,
  { state, gone }: { readonly state: ReplicaState; readonly gone: ReadonlySet<string> },
): Difference[] {
  const found = (addr: string) =>
    gone.has(`listener\0${addr}`) ? undefined : state.listeners.find((it) => it.addr === addr);
  const routeOf = (addr: string, hostname: string) => {
    const listener = found(addr);
    if (listener === undefined || gone.has(`listener\0${addr}\0route\0${hostname}`)) {
      return undefined;
    }
    return state.route(listener.id, hostname);
  };
  switch (object.kind) {
    case "listener": {
      const { listener } = object;
      const before = found(listener.addr);
      if (before !== undefined) return [differences.updateListener(before, listener)];
      const endpoint = parseListenEndpoint(listener.addr);
      if (!endpoint.ok) throw new UnknownObjectError(`${listener.addr}: ${endpoint.reason}`);
      return [differences.addListener(listener, endpoint.value)];
    }
    case "route": {
      const { addr, route } = object;
      const before = routeOf(addr, route.hostname);
      const listener = found(addr);
      return before === undefined || listener === undefined
        ? [differences.addRoute(addr, route)]
        : [differences.updateRoute(listener, before, route)];
    }
    case "policy": {
      const { addr, hostname, policy } = object;
      const isThere = routeOf(addr, hostname)?.policies?.some((it) =>
        it.type === policy.type && it.value === policy.value
      );
      return isThere ? [] : [differences.addPolicy(addr, hostname, policy)];
    }
    case "rule": {
      const before = state.rule(object.rule);
      return before === undefined
        ? [differences.addRule(object.rule)]
        : [differences.updateRule(before, object.rule)];
    }
    case "rate_limit":
      return [differences.setRateLimit(state.rateLimit, object.rateLimit)];
  }
}

function actionOf(text: string): "allow" | "block" {
  return text === "allow" ? "allow" : "block";
}

/** What the audit log of a replica says of entries that others have made. */
export function auditOf(entries: readonly Entry[]): Omit<AuditEntry, "id">[] {
  return entries.flatMap(({ time, proxy, actor, action, audit }) =>
    audit.map(([subject, before, after]) => {
      return { time, actor: `${actor} at ${proxy}`, action, subject, before, after };
    })
  );
}

/** The name under which a rule waits to be sent. */
export function nameOfRule(rule: Pick<DatedRule, "action" | "type" | "value">): string {
  return JSON.stringify(ruleKey(rule));
}

/** The rule of {@link nameOfRule}. */
export function ruleOfName(name: string): Pick<DatedRule, "action" | "type" | "value"> {
  const [, action = "", type = "", value = ""]: string[] = JSON.parse(name);
  return { action: actionOf(action), type: type as DatedRule["type"], value };
}
