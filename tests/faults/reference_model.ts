/**
 * What the control plane is compared with: the state as plain values, and what each change means to it,
 * written down a second time and as simply as can be.
 *
 * @module
 */
import type {
  ListenerSettings,
  Policy,
  RateLimit,
  RouteSettings,
  RuleSettings,
} from "../../lib/state/mod.ts";

/** The code of a refusal, or nothing. */
export type Refusal = "already_exists" | "not_found" | "failed_precondition" | "invalid_argument";

interface ModelListener {
  readonly settings: ListenerSettings;
  readonly routes: Map<string, RouteSettings>;
}

/** The state, and every change of it. A change that is refused does nothing. */
export class ReferenceModel {
  readonly listeners = new Map<string, ModelListener>();
  readonly rules = new Map<string, RuleSettings>();
  rateLimit: RateLimit = { limit: 0, windowMs: 0 };

  clone(): ReferenceModel {
    const copy = new ReferenceModel();
    for (const [addr, { settings, routes }] of this.listeners) {
      copy.listeners.set(addr, { settings, routes: new Map(routes) });
    }
    for (const [key, rule] of this.rules) copy.rules.set(key, rule);
    copy.rateLimit = this.rateLimit;
    return copy;
  }

  addListener(settings: ListenerSettings): Refusal | undefined {
    if (this.listeners.has(settings.addr)) return "already_exists";
    this.listeners.set(settings.addr, { settings, routes: new Map() });
  }

  removeListener(addr: string): Refusal | undefined {
    if (!this.listeners.has(addr)) return "not_found";
    if (this.listeners.size === 1) return "failed_precondition";
    this.listeners.delete(addr);
  }

  addRoute(addr: string, route: RouteSettings): Refusal | undefined {
    const routes = this.listeners.get(addr)?.routes;
    if (routes === undefined) return "not_found";
    if (routes.has(route.hostname)) return "already_exists";
    routes.set(route.hostname, route);
  }

  updateRoute(addr: string, route: RouteSettings): Refusal | undefined {
    const routes = this.listeners.get(addr)?.routes;
    const before = routes?.get(route.hostname);
    if (routes === undefined || before === undefined) return "not_found";
    // Policies stay with a route that goes on terminating TLS.
    const policies = route.mode === "l7" ? before.policies : undefined;
    const { policies: _, ...rest } = route;
    routes.set(route.hostname, { ...rest, ...policies !== undefined && { policies } });
  }

  removeRoute(addr: string, hostname: string): Refusal | undefined {
    if (this.listeners.get(addr)?.routes.delete(hostname) !== true) return "not_found";
  }

  addPolicy(addr: string, hostname: string, policy: Policy): Refusal | undefined {
    const routes = this.listeners.get(addr)?.routes;
    const route = routes?.get(hostname);
    if (routes === undefined || route === undefined) return "not_found";
    if (route.mode !== "l7") return "invalid_argument";
    const { policies = [] } = route;
    if (policies.some(({ value }) => value === policy.value)) return "already_exists";
    routes.set(hostname, { ...route, policies: [...policies, policy] });
  }

  removePolicy(addr: string, hostname: string, policy: Policy): Refusal | undefined {
    const routes = this.listeners.get(addr)?.routes;
    const route = routes?.get(hostname);
    const kept = route?.policies?.filter(({ value }) => value !== policy.value) ?? [];
    if (routes === undefined || route?.policies === undefined) return "not_found";
    if (kept.length === route.policies.length) return "not_found";
    const { policies: _, ...rest } = route;
    routes.set(hostname, kept.length === 0 ? rest : { ...rest, policies: kept });
  }

  addRule(rule: RuleSettings): Refusal | undefined {
    const key = `${rule.type} ${rule.value}`;
    if (this.rules.has(key)) return "already_exists";
    this.rules.set(key, rule);
  }

  removeRule({ type, value }: Pick<RuleSettings, "type" | "value">): Refusal | undefined {
    if (!this.rules.delete(`${type} ${value}`)) return "not_found";
  }

  /** A start removes rules whose time has come. */
  expire(now: number): void {
    for (const [key, { expiresAt }] of this.rules) {
      if (expiresAt !== undefined && expiresAt <= now) this.rules.delete(key);
    }
  }

  /** The state as one text, in an order that says nothing. */
  toString(): string {
    return describe({
      listeners: [...this.listeners.values()].map(({ settings, routes }) => {
        return { ...settings, routes: [...routes.values()] };
      }),
      rules: [...this.rules.values()],
      rateLimit: this.rateLimit,
    });
  }
}

interface Described {
  readonly listeners: readonly (ListenerSettings & { readonly routes: readonly RouteSettings[] })[];
  readonly rules: readonly RuleSettings[];
  readonly rateLimit: RateLimit;
}

/** A state as one text; ids and what counts are left out. */
export function describe({ listeners, rules, rateLimit }: Described): string {
  const lines = listeners.flatMap(({ addr, proxyProtocol, maxConnections, routes }) => [
    `${addr} ${proxyProtocol} ${maxConnections}`,
    ...routes.map(({ hostname, backend, mode, sendProxyProtocol, policies = [] }) => {
      const values = policies.map(({ type, value }) => `${type}=${value}`).sort();
      return `${addr} ${hostname} ${backend} ${mode} ${sendProxyProtocol} ${values}`;
    }),
  ]);
  const ruleLines = rules.map(({ type, value, reason, expiresAt }) => {
    return `rule ${type} ${value} ${reason} ${expiresAt ?? "stays"}`;
  });
  const limit = rateLimit.limit === 0 ? "off" : `${rateLimit.limit} in ${rateLimit.windowMs}`;
  return [...lines.sort(), ...ruleLines.sort(), `rate limit ${limit}`].join("\n");
}
