import assert from "node:assert/strict";
import type { Change, ListenerSnapshot, Plane, Snapshot } from "../../lib/plane/mod.ts";
import type { Route } from "../../lib/state/mod.ts";

/** A listener as a worker knows it. */
interface Mirrored {
  readonly settings: string;
  readonly routes: Map<string, Route>;
}

/**
 * A data plane that serves nobody: it applies changes one by one, as workers do, and compares what
 * they lead to with the snapshot that a new worker would start from.
 */
export class MirrorPlane implements Plane {
  readonly #listeners = new Map<number, Mirrored>();
  #rules: unknown;
  #limit: number | undefined;
  /** The next change is refused: before anything is done, or by one worker when another has done it. */
  failure: "before" | "after" | undefined;

  constructor(snapshot: Snapshot) {
    this.#start(snapshot);
  }

  /** The state as this plane would serve it. */
  get routes(): string {
    return describeRoutes(
      [...this.#listeners].map((
        [id, { settings, routes }],
      ) => [id, settings, [...routes.values()]]),
    );
  }

  apply(changes: readonly Change[], snapshot: Snapshot): Promise<{ pendingWorkers: number[] }> {
    const { failure } = this;
    this.failure = undefined;
    if (failure === "before") return Promise.reject(new Error("a worker refuses"));
    for (const change of changes) this.#apply(change);
    if (failure === "after") return Promise.reject(new Error("another worker refuses"));
    const expected = snapshot.listeners
      .map((it) => [it.id, settingsOf(it), it.routes] as const);
    assert.equal(this.routes, describeRoutes(expected), "changes and snapshot differ");
    assert.equal(this.#rules, snapshot.firewall.rules, "rules and snapshot differ");
    assert.equal(this.#limit, snapshot.firewall.rateLimit?.limit, "limit and snapshot differ");
    return Promise.resolve({ pendingWorkers: [] });
  }

  status() {
    return { workers: [], counters: {} as never };
  }
  metrics() {
    return { histograms: new Map(), eventLoopLag: [], requests: new Map() };
  }
  connections = () => Promise.resolve([]);
  findConnections = () => Promise.resolve({ connections: [], total: 0 });
  closeConnections = () => Promise.resolve(0);
  liveTraffic = () => Promise.resolve([]);
  takeCounts = () => Promise.resolve([]);
  closeConnection = () => Promise.resolve(false);
  drain = () => Promise.resolve();

  #start({ listeners, firewall }: Snapshot): void {
    this.#listeners.clear();
    for (const listener of listeners) this.#add(listener);
    this.#rules = firewall.rules;
    this.#limit = firewall.rateLimit?.limit;
  }

  #apply(change: Change): void {
    switch (change.kind) {
      case "snapshot":
        return this.#start(change.snapshot);
      case "rules":
        this.#rules = change.rules;
        return;
      case "rate_limit":
        this.#limit = change.rateLimit?.limit;
        return;
      case "add_listener":
        return this.#add(change.listener);
      case "remove_listener":
        assert.ok(this.#listeners.delete(change.listenerId), "a listener that is there");
        return;
      case "routes": {
        const routes = this.#listeners.get(change.listenerId)?.routes;
        assert.ok(routes, "a listener that is there");
        for (const hostname of change.remove) {
          assert.ok(routes.delete(hostname), `a route that is there: ${hostname}`);
        }
        for (const route of change.set) routes.set(route.hostname, route);
      }
    }
  }

  #add(listener: ListenerSnapshot): void {
    const routes = new Map(listener.routes.map((route) => [route.hostname, route]));
    assert.equal(routes.size, listener.routes.length, "each hostname once");
    this.#listeners.set(listener.id, { settings: settingsOf(listener), routes });
  }
}

function settingsOf({ addr, proxyProtocol, maxConnections }: ListenerSnapshot): string {
  return `${addr} ${proxyProtocol} ${maxConnections}`;
}

function describeRoutes(
  listeners: readonly (readonly [number, string, readonly Route[]])[],
): string {
  return listeners.map(([id, settings, routes]) => {
    const texts = routes.map((route) => JSON.stringify(route)).sort();
    return `${id} ${settings}\n${texts.join("\n")}`;
  }).sort().join("\n");
}
