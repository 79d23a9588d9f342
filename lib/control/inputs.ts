import {
  type Endpoint,
  formatCidr,
  formatEndpoint,
  formatIp,
  parseBackendEndpoint,
  parseCidr,
  parseHostname,
  parseHostPattern,
  parseIp,
  parseListenEndpoint,
  type Result,
} from "../addr/mod.ts";
import type { FullRoute, NewListener, RateLimitSetting } from "../db/mod.ts";
import { type FirewallRule, MAX_RATE_LIMIT, parseFirewallRule } from "../firewall/mod.ts";
import { BACKEND_PROTOCOLS } from "../routes/mod.ts";
import { invalid } from "./refused.ts";

/** Paths are used with open(2): Linux's PATH_MAX without the final NUL. */
const MAX_PATH_CHARACTERS = 4095;
/** More than one host can hold open. */
const MAX_CONNECTIONS = 10_000_000;
const MAX_TRUSTED_PROXIES = 1000;
const MAX_REASON_CHARACTERS = 256;
const MIN_TTL_MS = 1000;
const MAX_TTL_MS = 10 * 366 * 24 * 3_600_000;
const MIN_WINDOW_MS = 100;
const MAX_WINDOW_MS = 24 * 3_600_000;

/** What a request says of a route; nothing is checked yet. */
export interface RouteInput {
  readonly hostname: string;
  readonly backend: string;
  /** Empty: `l4`. */
  readonly mode: string;
  readonly tlsCert: string;
  readonly tlsKey: string;
  readonly backendTls: boolean;
  readonly sendProxyProtocol: boolean;
  /** Empty: `auto`. */
  readonly backendProtocol?: string;
  readonly backendTlsVerify?: boolean;
  /** Path; empty: the system's authorities. */
  readonly backendCa?: string;
  /** Empty: the backend's host. */
  readonly backendServerName?: string;
}

/** What a request says of a listener. */
export interface ListenerInput {
  readonly addr: string;
  readonly proxyProtocol: boolean;
  readonly maxConnections: number;
  readonly trustedProxies: readonly string[];
}

/** What a request says of a rule. Times are milliseconds since 1970. */
export interface RuleInput {
  readonly type: string;
  readonly value: string;
  readonly reason: string;
  readonly expiresAt?: number | undefined;
}

/** A listener in canonical form, and where to bind it. */
export interface CheckedListener {
  readonly listener: Required<NewListener>;
  readonly endpoint: Endpoint;
}

/**
 * Checks a listener. `at` begins the names of fields in messages, here and below: `""`, or for one
 * of several `listeners[3].`.
 *
 * @throws {RefusedError}
 */
export function checkListener(input: ListenerInput, at = ""): CheckedListener {
  const endpoint = need(`${at}addr`, input.addr, parseListenEndpoint);
  const { proxyProtocol, maxConnections } = input;
  if (maxConnections > MAX_CONNECTIONS) {
    throw invalid(`${at}max_connections`, `${maxConnections} is not in 0–${MAX_CONNECTIONS}`);
  }
  if (input.trustedProxies.length > MAX_TRUSTED_PROXIES) {
    throw invalid(`${at}trusted_proxies`, `more than ${MAX_TRUSTED_PROXIES}`);
  }
  const trusted = input.trustedProxies.map((text, i) =>
    need(`${at}trusted_proxies[${i}]`, text, parseIpOrCidr)
  );
  const trustedProxies = [...new Set(trusted)];
  const addr = formatEndpoint(endpoint);
  return { listener: { addr, proxyProtocol, maxConnections, trustedProxies }, endpoint };
}

/**
 * The canonical address of a listener.
 *
 * @throws {RefusedError}
 */
export function checkListenerAddr(field: string, text: string): string {
  return formatEndpoint(need(field, text, parseListenEndpoint));
}

/**
 * The canonical hostname of a route.
 *
 * @throws {RefusedError}
 */
export function checkHostname(field: string, text: string): string {
  const { wildcard, name } = need(field, text, parseHostPattern);
  return wildcard ? `*.${name}` : name;
}

/**
 * Checks a route but for the files that it names.
 *
 * @throws {RefusedError}
 */
export function checkRoute(input: RouteInput, at = ""): FullRoute {
  const { tlsCert, tlsKey, backendTls, sendProxyProtocol } = input;
  const hostname = checkHostname(`${at}hostname`, input.hostname);
  const mode = input.mode === "" ? "l4" : input.mode;
  if (mode !== "l4" && mode !== "l7" && mode !== "mtls") {
    throw invalid(`${at}mode`, "not one of l4, l7, mtls");
  }
  // The authoriser of an mtls route names the host.
  const backend = mode === "mtls" && input.backend === ""
    ? ""
    : formatEndpoint(need(`${at}backend`, input.backend, parseBackendEndpoint));
  for (const [field, path] of [["tls_cert", tlsCert], ["tls_key", tlsKey]] as const) {
    if (path.length > MAX_PATH_CHARACTERS) {
      throw invalid(`${at}${field}`, `over ${MAX_PATH_CHARACTERS} characters`);
    }
    if (path.includes("\0")) throw invalid(`${at}${field}`, "a path cannot hold a NUL");
    const other = field === "tls_cert" ? tlsKey : tlsCert;
    if (path === "" && (mode === "l7" || (mode === "mtls" && other !== ""))) {
      throw invalid(`${at}${field}`, `is missing: the mode ${mode} needs it`);
    }
  }
  const plain = {
    hostname,
    backend,
    mode,
    tlsCert,
    tlsKey,
    backendTls,
    sendProxyProtocol,
  } as const;
  return { ...plain, ...checkL7Settings(input, at) };
}

