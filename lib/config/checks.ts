import { resolve } from "node:path";
import { GeoIpError, openGeoIp } from "../firewall/mod.ts";
import { whyNeverMet } from "../policy/mod.ts";
import { type KeyPath, quote, type Report, unusedFields } from "../schema/mod.ts";
import { checkPair } from "../settings/mod.ts";
import {
  ACME,
  EVERY_NAME,
  locateFile,
  refuseOverlaps,
  ROUTE,
  type RouteSettings,
} from "../state/mod.ts";
import { checkBackendTls } from "./backend_checks.ts";
import type { CheckContext } from "./check_context.ts";
import { checkConnector, checkConnectorRoute } from "./connector_checks.ts";
import { coversHost } from "../certificates/mod.ts";
import { checkFleet, namedFilesOf } from "./fleet_checks.ts";
import { checkErrorPages } from "./page_checks.ts";
import { acmeProblem, checkAcme, checkMcns, dnsWarning } from "./acme_checks.ts";
import type { Config, ConnectorConfig, FirewallConfig } from "./types.ts";

/** The checks that take more than one setting, or a file. */
export function checkConfig(config: Config, context: CheckContext): void {
  refuseOverlaps(listenAddresses(config), context.report);
  const databasePath = ["database", "path"];
  const { report, needsDatabase } = context;
  if (needsDatabase && config.database.path === "" && !report.hasProblem(databasePath)) {
    report.problem(databasePath, "is missing");
  }
  const places = namedFilesOf(config);
  const files = context.files.located((file) => locateFile(file, places));
  for (const [i, listener] of config.listeners.entries()) {
    const path = ["listeners", i];
    checkProxyProtocol(listener, path, context.report);
    checkRedirect(listener, path, { config, report });
    for (const [j, route] of listener.routes.entries()) {
      checkRoute(route, [...path, "routes", j], { ...context, config, files });
      checkPolicies(route, [...path, "routes", j], { config, report });
      if (route.mode === "mtls") {
        const { connector } = config;
        checkConnectorRoute(route, [...path, "routes", j], { ...context, connector });
      }
    }
  }
  checkErrorPages(config.l7.errorPages, ["l7"], { report, files });
  checkGeoIp(config, context);
  checkAcme(config, context);
  checkMcns(config, context);
  checkFleet(config, context);
  if (
    config.history !== undefined && resolve(config.history.path) === resolve(config.database.path)
  ) {
    report.problem(["history", "path"], "is the path of the database, and has to be another");
  }
  if (config.connector !== undefined) {
    checkProxyProtocol(config.connector, ["connector"], report);
    checkConnector(config.connector, { ...context, acme: config.acme });
  }
}

/** What takes two settings of a listener, or of `[connector]`. */
function checkProxyProtocol(
  { proxyProtocol, trustedProxies }: Pick<ConnectorConfig, "proxyProtocol" | "trustedProxies">,
  path: KeyPath,
  report: Report,
): void {
  if (trustedProxies.length > 0 && !proxyProtocol) {
    report.warning([...path, "trusted_proxies"], "ignored without proxy_protocol");
  }
  if (trustedProxies.length === 0 && proxyProtocol) {
    const message = "without trusted_proxies whoever connects may claim any address";
    report.warning([...path, "proxy_protocol"], message);
  }
}

/** Warns of what a listener that redirects does not do, and of what no other does. */
function checkRedirect(
  { kind, redirectPort }: Config["listeners"][number],
  path: KeyPath,
  { config, report }: { readonly config: Config; readonly report: Report },
): void {
  if (kind !== "redirect") {
    if (redirectPort === undefined) return;
    return report.warning([...path, "redirect_port"], 'ignored without kind = "redirect"');
  }
  const isSentSomewhere = config.listeners.some(({ routes }) =>
    routes.some(({ mode }) => mode === "l7")
  );
  if (isSentSomewhere || config.acme?.challenge === "http-01") return;
  report.warning([...path, "kind"], "no listener has an l7 route: every connection is reset");
}

