import { type Endpoint, parseIp, parseListenEndpoint } from "../addr/mod.ts";
import { GeoIpError, openGeoIp } from "../firewall/mod.ts";
import type { CheckContext } from "./check_context.ts";
import { checkConnector, checkConnectorRoute } from "./connector_checks.ts";
import { formatKeyPath, type KeyPath } from "./key_path.ts";
import type { Report } from "./problem.ts";
import { quote } from "./schema.ts";
import { checkL7Settings } from "./l7_checks.ts";
import { checkTlsPair, coversHost } from "./tls_pair.ts";
import type { Config, FirewallConfig, RouteSeed } from "./types.ts";

/** The checks that take more than one setting, or a file. */
export function checkConfig(config: Config, context: CheckContext): void {
  checkListenAddresses(config, context.report);
  const databasePath = ["database", "path"];
  const { report, needsDatabase } = context;
  if (needsDatabase && config.database.path === "" && !report.hasProblem(databasePath)) {
    report.problem(databasePath, "is missing");
  }
  for (const [i, listener] of config.listeners.entries()) {
    const path = ["listeners", i];
    if (listener.trustedProxies.length > 0 && !listener.proxyProtocol) {
      context.report.warning([...path, "trusted_proxies"], "ignored without proxy_protocol");
    }
    checkHostnames(listener.routes, [...path, "routes"], context.report);
    for (const [j, route] of listener.routes.entries()) {
      checkRoute(route, [...path, "routes", j], context);
      if (route.mode === "mtls") {
        const { connector } = config;
        checkConnectorRoute(route, [...path, "routes", j], { ...context, connector });
      }
    }
  }
  checkGeoIp(config.firewall, context);
  if (config.connector !== undefined) checkConnector(config.connector, context);
}

function checkListenAddresses({ listeners, metrics }: Config, report: Report): void {
  const addresses: [KeyPath, string][] = listeners.map(({ addr }, i) => [
    ["listeners", i, "addr"],
    addr,
  ]);
  if (metrics !== undefined) addresses.push([["metrics", "addr"], metrics.addr]);
  const seen: { path: KeyPath; addr: string; endpoint: Endpoint }[] = [];
  for (const [path, addr] of addresses) {
    const endpoint = parseListenEndpoint(addr);
    // Already reported, or a Unix socket.
    if (!endpoint.ok) continue;
    const other = seen.find((earlier) => overlap(earlier.endpoint, endpoint.value));
    if (other !== undefined) {
      const verb = other.addr === addr ? "repeats" : "overlaps";
      const where = other.addr === addr ? "" : ` ${quote(other.addr)}`;
      report.problem(path, `${quote(addr)} ${verb} ${formatKeyPath(other.path)}${where}`);
    }
    seen.push({ path, addr, endpoint: endpoint.value });
  }
}

/**
 * Whether some connection could belong to both. With SO_REUSEPORT the kernel would not refuse the
 * second one; it would share the connections out.
 */
function overlap(a: Endpoint, b: Endpoint): boolean {
  if (a.port !== b.port || a.port === 0) return false;
  return a.host === b.host || covers(a.host, b.host) || covers(b.host, a.host);
}

function covers(wide: string, host: string): boolean {
  // An IPv6 socket bound to [::] takes IPv4 connections too, unless told otherwise.
  if (wide === "" || wide === "::") return true;
  if (wide !== "0.0.0.0") return false;
  const ip = parseIp(host);
  return ip.ok && ip.value.family === 4;
}

function checkHostnames(routes: readonly RouteSeed[], path: KeyPath, report: Report): void {
  const first = new Map<string, number>();
  for (const [i, { hostname }] of routes.entries()) {
    // Already reported.
    if (hostname === "") continue;
    const other = first.get(hostname);
    if (other === undefined) {
      first.set(hostname, i);
    } else {
      const where = formatKeyPath([...path, other]);
      report.problem([...path, i, "hostname"], `${quote(hostname)} repeats ${where}`);
    }
  }
}

function checkRoute(route: RouteSeed, path: KeyPath, context: CheckContext): void {
  const { report } = context;
  const backend = [...path, "backend"];
  if (route.mode === "mtls") {
    if (route.backend !== "") report.warning(backend, "ignored: the authoriser names the host");
  } else if (route.backend === "" && !report.hasProblem(backend)) {
    report.problem(backend, "is missing");
  }
  if (route.backendTls && route.mode !== "l7") {
    report.warning([...path, "backend_tls"], `ignored with mode = "${route.mode}"`);
  }
  checkTlsFiles(route, path, context);
  checkL7Settings(route, path, context);
}

function checkTlsFiles(route: RouteSeed, path: KeyPath, context: CheckContext): void {
  const { report, files } = context;
  const settings = [["tls_cert", route.tlsCert], ["tls_key", route.tlsKey]] as const;
  const given = settings.filter(([, file]) => file !== "");
  if (route.mode === "l4") {
    for (const [key] of given) report.warning([...path, key], 'ignored with mode = "l4"');
    return;
  }
  // The connector has a certificate of its own, which a route may replace.
  if (route.mode === "mtls" && given.length === 0) return;
  const [certPem, keyPem] = settings.map(([key, file]) => {
    const at = [...path, key];
    if (file !== "") return files.readText(file, at, report);
    if (!report.hasProblem(at)) {
      const needed = route.mode === "l7" ? 'mode = "l7" needs it' : "the other half is given";
      report.problem(at, `is missing: ${needed}`);
    }
  });
  if (certPem !== undefined && keyPem !== undefined) {
    checkTlsContents(route, { path, certPem, keyPem }, context);
  }
}

function checkTlsContents(
  route: RouteSeed,
  { path, certPem, keyPem }: { path: KeyPath; certPem: string; keyPem: string },
  { report, now }: CheckContext,
): void {
  const certPath = [...path, "tls_cert"];
  const check = checkTlsPair(certPem, keyPem);
  if (!check.ok) {
    for (const { part, reason } of check.faults) {
      const [at, file] = part === "key"
        ? [[...path, "tls_key"], route.tlsKey]
        : [certPath, route.tlsCert];
      report.problem(at, `${quote(file)}: the ${part} ${reason}`);
    }
    return;
  }
  const { leaf } = check;
  const file = quote(route.tlsCert);
  if (leaf.validToDate < now) {
    report.warning(certPath, `${file}: expired at ${leaf.validToDate.toISOString()}`);
  }
  if (leaf.validFromDate > now) {
    report.warning(certPath, `${file}: not valid before ${leaf.validFromDate.toISOString()}`);
  }
  if (route.hostname !== "" && !coversHost(leaf, route.hostname)) {
    report.warning(certPath, `${file}: the certificate is not for ${quote(route.hostname)}`);
  }
}

function checkGeoIp(firewall: FirewallConfig, { report, files }: CheckContext): void {
  const path = ["firewall", "geoip_db"];
  const file = firewall.geoipDb;
  if (file === undefined) {
    if (firewall.blockedCountries.length > 0) {
      report.problem(path, "is missing: blocked_countries needs it");
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
