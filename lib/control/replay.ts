import { type IpAddress, parseIp } from "../addr/mod.ts";
import {
  type AllowList,
  compileAllowList,
  type CompiledFirewall,
  compileFirewallInSteps,
  createFirewall,
  type Firewall,
  type FirewallRule,
  type GeoIp,
  patchFirewallInSteps,
} from "../firewall/mod.ts";
import type { History, PastVisits } from "../history/mod.ts";
import { invalid, RefusedError } from "../queue/mod.ts";
import {
  compileRoutes,
  type HttpsListener,
  httpsPlace,
  type Route,
  type RouteTable,
} from "../routes/mod.ts";
import { runInSlices, Slices } from "../slices/mod.ts";
import {
  isAutomaticBan,
  isRedirect,
  type Listener,
  type RuleSettings,
  type State,
} from "../state/mod.ts";
import type { ServedState } from "./served_state.ts";

/** As far as anything is kept. */
const MAX_SPAN_MS = 3650 * 24 * 3_600_000;
/** Visits that are asked of the history at once. */
const PAGE = 1_000;
/** Clients of each kind that are named; all are counted. */
const NAMED = 100;

/** A client to whom a change would have made a difference. */
export interface ReplayedClient {
  readonly client: string;
  /** A server name that it is about; empty: none was known. */
  readonly sni: string;
  /** What decides, after the change if it would have been refused, else before. */
  readonly why: string;
  /** Its connections of the time, and those of them that were served. */
  readonly connections: number;
  readonly served: number;
  readonly lastMs: number;
}

/** What a change would have meant for the clients of a time. */
export interface Replayed {
  readonly sinceMs: number;
  /** Clients that came in that time. */
  readonly clients: number;
  /** Those that are let in now and would have been refused, the most connections first. */
  readonly refused: readonly ReplayedClient[];
  readonly refusedClients: number;
  /** Those that are refused now and would have been let in. */
  readonly admitted: readonly ReplayedClient[];
  readonly admittedClients: number;
}

/** What decides about connections. */
interface Deciders {
  readonly firewall: Firewall;
  /** Whom a route names, if it does. */
  readonly allowList: (route: Route) => AllowList | undefined;
  /** By the address of the listener. */
  readonly tables: ReadonlyMap<string, Way>;
}

/** What a listener finds routes with. */
interface Way extends HttpsListener {
  /** All that plain HTTP may be sent to. */
  readonly all: readonly HttpsListener[];
}

/** What a {@link Replay} looks at. */
export interface ReplayOptions {
  readonly history: History | undefined;
  readonly state: ServedState;
  readonly geoip: () => GeoIp | undefined;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/**
 * Asks of a change what it would have meant for the real clients of the past: those who came are
 * decided about twice, by the state as it is and by the one that is wanted, with the functions that
 * decide about connections. Limits of rates are left out: they depend on each other's times.
 */
export class Replay {
  readonly #options: ReplayOptions;

  constructor(options: ReplayOptions) {
    this.#options = options;
  }

  /**
   * What one more rule would have meant.
   *
   * @throws {RefusedError} if there is no history.
   */
  async ofRule(rule: RuleSettings, spanMs: number): Promise<Replayed> {
    const { rules } = this.#options.state.snapshot.firewall;
    const patch = { add: [{ ...rule, id: 0 }] };
    return await this.#run(
      { rules: await runInSlices(patchFirewallInSteps(rules, patch)) },
      spanMs,
    );
  }

  /**
   * What another state would have meant; parts that it does not name stay.
   *
   * @throws {RefusedError} if there is no history.
   */
  async ofState(wish: State, spanMs: number): Promise<Replayed> {
    const rules = wish.rules && await this.#compile(wish.rules);
    const { listeners } = wish;
    return await this.#run({ ...rules && { rules }, ...listeners && { listeners } }, spanMs);
  }

  /** With the bans that the proxy has made on its own, which stay. */
  async #compile(wish: readonly RuleSettings[]): Promise<CompiledFirewall> {
    const { rules } = this.#options.state.database;
    const slices = new Slices();
    const all: FirewallRule[] = [];
    for (let last = 0;;) {
      const page = rules.page(last, PAGE);
      for (const rule of page) {
        if (isAutomaticBan(rule)) all.push({ ...rule, id: all.length + 1 });
      }
      last = page.at(-1)?.id ?? last;
      if (page.length < PAGE) break;
      if (slices.isOver) await slices.pause();
    }
    for (const rule of wish) {
      all.push({ ...rule, id: all.length + 1 });
      if (slices.isOver) await slices.pause();
    }
    return await runInSlices(compileFirewallInSteps(all));
  }

  async #run(
    changed: { readonly rules?: CompiledFirewall; readonly listeners?: readonly Listener[] },
    spanMs: number,
  ): Promise<Replayed> {
    const { history, state, geoip, now } = this.#options;
    const slices = new Slices();
    if (history === undefined) {
      throw new RefusedError("failed_precondition", "nothing is kept: [history] is not configured");
    }
    if (spanMs < 1 || spanMs > MAX_SPAN_MS) throw invalid("replay", "not a time in the past");
    const { snapshot: { listeners, firewall: { rules } } } = state;
    const allowList = allowLists(geoip());
    const before: Deciders = {
      allowList,
      firewall: createFirewall(rules, geoip()),
      tables: waysOf(listeners, ({ id }) => state.table(id) ?? NO_ROUTES),
    };
    const after: Deciders = {
      allowList,
      firewall: createFirewall(changed.rules ?? rules, geoip()),
      tables: changed.listeners === undefined
        ? before.tables
        : await wishedWays(changed.listeners, slices),
    };
    const sinceMs = now() - spanMs;
    const tally = new Tally();
    for await (const visit of allVisits(history, sinceMs)) {
      if (slices.isOver) await slices.pause();
      tally.add(visit, decide(visit, before), decide(visit, after));
    }
    return { sinceMs, ...tally.result() };
  }
}

