import { cut, policyKey, put } from "../fleet/mod.ts";
import { missing } from "../queue/mod.ts";
import { POLICY, type Policy, type Route } from "../state/mod.ts";
import type { ChangeSet } from "./change_set.ts";
import { type Difference, shown } from "./difference.ts";
import { withPolicies } from "./route_differences.ts";

/** One more policy of a route. */
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

/** One policy of a route less. */
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

function routeOf(changes: ChangeSet, addr: string, hostname: string): [number, Route] {
  const { id } = changes.listener(addr);
  const route = changes.route(id, hostname);
  if (route === undefined) throw missing(`the route ${addr} ${hostname}`);
  return [id, route];
}

function policySubject(addr: string, hostname: string, { type, value }: Policy): string {
  return `${addr} ${hostname} ${type} ${value}`;
}
