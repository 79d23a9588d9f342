import type { ConnectionQuery, ListenerSnapshot } from "../plane/mod.ts";
import { invalid, missing, present, RefusedError } from "../queue/mod.ts";
import {
  isRedirect,
  type ListenerSettings,
  NO_ROUTES_OF_REDIRECT,
  type Policy,
  type Route,
  type RouteSettings,
} from "../state/mod.ts";
import { findBindableEndpoint } from "./binding.ts";
import * as differences from "./differences.ts";
import { RouteFilesCheck, type RouteFilesCheckOptions } from "./route_files_check.ts";
import { type CloseOption, type LiveConnections, liveConnections } from "./live_connections.ts";
import { checkHostname } from "./names.ts";
import type { Operation } from "./operation.ts";
import type { ServedState } from "./served_state.ts";
import { refuseUnknownCountries } from "./geoip.ts";
import { refuseOneMore } from "./state_limits.ts";

/** The longest that connections of a removed listener are let live before they are closed. */
const MAX_DRAIN_MS = 3_600_000;

/** Which policy of which route. */
export interface PolicyRequest {
  readonly addr: string;
  readonly hostname: string;
  readonly policy: Policy;
}

/** Connections of a removed listener that are to be closed. */
export interface PendingDrain {
  readonly addr: string;
  readonly listenerId: number;
  /** By `performance.now()`. */
  readonly endsAt: number;
}

/**
 * Changes of listeners, routes and policies. Each method resolves when the change is stored and in
 * effect, and throws {@link RefusedError} when it does not fit; see {@link ServedState.commit}.
 */
export class RoutingAdministration {
  readonly #state: ServedState;
  readonly #files: RouteFilesCheckOptions;
  readonly #drains = new Map<ReturnType<typeof setTimeout>, PendingDrain>();

  constructor(options: RouteFilesCheckOptions & { readonly state: ServedState }) {
    this.#state = options.state;
    this.#files = options;
  }

  async addListener(listener: ListenerSettings, operation: Operation): Promise<ListenerSnapshot> {
    return await this.#state.exclusive(async () => {
      const others = this.#state.snapshot.listeners;
      if (others.some(({ addr }) => addr === listener.addr)) {
        throw present(`the listener ${listener.addr}`);
      }
      refuseOneMore("listeners", { holds: others.length, limits: this.#state.limits });
      const bound = await findBindableEndpoint(listener.addr, { field: "addr", others });
      await this.#state.commit([differences.addListener(listener, bound)], operation);
      return this.#state.listener("addr", listener.addr);
    }, operation.signal);
  }

