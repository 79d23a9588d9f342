import type { Handlers } from "../rpc_server/mod.ts";
import { invalid, listenerStatuses } from "../control/mod.ts";
import { LISTENER, POLICY, ROUTE } from "../state/mod.ts";
import { type AdminContext, operation, type PendingOperation } from "./context.ts";
import * as pb from "./gen/mod.ts";
import { fromListener, fromListenerStatus, fromRoute, optionalMs, toRecord } from "./messages.ts";

type RoutingMethods =
  | "listListeners"
  | "addListener"
  | "removeListener"
  | "listRoutes"
  | "addRoute"
  | "updateRoute"
  | "removeRoute"
  | "listL7Policies"
  | "addL7Policy"
  | "removeL7Policy";

/** Listeners, routes and policies. */
export function routingHandlers(
  context: AdminContext,
): Pick<Handlers<typeof pb.ProxyAdminService>, RoutingMethods> {
  const { routing, state, totals } = context.control;
  return {
    async listListeners() {
      const statuses = listenerStatuses(state, await totals.routes());
      const listeners = state.snapshot.listeners.map((listener, i) => {
        const status = statuses[i];
        return {
          listener: fromListener(listener),
          ...status && { status: fromListenerStatus(status) },
        };
      });
      return { listeners };
    },
    async addListener(request, call) {
      const by = operation("AddListener", context, call);
      const settings = toRecord(LISTENER, [pb.AddListenerRequestSchema, request]);
      const listener = await routing.addListener(settings, by);
      const { pendingWorkers } = by;
      return { listener: fromListener(listener), boundPort: listener.port, pendingWorkers };
    },
    async removeListener({ addr, closeConnections: close, drainTimeout }, call) {
      const drainMs = optionalMs(drainTimeout) ?? 0;
      const by = operation("RemoveListener", context, call);
      return counts(await routing.removeListener({ addr, close, drainMs }, by), by);
    },
    listRoutes({ listenerAddr }) {
      const { addr, routes } = state.listener("listener_addr", listenerAddr);
      const sorted = routes.toSorted((a, b) => a.hostname < b.hostname ? -1 : 1);
      return { listenerAddr: addr, routes: sorted.map(fromRoute) };
    },
    async addRoute(request, call) {
      const by = operation("AddRoute", context, call);
      const settings = toRecord(ROUTE, [pb.AddRouteRequestSchema, request]);
      const route = await routing.addRoute(request.listenerAddr, settings, by);
      return { route: fromRoute(route), pendingWorkers: by.pendingWorkers };
    },
    async updateRoute({ listenerAddr: addr, route: message, closeConnections: close }, call) {
      if (message === undefined) throw invalid("route", "is missing");
      const by = operation("UpdateRoute", context, call);
      const route = toRecord(ROUTE, [pb.RouteSchema, message], ["route"]);
      const done = await routing.updateRoute({ addr, route, close }, by);
      return { route: fromRoute(done.route), ...counts(done, by) };
    },
    async removeRoute({ listenerAddr: addr, hostname, closeConnections: close }, call) {
      const by = operation("RemoveRoute", context, call);
      return counts(await routing.removeRoute({ addr, hostname, close }, by), by);
    },
    listL7Policies({ listenerAddr, hostname }) {
      const policies = routing.policies(listenerAddr, hostname);
      return { policies: policies.map(({ type, value }) => ({ type, value })) };
    },
    async addL7Policy({ listenerAddr: addr, hostname, policy: message }, call) {
      if (message === undefined) throw invalid("policy", "is missing");
      const policy = toRecord(POLICY, [pb.L7PolicySchema, message], ["policy"]);
      const by = operation("AddL7Policy", context, call);
      const { type, value } = await routing.addPolicy({ addr, hostname, policy }, by);
      return { policy: { type, value }, pendingWorkers: by.pendingWorkers };
    },
    async removeL7Policy({ listenerAddr: addr, hostname, policy: message }, call) {
      if (message === undefined) throw invalid("policy", "is missing");
      const policy = toRecord(POLICY, [pb.L7PolicySchema, message], ["policy"]);
      const by = operation("RemoveL7Policy", context, call);
      await routing.removePolicy({ addr, hostname, policy }, by);
      return { pendingWorkers: by.pendingWorkers };
    },
  };
}

function counts(
  { live, closed }: { live: number; closed: number },
  { pendingWorkers }: PendingOperation,
) {
  return { liveConnections: live, closedConnections: closed, pendingWorkers };
}
