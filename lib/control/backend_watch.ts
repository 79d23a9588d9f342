import {
  checkBackend,
  Checker,
  type CheckTarget,
  type SharedChecks,
  type ToldChecks,
} from "../health/mod.ts";
import { tlsMaterialId } from "../l7/mod.ts";
import type { Snapshot } from "../plane/mod.ts";
import { connectWith, type Lookup, systemLookup } from "../relay/mod.ts";
import { Resolver, type ResolverSettings } from "../resolver/mod.ts";
import type { Route } from "../routes/mod.ts";
import { createSockets } from "../tcp/mod.ts";
import type { BackendBoard } from "./backend_board.ts";
import { keyOf, watchedBackends, type WatchedRoute } from "./watched_backends.ts";

/** How soon the log says that a backend has changed, and new routes are checked. */
const LOOK_MS = 1000;

/** What a {@link BackendWatch} works with. */
export interface BackendWatchOptions {
  readonly board: BackendBoard;
  readonly snapshot: () => Snapshot;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Replaces the checks of lib/health. */
  readonly check?: (target: CheckTarget, signal: AbortSignal) => Promise<void>;
}

/** Checks the backends of routes that want it, and says in the log what becomes of all of them. */
export class BackendWatch implements Disposable {
  readonly #options: BackendWatchOptions;
  readonly #checker: Checker;
  readonly #connect = connectWith(createSockets("node"));
  readonly #timer: ReturnType<typeof setInterval>;
  #resolver: Resolver | undefined;
  #settings: ResolverSettings | undefined;
  /** What the group calls a listener; nothing: there is none to share checks with. */
  #nameOf: ((addr: string) => string) | undefined;

  constructor(options: BackendWatchOptions) {
    this.#options = options;
    const { now, check = this.#check.bind(this) } = options;
    this.#checker = new Checker({ check, now, onChange: () => options.board.look() });
    options.board.reasonOf = (key) => this.#checker.reason(key);
    this.look();
    this.#timer = setInterval(() => this.look(), LOOK_MS);
  }

  /** Follows what routes there are, and what became of their backends. */
  look(): void {
    const { board } = this.#options;
    this.#checker.follow(board.routes.flatMap((watched) => this.#targets(watched)));
    board.look();
  }

  /**
   * Shares checks with the other proxies of a group, who call listeners as `nameOf` says, and calls
   * `onFound` when something is to be told soon.
   */
  share(
    shared: SharedChecks,
    { nameOf, onFound }: {
      readonly nameOf: (addr: string) => string;
      readonly onFound: () => void;
    },
  ): void {
    this.#nameOf = nameOf;
    this.look();
    this.#checker.share(shared, onFound);
  }

  /** Takes up what other proxies have found. */
  review(): void {
    this.#checker.review();
  }

  /** What checks of this proxy have found, for the others. */
  get told(): ToldChecks {
    return this.#checker.told();
  }

  /** How many backends there are to be checked, and how many of them are checked here. */
  get counts(): { readonly all: number; readonly here: number } {
    return { all: this.#checker.size, here: this.#checker.checked };
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#checker[Symbol.dispose]();
    this.#resolver?.[Symbol.dispose]();
  }

  #targets({ listener, route }: WatchedRoute) {
    const { health, pathName = "" } = route;
    if (health === undefined) return [];
    const caPem = this.#caOf(route);
    return watchedBackends(route).flatMap(({ addr, state }) => {
      const key = keyOf(route, addr);
      const cell = this.#options.board.cell(route, addr);
      // One that drains is looked after: it may come back.
      if (cell === undefined || state === "down") return [];
      const name = this.#nameOf &&
        JSON.stringify([this.#nameOf(listener.addr), route.hostname, pathName, addr]);
      const shared = name === undefined ? {} : { name };
      return [{ ...{ key, cell, addr, health, route: reached(route), caPem }, ...shared }];
    });
  }

  #caOf(route: Route): string | undefined {
    if (route.backendCa === undefined) return undefined;
    const id = tlsMaterialId(route);
    return this.#options.snapshot().tls?.find((material) => material.id === id)?.backendCaPem;
  }

  #check(target: CheckTarget, signal: AbortSignal): Promise<void> {
    return checkBackend(target, { signal, lookup: this.#lookup, connect: this.#connect });
  }

  readonly #lookup: Lookup = (host) => {
    const { resolver: settings } = this.#options.snapshot();
    if (settings === undefined) return systemLookup(host);
    if (this.#resolver === undefined) this.#resolver = new Resolver(settings);
    else if (this.#settings !== settings) this.#resolver.update(settings);
    this.#settings = settings;
    return this.#resolver.lookup(host);
  };
}

/** What of a route says how its backends are reached: a change of anything else checks nothing anew. */
function reached(route: Route): CheckTarget["route"] {
  const { hostname, mode, backendTls, sendProxyProtocol } = route;
  const { backendTlsVerify, backendServerName, backendProtocol } = route;
  return {
    ...{ hostname, mode, backendTls, sendProxyProtocol },
    ...backendTlsVerify !== undefined && { backendTlsVerify },
    ...backendServerName !== undefined && { backendServerName },
    ...backendProtocol !== undefined && { backendProtocol },
  };
}
