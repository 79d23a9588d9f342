import { cut, put, routeKey, strip } from "../fleet/mod.ts";
import type { ListenerSnapshot } from "../plane/mod.ts";
import { present } from "../queue/mod.ts";
import { ROUTE, type Route, type RouteSettings } from "../state/mod.ts";
import type { ChangeSet } from "./change_set.ts";
import { type Difference, shown } from "./difference.ts";

type Owner = Pick<ListenerSnapshot, "id" | "addr">;

/** A route where there was none of its hostname. */
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

/** Other settings of a route, which keeps its hostname. */
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
        ? [strip(routeKey(listener.addr, before.hostname))]
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

/** A route that goes, and its policies with it. */
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

/** The route with the policies that the database holds for it now. */
export function withPolicies({ database }: ChangeSet, route: Route): Route {
  const policies = database.policies.list(route.id).map(({ id, type, value }) => {
    return { id, type, value };
  });
  return Object.assign({ ...route }, { policies });
}
