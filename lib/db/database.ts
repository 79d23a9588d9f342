import type { DatabaseSync } from "node:sqlite";
import type { FirewallRule } from "../firewall/mod.ts";
import { DnsChangeRows } from "./dns_changes.ts";
import { IssuedCertificates } from "./issued_certificates.ts";
import { SharedSecrets } from "./shared_secrets.ts";
import { PublishedRows } from "./published_records.ts";
import { Policies } from "./policies.ts";
import { complete } from "../schema/mod.ts";
import type { Steps } from "../slices/mod.ts";
import { type DatabaseParts, type ProgramSchema, StateDatabase } from "../sqlite/mod.ts";
import {
  LISTENER as LISTENER_RECORD,
  type Listener,
  type Policy,
  ROUTE as ROUTE_RECORD,
  type RouteSettings,
  type State,
} from "../state/mod.ts";
import {
  LISTENER_COLUMNS,
  type ListenerRow,
  type NewFirewallRule,
  type NewListener,
  type NewRoute,
  plainRule,
  ROUTE_COLUMNS,
  type RouteRow,
  toListenerRow,
  toRouteRow,
} from "./rows.ts";
import { Rules, type StoredRule } from "./rules.ts";
import { Settings } from "./settings.ts";

const LISTENER = `id, ${LISTENER_COLUMNS.names}`;
const ROUTE = `id, listener_id, ${ROUTE_COLUMNS.names}`;

const SQL = {
  listeners: `SELECT ${LISTENER} FROM listeners ORDER BY id`,
  addListener: `INSERT INTO listeners (${LISTENER_COLUMNS.names})
    VALUES (${LISTENER_COLUMNS.placeholders})`,
  updateListener: `UPDATE listeners SET ${LISTENER_COLUMNS.assignments} WHERE id = ?`,
  removeListener: "DELETE FROM listeners WHERE id = ?",
  routes: `SELECT ${ROUTE} FROM routes WHERE listener_id = ? ORDER BY id`,
  allRoutes: `SELECT ${ROUTE} FROM routes ORDER BY id`,
  route: `SELECT ${ROUTE} FROM routes WHERE id = ?`,
  addRoute: `INSERT INTO routes (${ROUTE_COLUMNS.names}, listener_id)
    VALUES (${ROUTE_COLUMNS.placeholders}, ?)`,
  updateRoute: `UPDATE routes SET ${ROUTE_COLUMNS.assignments} WHERE id = ?`,
  removeRoute: "DELETE FROM routes WHERE id = ?",
  seeded: "SELECT 1 FROM seeded",
} as const;

/** What {@link Database.stateInSteps} reads. */
export interface Stored {
  readonly listeners: readonly Listener[];
  readonly rules: readonly StoredRule[];
  readonly revision: number;
}

/** A route with its policies. */
type SeedRoute = NewRoute & { readonly policies?: readonly Policy[] };

/** The part of a configuration that a new database starts with. */
export interface Seed {
  readonly listeners: readonly (NewListener & { readonly routes: readonly SeedRoute[] })[];
  readonly firewall: {
    readonly blockedIps: readonly string[];
    readonly blockedCidrs: readonly string[];
    readonly blockedCountries: readonly string[];
    readonly allowedIps?: readonly string[];
    readonly allowedCidrs?: readonly string[];
    readonly allowedCountries?: readonly string[];
    /** Whether the rate limit does not hold for those three. */
    readonly allowedSkipRateLimit?: boolean;
  };
}

/**
 * Listeners, routes and firewall rules. Every method is one step that happens entirely or not at
 * all; {@link transaction} makes one of several. What is written is taken as valid and canonical:
 * the caller has parsed it.
 */