function listenAddresses({ listeners, metrics }: Config): [KeyPath, string][] {
  const addresses: [KeyPath, string][] = listeners.map(({ addr }, i) => [
    ["listeners", i, "addr"],
    addr,
  ]);
  if (metrics !== undefined) addresses.push([["metrics", "addr"], metrics.addr]);
  return addresses;
}

interface RouteContext extends CheckContext {
  readonly config: Pick<Config, "acme" | "mcns">;
}

/** Warns of what is written down and does nothing. */
function checkRoute(route: RouteSettings, path: KeyPath, context: RouteContext): void {
  const { report } = context;
  for (const { key } of unusedFields(ROUTE.shape, route, route.mode)) {
    if (key === "tls_cert" && route.tlsCert === ACME) continue; // It is ordered all the same.
    report.warning([...path, key], `ignored with mode = "${route.mode}"`);
  }
  checkTlsFiles(route, path, context);
  checkBackendTls(route, path, context);
  if (route.mode === "l7") checkErrorPages(route.errorPages, path, context);
}

/** Warns of policies that refuse everybody. */
function checkPolicies(
  route: RouteSettings,
  path: KeyPath,
  { config, report }: { readonly config: Config; readonly report: Report },
): void {
  for (const [i, policy] of (route.policies ?? []).entries()) {
    const why = whyNeverMet(policy, config.l7.refuseUnderscores);
    if (why !== undefined) report.warning([...path, "policies", i, "value"], why);
  }
}

/** What an authority can issue. */
function checkAcmeRoute(
  { hostname }: RouteSettings,
  path: KeyPath,
  { report, config }: RouteContext,
): void {
  const problem = acmeProblem(hostname, config.acme);
  if (problem !== undefined) return report.problem([...path, problem.key], problem.reason);
  const warning = dnsWarning(hostname, config);
  if (warning !== undefined) report.warning([...path, "hostname"], warning);
}

function checkTlsFiles(route: RouteSettings, path: KeyPath, context: RouteContext): void {
  const { report } = context;
  // Whether both are there was checked before.
  if (route.tlsCert === ACME) return checkAcmeRoute(route, path, context);
  if (route.mode === "l4") return;
  const { tlsCert, tlsKey } = route;
  const certPath = [...path, "tls_cert"];
  const keyPath = [...path, "tls_key"];
  const leaf = checkPair({ certPath, keyPath, tlsCert, tlsKey }, context);
  if (leaf === undefined || route.hostname === "" || route.hostname === EVERY_NAME) return;
  if (!coversHost(leaf, route.hostname)) {
    const message = `${quote(tlsCert)}: the certificate is not for ${quote(route.hostname)}`;
    report.warning(certPath, message);
  }
}

function checkGeoIp({ firewall, listeners }: Config, { report, files }: CheckContext): void {
  const path = ["firewall", "geoip_db"];
  const file = firewall.geoipDb;
  if (file === undefined) {
    for (const [key, countries] of listsOfCountries(firewall, listeners)) {
      if (countries.length === 0) continue;
      return report.problem(path, `is missing: ${key} needs it`);
    }
    return;
  }
  // Refused already.
  if (file === "") return;
  const bytes = files.read(file, path, report);
  if (bytes === undefined) return;
  try {
    openGeoIp(bytes);
  } catch (error) {
    if (!(error instanceof GeoIpError)) throw error;
    report.problem(path, `${quote(file)} is not a usable MaxMind database: ${error.message}`);
  }
}

function* listsOfCountries(
  { blockedCountries, allowedCountries }: FirewallConfig,
  listeners: Config["listeners"],
): Generator<readonly [key: string, countries: readonly string[]]> {
  yield ["blocked_countries", blockedCountries];
  yield ["allowed_countries", allowedCountries];
  for (const { routes } of listeners) {
    for (const { hostname, allowedCountries = [] } of routes) {
      yield [`allowed_countries of ${hostname}`, allowedCountries];
    }
  }
}
