import type { Route } from "../state/mod.ts";

/** Routes of one listener, ready for look-ups whose cost does not grow with their number. */
export interface RouteTable extends Iterable<Route> {
  readonly size: number;
  /**
   * The route for a canonical server name. An exact name wins over every wildcard, and of the
   * wildcards the longest suffix wins; what neither is for goes to the default route, if there is one. `*.example.net` stands for one or more labels below
   * `example.net`, never for `example.net` itself.
   */
  match(serverName: string): Route | undefined;
  /** The route for every name that no other is for. */
  readonly defaultRoute: Route | undefined;
  /** The route with exactly this hostname as written, a wildcard with its `*.`. */
  get(hostname: string): Route | undefined;
  /** Adds a route or replaces the one with the same hostname. */
  set(route: Route): void;
  /** Whether there was such a route. */
  delete(hostname: string): boolean;
}

/** Two routes claim the same hostname: which of them wins must not depend on their order. */
export class DuplicateRouteError extends RangeError {
  override readonly name = "DuplicateRouteError";
  readonly code = "duplicate_route";

  constructor(readonly hostname: string) {
    super(`cannot compile routes: hostname "${hostname}" has more than one`);
  }
}

/**
 * Compiles routes for look-ups by server name.
 *
 * @throws {DuplicateRouteError} if two routes have the same hostname.
 *
 * @example
 * ```ts
 * import { compileRoutes, type Route } from "./mod.ts";
 * import assert from "node:assert/strict";
 *
 * const route = (id: number, hostname: string): Route => ({
 *   id,
 *   hostname,
 *   backend: "192.0.2.1:443",
 *   mode: "l4",
 *   tlsCert: "",
 *   tlsKey: "",
 *   backendTls: false,
 *   sendProxyProtocol: false,
 * });
 * const table = compileRoutes([route(1, "*.example.net"), route(2, "www.example.net")]);
 *
 * assert.equal(table.match("www.example.net")?.id, 2);
 * assert.equal(table.match("a.b.example.net")?.id, 1);
 * assert.equal(table.match("example.net"), undefined);
 * ```
 */
export function compileRoutes(routes: readonly Route[]): RouteTable {
  const table = new HashedRouteTable();
  for (const route of routes) {
    if (table.get(route.hostname) !== undefined) throw new DuplicateRouteError(route.hostname);
    table.set(route);
  }
  return table;
}

/** Whoever names nobody can be relayed, and not be shown a certificate for the name he meant. */
export function namelessRoute({ defaultRoute }: RouteTable): Route | undefined {
  return defaultRoute?.mode === "l4" ? defaultRoute : undefined;
}

/** Whether a route is for a name as it is written, and not because it is for every other one. */
export function isNamed({ hostname }: Pick<Route, "hostname">, name: string): boolean {
  const suffix = wildcardSuffix(hostname);
  return suffix === undefined ? name === hostname : name.endsWith(`.${suffix}`);
}

/** Maps, not objects: a server name may be `__proto__`. */
class HashedRouteTable implements RouteTable {
  readonly #exact = new Map<string, Route>();
  /** By the part after `*.`. */
  readonly #wildcards = new Map<string, Route>();
  /**
   * No wildcard's suffix is longer. Not lowered by deletions: it only saves work, of which a
   * hostile name of a hundred labels would otherwise cause a hundred times as much.
   */
  #longestSuffix = 0;
  #default: Route | undefined;

  get size(): number {
    return this.#exact.size + this.#wildcards.size;
  }

  get defaultRoute(): Route | undefined {
    return this.#default;
  }

  match(serverName: string): Route | undefined {
    return this.#matchName(serverName) ?? this.#default;
  }

  #matchName(serverName: string): Route | undefined {
    const exact = this.#exact.get(serverName);
    if (exact !== undefined || this.#wildcards.size === 0) return exact;
    let labelStart = 0;
    for (;;) {
      const dot = serverName.indexOf(".", labelStart);
      // An empty label is no label: ".example.net" is not below example.net.
      if (dot === -1 || dot === labelStart) return undefined;
      labelStart = dot + 1;
      if (serverName.length - labelStart > this.#longestSuffix) continue;
      const route = this.#wildcards.get(serverName.slice(labelStart));
      if (route !== undefined) return route;
    }
  }

  get(hostname: string): Route | undefined {
    const suffix = wildcardSuffix(hostname);
    return suffix === undefined ? this.#exact.get(hostname) : this.#wildcards.get(suffix);
  }

  set(route: Route): void {
    const suffix = wildcardSuffix(route.hostname);
    if (suffix === undefined) {
      this.#exact.set(route.hostname, route);
    } else {
      this.#wildcards.set(suffix, route);
      this.#longestSuffix = Math.max(this.#longestSuffix, suffix.length);
    }
    if (route.isDefault === true) this.#default = route;
    else this.#forgetDefault(route.hostname);
  }

  delete(hostname: string): boolean {
    this.#forgetDefault(hostname);
    const suffix = wildcardSuffix(hostname);
    return suffix === undefined ? this.#exact.delete(hostname) : this.#wildcards.delete(suffix);
  }

  #forgetDefault(hostname: string): void {
    if (this.#default?.hostname === hostname) this.#default = undefined;
  }

  *[Symbol.iterator](): Iterator<Route> {
    yield* this.#exact.values();
    yield* this.#wildcards.values();
  }
}

function wildcardSuffix(hostname: string): string | undefined {
  return hostname.startsWith("*.") ? hostname.slice(2) : undefined;
}