/** Settings of l7 routes that are not at their defaults. */
function checkL7Settings(
  { backendProtocol = "", backendTlsVerify = false, backendCa = "", backendServerName = "" }:
    RouteInput,
  at: string,
): Pick<
  FullRoute,
  "backendProtocol" | "backendTlsVerify" | "backendCa" | "backendServerName"
> {
  const protocol = BACKEND_PROTOCOLS.find((name) => name === (backendProtocol || "auto"));
  if (protocol === undefined) {
    throw invalid(`${at}backend_protocol`, `not one of ${BACKEND_PROTOCOLS.join(", ")}`);
  }
  if (backendCa.length > MAX_PATH_CHARACTERS) {
    throw invalid(`${at}backend_ca`, `over ${MAX_PATH_CHARACTERS} characters`);
  }
  if (backendCa.includes("\0")) throw invalid(`${at}backend_ca`, "a path cannot hold a NUL");
  const name = backendServerName === ""
    ? ""
    : need(`${at}backend_server_name`, backendServerName, parseHostname);
  return {
    ...protocol !== "auto" && { backendProtocol: protocol },
    ...backendTlsVerify && { backendTlsVerify },
    ...backendCa !== "" && { backendCa },
    ...name !== "" && { backendServerName: name },
  };
}

/**
 * The type and the canonical value of a rule.
 *
 * @throws {RefusedError}
 */
export function checkRuleValue(
  { type, value }: { type: string; value: string },
  at = "",
): Pick<FirewallRule, "type" | "value"> {
  if (type !== "ip" && type !== "cidr" && type !== "country") {
    throw invalid(`${at}type`, type === "" ? "is missing" : "not one of ip, cidr, country");
  }
  return { type, value: need(`${at}value`, value, (text) => parseFirewallRule(type, text)) };
}

/**
 * Checks a rule.
 *
 * @throws {RefusedError}
 */
export function checkRule(input: RuleInput, at = ""): RuleInput & Pick<FirewallRule, "type"> {
  const { reason, expiresAt } = input;
  if (reason.length > MAX_REASON_CHARACTERS) {
    throw invalid(`${at}reason`, `over ${MAX_REASON_CHARACTERS} characters`);
  }
  if (!isPrintable(reason)) throw invalid(`${at}reason`, "holds a control character");
  return { ...checkRuleValue(input, at), reason, expiresAt };
}

/**
 * Checks a time to live.
 *
 * @throws {RefusedError}
 */
export function checkTtl(ms: number): number {
  if (ms >= MIN_TTL_MS && ms <= MAX_TTL_MS) return ms;
  throw invalid("ttl", "not in 1 s–10 years");
}

/**
 * Checks a rate limit.
 *
 * @throws {RefusedError}
 */
export function checkRateLimit({ limit, windowMs }: RateLimitSetting): RateLimitSetting {
  if (limit > MAX_RATE_LIMIT) {
    throw invalid("rate_limit.limit", `${limit} is not in 0–${MAX_RATE_LIMIT}`);
  }
  if (limit === 0 && windowMs === 0) return { limit, windowMs };
  if (windowMs >= MIN_WINDOW_MS && windowMs <= MAX_WINDOW_MS) return { limit, windowMs };
  throw invalid("rate_limit.window", windowMs === 0 ? "is missing" : "not in 100 ms–24 h");
}

/** Text that cannot forge a line of a log or move a cursor. */
export function isPrintable(text: string): boolean {
  // deno-lint-ignore no-control-regex -- they are what is looked for
  return !/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/.test(text);
}

/** An address or a block of addresses in canonical form. */
export function parseIpOrCidr(text: string): Result<string> {
  if (!text.includes("/")) {
    const ip = parseIp(text);
    return ip.ok ? { ok: true, value: formatIp(ip.value) } : ip;
  }
  const cidr = parseCidr(text);
  return cidr.ok ? { ok: true, value: formatCidr(cidr.value) } : cidr;
}

function need<T>(field: string, text: string, parse: (text: string) => Result<T>): T {
  if (text === "") throw invalid(field, "is missing");
  const result = parse(text);
  if (!result.ok) throw invalid(field, result.reason);
  return result.value;
}