export class Database extends StateDatabase {
  /** Firewall rules with everything that is known of them. */
  readonly rules: Rules;
  readonly policies: Policies;
  readonly settings: Settings;
  /** Certificates from an authority. */
  readonly issued: IssuedCertificates;
  /** Changes of records that the name server has yet to confirm. */
  readonly dnsChanges: DnsChangeRows;
  /** Records at the name server that are made of routes. */
  readonly published: PublishedRows;
  readonly shared: SharedSecrets;

  readonly #schema: ProgramSchema;

  /** @private Use `openDatabase`. */
  constructor(db: DatabaseSync, parts: DatabaseParts) {
    super(db, parts);
    this.#schema = parts.schema;
    this.rules = new Rules(this.statements);
    this.policies = new Policies(this.statements);
    this.settings = new Settings(this.statements);
    this.issued = new IssuedCertificates(this.statements);
    this.dnsChanges = new DnsChangeRows(this.statements);
    this.published = new PublishedRows(this.statements);
    this.shared = new SharedSecrets(this.statements);
  }

  /** Of the state: the group's where this is a replica, else that of the audit log. */
  get revision(): number {
    return this.settings.replica?.revision ?? this.audit.revision;
  }

  /** In the order in which they were added. */
  listeners(): ListenerRow[] {
    return this.#run("cannot read the listeners", () => {
      return this.statements.all(SQL.listeners).map(toListenerRow);
    });
  }

  addListener(listener: NewListener): ListenerRow {
    const { routes, ...full } = complete(LISTENER_RECORD, listener);
    return this.#run(`cannot add the listener ${JSON.stringify(full.addr)}`, () => {
      const values = LISTENER_COLUMNS.values({ ...full, routes });
      return { id: this.statements.insert(SQL.addListener, values), ...full };
    });
  }

  /** @throws {NotFoundError} */
  updateListener({ id, ...listener }: ListenerRow): void {
    const values = LISTENER_COLUMNS.values({ ...listener, routes: [] });
    this.statements.change(SQL.updateListener, [...values, id], `cannot update listener ${id}`);
  }

  /**
   * Removes a listener and its routes.
   *
   * @throws {NotFoundError}
   */
  removeListener(id: number): void {
    this.statements.change(SQL.removeListener, [id], `cannot remove listener ${id}`);
  }

  /** Of one listener, in the order in which they were added; none if there is no such listener. */
  routes(listenerId: number): RouteRow[] {
    return this.#run("cannot read the routes", () => {
      return this.statements.all(SQL.routes, [listenerId]).map(toRouteRow);
    });
  }

  /**
   * @throws {NotFoundError} if there is no such listener.
   * @throws {AlreadyExistsError} if the listener has a route of that hostname.
   */
  addRoute(listenerId: number, route: NewRoute): RouteRow {
    const full = complete(ROUTE_RECORD, route);
    return this.#run(`cannot add the route ${JSON.stringify(route.hostname)}`, () => {
      const id = this.statements.insert(SQL.addRoute, [...ROUTE_COLUMNS.values(full), listenerId]);
      const { policies: _, ...settings } = full;
      return { ...settings, id, listenerId };
    });
  }

  /**
   * Replaces every field of a route but its listener.
   *
   * @throws {NotFoundError}
   * @throws {AlreadyExistsError} if the listener has another route of that hostname.
   */
  updateRoute(id: number, route: NewRoute): RouteRow {
    const action = `cannot update route ${id}`;
    return this.transaction(() => {
      const values = ROUTE_COLUMNS.values(complete(ROUTE_RECORD, route));
      this.statements.change(SQL.updateRoute, [...values, id], action);
      return this.#run(action, () => toRouteRow(this.statements.get(SQL.route, [id]) ?? {}));
    });
  }

  /** @throws {NotFoundError} */
  removeRoute(id: number): void {
    this.statements.change(SQL.removeRoute, [id], `cannot remove route ${id}`);
  }

  /** In the order in which they were added. */
  firewallRules(): FirewallRule[] {
    return this.rules.plain();
  }

  /** @throws {AlreadyExistsError} */
  addFirewallRule(rule: NewFirewallRule): FirewallRule {
    return plainRule(this.rules.add(rule));
  }

  /** @throws {NotFoundError} */
  removeFirewallRule(id: number): void {
    this.rules.remove(id);
  }

  /** Everything that can be changed at run time, at once. */
  state(): State {
    const policies = Map.groupBy(this.policies.list(), ({ routeId }) => routeId);
    const listeners = this.listeners().map((listener) => ({
      ...listener,
      routes: this.routes(listener.id).map((route) => {
        const own = policies.get(route.id);
        return own === undefined ? route : { ...route, policies: own };
      }),
    }));
    const { rateLimit } = this.settings;
    return { listeners, rules: this.rules.list(), ...rateLimit && { rateLimit } };
  }

  /** {@link state}, a step for each row; only of a database that nobody else uses: {@link frozen}. */
  *stateInSteps(): Steps<Stored> {
    const policies = Map.groupBy(yield* this.policies.listInSteps(), ({ routeId }) => routeId);
    const listeners = this.listeners().map((listener) => {
      return { ...listener, routes: [] as RouteSettings[] };
    });
    const byId = new Map(listeners.map((listener) => [listener.id, listener]));
    for (const route of yield* this.statements.each(SQL.allRoutes, toRouteRow)) {
      const own = policies.get(route.id);
      byId.get(route.listenerId)?.routes.push(
        own === undefined ? route : { ...route, policies: own },
      );
      yield;
    }
    const rules = yield* this.rules.listInSteps();
    return { listeners, rules, revision: this.revision };
  }

  /**
   * The database as it is now, to be read piece by piece while others go on to change it; nothing if it
   * is in memory.
   */
  frozen(): Database | undefined {
    const db = this.frozenConnection();
    const { path, busyTimeoutMs } = this;
    return db && new Database(db, { path, busyTimeoutMs, schema: this.#schema });
  }

  /** Whether it has ever held a listener or a firewall rule. */
  get isSeeded(): boolean {
    return this.#run("cannot read what was seeded", () => {
      return this.statements.get(SQL.seeded) !== undefined;
    });
  }

  /**
   * Fills a database that has never held a listener or a firewall rule; any other is left alone,
   * also one from which an operator has removed everything. Returns whether it wrote something.
   */
  seed({ listeners, firewall }: Seed): boolean {
    return this.transaction(() => {
      if (this.isSeeded) return false;
      for (const { routes, ...listener } of listeners) {
        const { id } = this.addListener(listener);
        for (const { policies = [], ...route } of routes) {
          const row = this.addRoute(id, route);
          // The configuration warns that those of other modes are ignored.
          if (row.mode !== "l7") continue;
          for (const policy of policies) this.policies.add(row.id, policy);
        }
      }
      for (const rule of seedRules(firewall)) this.addFirewallRule(rule);
      return this.isSeeded;
    });
  }

  #run<T>(action: string, body: () => T): T {
    return this.statements.run(action, body);
  }
}

function seedRules(firewall: Seed["firewall"]): NewFirewallRule[] {
  const { allowedIps = [], allowedCidrs = [], allowedCountries = [] } = firewall;
  const rules = (type: FirewallRule["type"], values: readonly string[]): NewFirewallRule[] =>
    values.map((value) => ({ type, value }));
  const allowing = [
    ...rules("ip", allowedIps),
    ...rules("cidr", allowedCidrs),
    ...rules("country", allowedCountries),
  ];
  const skipRateLimit = firewall.allowedSkipRateLimit === true;
  return [
    ...rules("ip", firewall.blockedIps),
    ...rules("cidr", firewall.blockedCidrs),
    ...rules("country", firewall.blockedCountries),
    ...allowing.map((rule): NewFirewallRule => {
      return { ...rule, action: "allow", ...skipRateLimit && { skipRateLimit } };
    }),
  ];
}
