import type { Handlers } from "../rpc_server/mod.ts";
import { invalid, listenerStatuses } from "../control/mod.ts";
import type { ListenerSnapshot } from "../plane/mod.ts";
import { LISTENER, POLICY, ROUTE, type Route } from "../state/mod.ts";
import { mapInSteps, runInSlices } from "../slices/mod.ts";
import { type AdminContext, operation, type PendingOperation } from "./context.ts";
import * as pb from "./gen/mod.ts";
import { masked } from "./field_mask.ts";
import { pageByKey } from "./pages.ts";
import { fromListener, fromListenerStatus, fromRoute, optionalMs, toRecord } from "./messages.ts";

type RoutingMethods =
  | "listListeners"
  | "addListener"
  | "updateListener"
  | "removeListener"
  | "listRoutes"
  | "addRoute"
  | "getRoute"
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
      const by = operation("AddListener", context, call, request.ifRevision);
      const settings = toRecord(LISTENER, [pb.AddListenerRequestSchema, request]);
      const listener = await routing.addListener(settings, by);
      return { listener: fromListener(listener), boundPort: listener.port, ...by.done };
    },
    async updateListener({ listener: message, updateMask, ifRevision }, call) {
      if (message === undefined) throw invalid("listener", "is missing");
      const by = operation("UpdateListener", context, call, ifRevision);
      const change = (before: ListenerSnapshot) =>
        toRecord(LISTENER, [
          pb.ListenerSchema,
          masked(pb.ListenerSchema, fromListener(before), { message, updateMask, kept: "addr" }),
        ], ["listener"]);
      const listener = await routing.updateListener({ addr: message.addr, change }, by);
      return { listener: fromListener(listener), ...by.done };
    },
    async removeListener({ addr, closeConnections: close, drainTimeout, ifRevision }, call) {
      const drainMs = optionalMs(drainTimeout) ?? 0;
      const by = operation("RemoveListener", context, call, ifRevision);
      return counts(await routing.removeListener({ addr, close, drainMs }, by), by);
    },
    async listRoutes(request, { signal }) {
      const { addr, routes } = state.listener("listener_addr", request.listenerAddr);
      const sorted = routes.toSorted((a, b) => a.hostname < b.hostname ? -1 : 1);
      const { page, nextPageToken } = pageByKey(sorted, ({ hostname }) => hostname, request);
      const messages = await runInSlices(mapInSteps(page, fromRoute), { signal });
      return { listenerAddr: addr, routes: messages, nextPageToken };
    },
    async addRoute(request, call) {
      const by = operation("AddRoute", context, call, request.ifRevision);
      const settings = toRecord(ROUTE, [pb.AddRouteRequestSchema, request]);
      const route = await routing.addRoute(request.listenerAddr, settings, by);
      return { route: fromRoute(route), ...by.done };
    },
    getRoute({ listenerAddr, hostname }) {
      const route = routing.route(listenerAddr, hostname);
      const policies = (route.policies ?? []).map(({ type, value }) => ({ type, value }));
      const revision = BigInt(state.database.revision);
      return { route: fromRoute(route), policies, revision };
    },
    async updateRoute(request, call) {
      const { listenerAddr: addr, route: message, updateMask, closeConnections: close } = request;
      if (message === undefined) throw invalid("route", "is missing");
      const { hostname } = message;
      const by = operation("UpdateRoute", context, call, request.ifRevision);
      const change = (before: Route) =>
        toRecord(ROUTE, [
          pb.RouteSchema,
          withOneForm(
            masked(pb.RouteSchema, fromRoute(before), { message, updateMask, kept: "hostname" }),
            updateMask?.paths ?? [],
          ),
        ], ["route"]);
      const done = await routing.updateRoute({ addr, hostname, change, close }, by);
      return { route: fromRoute(done.route), ...counts(done, by) };
    },
    async removeRoute(request, call) {
      const { listenerAddr: addr, hostname, closeConnections: close } = request;
      const by = operation("RemoveRoute", context, call, request.ifRevision);
      return counts(await routing.removeRoute({ addr, hostname, close }, by), by);
    },
    listL7Policies({ listenerAddr, hostname }) {
      const policies = routing.policies(listenerAddr, hostname);
      return { policies: policies.map(({ type, value }) => ({ type, value })) };
    },
    async addL7Policy({ listenerAddr: addr, hostname, policy: message, ifRevision }, call) {
      if (message === undefined) throw invalid("policy", "is missing");
      const policy = toRecord(POLICY, [pb.L7PolicySchema, message], ["policy"]);
      const by = operation("AddL7Policy", context, call, ifRevision);
      const { type, value } = await routing.addPolicy({ addr, hostname, policy }, by);
      return { policy: { type, value }, ...by.done };
    },
    async removeL7Policy({ listenerAddr: addr, hostname, policy: message, ifRevision }, call) {
      if (message === undefined) throw invalid("policy", "is missing");
      const policy = toRecord(POLICY, [pb.L7PolicySchema, message], ["policy"]);
      const by = operation("RemoveL7Policy", context, call, ifRevision);
      await routing.removePolicy({ addr, hostname, policy }, by);
      return by.done;
    },
  };
}

/**
 * `backend` and `backends` say the same in two ways: an update of one of them alone replaces what
 * the other has said before.
 */
function withOneForm(route: pb.Route, paths: readonly string[]): pb.Route {
  const [one, several] = [paths.includes("backend"), paths.includes("backends")];
  if (one && !several) return { ...route, backends: [] };
  return several && !one ? { ...route, backend: "" } : route;
}

function counts(
  { live, closed }: { live: number; closed: number },
  { done }: PendingOperation,
) {
  return { liveConnections: live, closedConnections: closed, ...done };
}
