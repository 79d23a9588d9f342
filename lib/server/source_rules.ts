import type { IpAddress } from "../addr/mod.ts";
import {
  type AllowList,
  compileAllowList,
  type ConnectionLimiter,
  createConnectionLimiter,
  createFirewall,
  createRateLimiter,
  type Firewall,
  type GeoIp,
  openGeoIp,
  type RateLimiter,
} from "../firewall/mod.ts";
import type { FirewallSnapshot, SourcesSnapshot } from "../plane/mod.ts";
import type { Route } from "../routes/mod.ts";

/**
 * What is decided by the client's address, as `judge()` of lib/firewall asks for it: rules, the limits
 * of one source, and whom routes name. One GeoIP database serves all of them.
 */
export class SourceRules {
  #firewall: Firewall;
  #rateLimiter: RateLimiter | undefined;
  #sources: SourcesSnapshot | undefined;
  #connectionLimiter: ConnectionLimiter | undefined;
  #geoip: GeoIp | undefined;
  /** Compiled when the first connection takes the route. */
  #allowLists = new WeakMap<Route, AllowList>();

  constructor(snapshot: FirewallSnapshot) {
    this.#geoip = openChecked(snapshot);
    this.#firewall = createFirewall(snapshot.rules, this.#geoip);
    this.#setSources(snapshot.sources);
    this.setRateLimit(snapshot.rateLimit);
  }

  get firewall(): Firewall {
    return this.#firewall;
  }

  get rateLimiter(): RateLimiter | undefined {
    return this.#rateLimiter;
  }

  /** Of open connections per source. */
  get connectionLimiter(): ConnectionLimiter | undefined {
    return this.#connectionLimiter;
  }

  /** Who may use a route; nothing: everybody. */
  allowList(route: Route): AllowList | undefined {
    const { allowedIps, allowedCidrs, allowedCountries } = route;
    // Most routes: they are not looked up.
    if ((allowedIps ?? allowedCidrs ?? allowedCountries) === undefined) return undefined;
    const known = this.#allowLists.get(route);
    if (known !== undefined) return known;
    const list = compileAllowList(route, this.#geoip);
    if (list !== undefined) this.#allowLists.set(route, list);
    return list;
  }

  /** The country of an address, if a GeoIP database is open and knows it. */
  countryOf(ip: IpAddress): string | undefined {
    return this.#geoip?.country(ip);
  }

  replace(snapshot: FirewallSnapshot): void {
    this.#geoip = openChecked(snapshot);
    this.#allowLists = new WeakMap();
    this.setRules(snapshot.rules);
    this.#setSources(snapshot.sources);
    this.setRateLimit(snapshot.rateLimit);
  }

  /** New rules over the GeoIP database that is open. */
  setRules(rules: FirewallSnapshot["rules"]): void {
    this.#firewall = createFirewall(rules, this.#geoip);
  }

  setRateLimit(rateLimit: FirewallSnapshot["rateLimit"]): void {
    const { ipv6Prefix, siteFactor } = this.#sources ?? {};
    this.#rateLimiter = rateLimit && createRateLimiter({
      ...rateLimit,
      ...ipv6Prefix !== undefined && { ipv6Prefix },
      ...siteFactor !== undefined && { siteFactor },
    });
  }

  /** What is counted goes on being counted: the memory is the same. */
  #setSources(sources: SourcesSnapshot | undefined): void {
    this.#sources = sources;
    const { ipv6Prefix, connections } = sources ?? {};
    this.#connectionLimiter = connections && createConnectionLimiter({
      ...connections,
      ...ipv6Prefix !== undefined && { ipv6Prefix },
    });
  }
}

/** The control plane has checked the database: opening it again is cheap. */
function openChecked({ geoip }: FirewallSnapshot): GeoIp | undefined {
  return geoip && openGeoIp(new Uint8Array(geoip), { isChecked: true });
}