const NO_ROUTES = compileRoutes([]);

function waysOf<L extends Pick<Listener, "addr" | "kind">>(
  listeners: readonly L[],
  table: (listener: L) => RouteTable,
): Map<string, Way> {
  // Which port it is does not matter: whether there is one decides.
  const all = listeners.map((listener) => {
    return { port: 0, isRedirect: isRedirect(listener), routes: table(listener) };
  });
  return new Map(listeners.map(({ addr }, i) => [addr, { ...all[i] as HttpsListener, all }]));
}

async function wishedWays(
  listeners: readonly Listener[],
  slices: Slices,
): Promise<Map<string, Way>> {
  const tables = new Map<Listener, RouteTable>();
  for (const listener of listeners) {
    const table = compileRoutes([]);
    for (const [i, { policies: _, ...route }] of listener.routes.entries()) {
      table.set({ ...route, id: i + 1 });
      if (slices.isOver) await slices.pause();
    }
    tables.set(listener, table);
  }
  return waysOf(listeners, (listener) => tables.get(listener) ?? NO_ROUTES);
}

async function* allVisits(history: History, sinceMs: number): AsyncGenerator<PastVisits> {
  let after: string | undefined;
  do {
    const page = await history.visits(sinceMs, { after, limit: PAGE });
    yield* page.visits;
    after = page.next;
  } while (after !== undefined);
}

/** Why a visit is refused; nothing if it is not, as far as can be known of it. */
function decide({ client, listener, sni }: PastVisits, deciders: Deciders): string | undefined {
  const ip = parseIp(client);
  if (!ip.ok) return undefined;
  const blocked = blockedBy(ip.value, deciders.firewall);
  if (blocked !== undefined) return blocked;
  // Whoever was refused before saying a name was not asked for one.
  if (sni === "") return undefined;
  const way = deciders.tables.get(listener);
  if (way === undefined) return `no listener ${listener}`;
  if (way.isRedirect) {
    const isAllowed = (route: Route) => deciders.allowList(route)?.holds(ip.value) !== false;
    return httpsPlace(way.all, sni, isAllowed) === undefined ? `no l7 route for ${sni}` : undefined;
  }
  const route = way.routes.match(sni);
  if (route === undefined) return `no route for ${sni}`;
  return deciders.allowList(route)?.holds(ip.value) === false
    ? `the route ${route.hostname} names others`
    : undefined;
}

/** Compiled when they are asked for. */
function allowLists(geoip: GeoIp | undefined): Deciders["allowList"] {
  const known = new Map<Route, AllowList | undefined>();
  return (route) => {
    if (!known.has(route)) known.set(route, compileAllowList(route, geoip));
    return known.get(route);
  };
}

function blockedBy(ip: IpAddress, firewall: Firewall): string | undefined {
  const verdict = firewall.check(ip);
  return verdict.action === "block" ? `${verdict.rule.type} ${verdict.rule.value}` : undefined;
}

/** Clients that a change makes a difference to. They come one after the other. */
class Tally {
  readonly #refused = new Affected();
  readonly #admitted = new Affected();
  #clients = 0;
  #client: string | undefined;

  add(visit: PastVisits, before: string | undefined, after: string | undefined): void {
    if (visit.client !== this.#client) this.#clients++;
    this.#client = visit.client;
    if (before === undefined && after !== undefined) this.#refused.add(visit, after);
    if (before !== undefined && after === undefined) this.#admitted.add(visit, before);
  }

  result(): Omit<Replayed, "sinceMs"> {
    return {
      clients: this.#clients,
      refused: this.#refused.named(),
      refusedClients: this.#refused.clients,
      admitted: this.#admitted.named(),
      admittedClients: this.#admitted.clients,
    };
  }
}

/** The clients with the most connections, and how many there are. */
class Affected {
  #named: ReplayedClient[] = [];
  #last: ReplayedClient | undefined;
  clients = 0;

  add({ client, sni, connections, served, lastMs }: PastVisits, why: string): void {
    const last = this.#last;
    if (last?.client === client) {
      this.#last = {
        ...last,
        connections: last.connections + connections,
        served: last.served + served,
        lastMs: Math.max(last.lastMs, lastMs),
      };
      return;
    }
    this.#keepLast();
    this.clients++;
    this.#last = { client, sni, why, connections, served, lastMs };
  }

  named(): readonly ReplayedClient[] {
    this.#keepLast();
    return this.#sorted().slice(0, NAMED);
  }

  #keepLast(): void {
    if (this.#last !== undefined) this.#named.push(this.#last);
    this.#last = undefined;
    if (this.#named.length > 4 * NAMED) this.#named = this.#sorted().slice(0, NAMED);
  }

  #sorted(): ReplayedClient[] {
    return this.#named.toSorted((a, b) => b.served - a.served || b.connections - a.connections);
  }
}