  /** @param request `change` makes the settings that are wanted of those that are there. */
  async updateListener(
    { addr, change }: {
      readonly addr: string;
      readonly change: (before: ListenerSnapshot) => ListenerSettings;
    },
    operation: Operation,
  ): Promise<ListenerSnapshot> {
    return await this.#state.exclusive(async () => {
      const before = this.#state.listener("listener.addr", addr);
      const after = change(before);
      if (isRedirect(after) && before.routes.length > 0) {
        throw invalid("listener.kind", `it has routes, and ${NO_ROUTES_OF_REDIRECT}`);
      }
      await this.#state.commit([differences.updateListener(before, after)], operation);
      return this.#state.listener("listener.addr", addr);
    }, operation.signal);
  }

  async removeListener(
    { addr, close, drainMs }: CloseOption & { addr: string; drainMs: number },
    operation: Operation,
  ): Promise<LiveConnections> {
    if (drainMs < 0 || drainMs > MAX_DRAIN_MS) throw invalid("drain_timeout", "not in 0–1 h");
    return await this.#state.exclusive(async () => {
      const listener = this.#state.listener("addr", addr);
      if (this.#state.snapshot.listeners.length === 1) {
        const message = `${listener.addr} is the last listener: add another one first`;
        throw new RefusedError("failed_precondition", message);
      }
      await this.#state.commit([differences.removeListener(listener)], operation);
      const query = { listenerId: listener.id };
      if (drainMs === 0 || !close) return await liveConnections(this.#state.plane, query, close);
      const { live } = await liveConnections(this.#state.plane, query, false);
      this.#closeLater(listener, drainMs);
      return { live, closed: live };
    }, operation.signal);
  }

  async addRoute(addr: string, route: RouteSettings, operation: Operation): Promise<Route> {
    return await this.#state.exclusive(async () => {
      const listener = this.#state.listener("listener_addr", addr);
      if (isRedirect(listener)) throw invalid("listener_addr", NO_ROUTES_OF_REDIRECT);
      if (this.#state.table(listener.id)?.get(route.hostname) !== undefined) {
        throw present(`the route ${listener.addr} ${route.hostname}`);
      }
      const holds = this.#state.table(listener.id)?.size ?? 0;
      refuseOneMore("routes", { holds, limits: this.#state.limits });
      refuseUnknownCountries(route, this.#state);
      this.#refuseSecondDefault(listener, route, "default");
      await this.#tls.check(route);
      await this.#state.commit([differences.addRoute(listener.addr, route)], operation);
      return this.#state.route(listener, route.hostname);
    }, operation.signal);
  }

  /** @param request `change` makes the route that is wanted of the one that is there. */
  async updateRoute(
    { addr, hostname, change, close }: CloseOption & {
      readonly addr: string;
      readonly hostname: string;
      readonly change: (before: Route) => RouteSettings;
    },
    operation: Operation,
  ): Promise<LiveConnections & { route: Route }> {
    return await this.#state.exclusive(async () => {
      const listener = this.#state.listener("listener_addr", addr);
      const before = this.#state.route(listener, checkHostname("route.hostname", hostname));
      const route = change(before);
      refuseUnknownCountries(route, this.#state, "route.");
      this.#refuseSecondDefault(listener, route, "route.default");
      await this.#tls.check(route, "route.");
      await this.#state.commit([differences.updateRoute(listener, before, route)], operation);
      const live = await liveConnections(
        this.#state.plane,
        staleQuery(listener, route.hostname),
        close,
      );
      return { ...live, route: this.#state.route(listener, route.hostname) };
    }, operation.signal);
  }

  async removeRoute(
    { addr, hostname, close }: CloseOption & { addr: string; hostname: string },
    operation: Operation,
  ): Promise<LiveConnections> {
    const name = checkHostname("hostname", hostname);
    return await this.#state.exclusive(async () => {
      const listener = this.#state.listener("listener_addr", addr);
      const before = this.#state.route(listener, name);
      await this.#state.commit([differences.removeRoute(listener, before)], operation);
      return await liveConnections(this.#state.plane, staleQuery(listener, name), close);
    }, operation.signal);
  }

  /** @throws {RefusedError} if there is none. */
  route(addr: string, hostname: string): Route {
    const listener = this.#state.listener("listener_addr", addr);
    return this.#state.route(listener, checkHostname("hostname", hostname));
  }

  policies(addr: string, hostname: string): readonly Policy[] {
    const listener = this.#state.listener("listener_addr", addr);
    return this.#state.route(listener, checkHostname("hostname", hostname)).policies ?? [];
  }

  async addPolicy(
    { addr, hostname, policy }: PolicyRequest,
    operation: Operation,
  ): Promise<Policy> {
    const name = checkHostname("hostname", hostname);
    return await this.#state.exclusive(async () => {
      const listener = this.#state.listener("listener_addr", addr);
      const route = this.#state.route(listener, name);
      if (route.mode !== "l7") throw invalid("hostname", "only an l7 route has policies");
      if (this.#hasPolicy(route, policy)) {
        throw present(`the policy ${policy.type} ${policy.value}`);
      }
      refuseOneMore("policies", {
        holds: route.policies?.length ?? 0,
        limits: this.#state.limits,
      });
      await this.#state.commit([differences.addPolicy(listener.addr, name, policy)], operation);
      return policy;
    }, operation.signal);
  }

  async removePolicy(
    { addr, hostname, policy }: PolicyRequest,
    operation: Operation,
  ): Promise<void> {
    const name = checkHostname("hostname", hostname);
    return await this.#state.exclusive(async () => {
      const listener = this.#state.listener("listener_addr", addr);
      const route = this.#state.route(listener, name);
      if (!this.#hasPolicy(route, policy)) {
        throw missing(`the policy ${policy.type} ${policy.value}`);
      }
      await this.#state.commit([differences.removePolicy(listener.addr, name, policy)], operation);
    }, operation.signal);
  }

  /** Forgets connections that were to be closed later: the program ends. */
  close(): void {
    for (const timer of this.#drains.keys()) clearTimeout(timer);
  }

  /** Removed listeners whose connections have time to end. */
  get pendingDrains(): readonly PendingDrain[] {
    return [...this.#drains.values()];
  }

  #refuseSecondDefault(
    { id, addr }: ListenerSnapshot,
    { hostname, isDefault = false }: RouteSettings,
    field: string,
  ): void {
    const there = this.#state.table(id)?.defaultRoute;
    if (!isDefault || there === undefined || there.hostname === hostname) return;
    throw invalid(field, `the default route of ${addr} is ${there.hostname}`);
  }

  get #tls(): RouteFilesCheck {
    return new RouteFilesCheck(this.#files);
  }

  #hasPolicy({ policies = [] }: Route, { type, value }: Policy): boolean {
    return policies.some((policy) => policy.type === type && policy.value === value);
  }

  #closeLater({ id: listenerId, addr }: ListenerSnapshot, ms: number): void {
    const timer = setTimeout(() => {
      this.#drains.delete(timer);
      // They are gone with the plane.
      this.#state.plane.closeConnections({ listenerId }).catch(() => {});
    }, ms);
    this.#drains.set(timer, { addr, listenerId, endsAt: performance.now() + ms });
  }
}

/** Connections that took a route before it was replaced or removed. */
function staleQuery({ id }: ListenerSnapshot, route: string): ConnectionQuery {
  return { listenerId: id, route, stale: true };
}
