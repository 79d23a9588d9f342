import { formatIp, type IpAddress, parseHostname, parseIp } from "../addr/mod.ts";
import type { StoredRule } from "../db/mod.ts";
import {
  compileAllowList,
  consider,
  createConnectionLimiter,
  createFirewall,
  createRateLimiter,
  type FirewallRule,
  type Gates,
  type GeoIp,
  type Opinion,
} from "../firewall/mod.ts";
import { ConnectionGauge, type OutcomeName } from "../observe/mod.ts";
import type { FirewallSnapshot, ListenerSnapshot } from "../plane/mod.ts";
import { invalid } from "../queue/mod.ts";
import { namelessRoute, type Route } from "../routes/mod.ts";
import { formatDuration } from "../schema/mod.ts";
import { isRedirect } from "../state/mod.ts";
import { explainRedirect } from "./explain_redirect.ts";
import type { BackendBoard } from "./backend_board.ts";
import { explainBackends } from "./explain_backends.ts";
import type { NamedFiles } from "./named_files.ts";
import type { PendingDrain } from "./routing_administration.ts";
import { explainPath, wayOf } from "./explain_path.ts";
import type { Sayer } from "./explain_sayer.ts";
import { explainRouteLimits } from "./explain_limits.ts";
import type { ServedState } from "./served_state.ts";

/** A connection that has not happened. */
export interface ExplainRequest {
  readonly clientIp: string;
  readonly listenerAddr: string;
  /** Empty: the ClientHello names no server. */
  readonly sni: string;
  /** Of a request to an l7 route; absent or empty: none is looked at. */
  readonly path?: string;
}

/** What would happen to it, and why. */
export interface Explanation {
  readonly verdict: "allow" | "block";
  /** How it would end if it is refused. */
  readonly outcome?: OutcomeName;
  /** The rule that blocks it. */
  readonly rule?: StoredRule;
  /** The rule that allows the client. */
  readonly allowedBy?: StoredRule;
  /** Of a client over the rate limit: until it may again. */
  readonly retryAfterMs?: number;
  readonly route?: Route;
  readonly country?: string;
  /** One sentence for each step. */
  readonly steps: readonly string[];
  /** Which proxy of a group says so; absent: it is alone. */
  readonly says?: Sayer;
}

/** What {@link explain} looks at. */
export interface ExplainContext {
  readonly state: ServedState;
  readonly geoip: GeoIp | undefined;
  readonly drains: readonly PendingDrain[];
  /** How backends are. */
  readonly board: BackendBoard;
  /** Where the files of the state are. */
  readonly files: NamedFiles;
  /** Milliseconds since 1970, by the clock of the data plane. */
  readonly nowMs: number;
}

/**
 * Walks the path of a connection with the functions that real connections take, in their order, over
 * the limits as they are filled at this moment.
 *
 * @throws {RefusedError} if the request cannot be asked.
 */
export function explain(
  { clientIp, listenerAddr, sni, path = "" }: ExplainRequest,
  context: ExplainContext,
): Explanation {
  const { state, geoip, nowMs } = context;
  const listener = state.listener("listener_addr", listenerAddr);
  const ip = parseIp(clientIp);
  if (clientIp === "") throw invalid("client_ip", "is missing");
  if (!ip.ok) throw invalid("client_ip", ip.reason);
  const country = geoip?.country(ip.value);
  const steps = [...explainListener(listener, context)];
  const full = refusedByListener(listener, state);
  const opinion = consider(ip.value, gatesOf(state.snapshot.firewall, geoip), { nowMs });
  const found = {
    ...country !== undefined && { country },
    ...ruleOf(state, "allowedBy", opinion.allowedBy),
    steps,
  };
  if (full !== undefined) return { verdict: "block", outcome: full, ...found };
  steps.push(...explainOpinion(opinion, { client: formatIp(ip.value), country }));
  const { refusal, rate } = opinion;
  if (refusal?.outcome === "blocked") {
    const rule = ruleOf(state, "rule", refusal.rule);
    return { verdict: "block", outcome: "blocked", ...rule, ...found };
  }
  if (refusal !== undefined) {
    const { outcome } = refusal;
    const retryAfterMs = outcome === "rate_limited" ? rate?.endsInMs : undefined;
    const retry = retryAfterMs === undefined ? {} : { retryAfterMs };
    return { verdict: "block", outcome, ...retry, ...found };
  }
  if (!isRedirect(listener)) {
    return { ...explainRoute({ listener, sni, path, ip: ip.value }, context, steps), ...found };
  }
  const isAllowed = (route: Route) => compileAllowList(route, geoip)?.holds(ip.value) !== false;
  const table = (id: number) => state.table(id);
  const sights = { snapshot: state.snapshot, table, isAllowed };
  const { route, steps: last } = explainRedirect(listener, sni, sights);
  steps.push(...last);
  if (route === undefined) return { verdict: "block", outcome: "no_route", ...found };
  return { verdict: "allow", route, ...found };
}

/** What the listener says of itself and of the connections that it has. */
function* explainListener(
  { addr, proxyProtocol, gauge, maxConnections }: ListenerSnapshot,
  { state, drains }: ExplainContext,
): Generator<string> {
  yield proxyProtocol
    ? `listener ${addr}: the client's address comes from the PROXY header`
    : `listener ${addr}: the client's address is that of the TCP peer`;
  for (const { addr: removed, endsAt } of drains) {
    const left = formatSeconds(Math.max(0, endsAt - performance.now()));
    yield `drain: connections of the removed listener ${removed} are closed in ${left}`;
  }
  if (state.snapshot.isDrained) yield "drain: the group wants no new connections at this proxy";
  else if (isDraining(state)) yield "drain: the proxy is about to stop and takes no new connection";
  if (maxConnections > 0) {
    const { active } = new ConnectionGauge(gauge);
    yield `listener ${addr}: ${active} of at most ${maxConnections} connections are open`;
  }
}

function isDraining({ plane, snapshot }: ServedState): boolean {
  return snapshot.isDrained === true ||
    plane.status().workers.some(({ state }) => state === "draining");
}

function refusedByListener(
  { gauge, maxConnections }: ListenerSnapshot,
  state: ServedState,
): OutcomeName | undefined {
  if (isDraining(state)) return "shutdown";
  const isFull = maxConnections > 0 && new ConnectionGauge(gauge).active >= maxConnections;
  return isFull ? "too_many_connections" : undefined;
}

/** The limits with the memory in which workers count. */
function gatesOf(snapshot: FirewallSnapshot, geoip: GeoIp | undefined): Gates {
  const { rules, rateLimit, sources } = snapshot;
  const { ipv6Prefix = 64, siteFactor = 0, connections } = sources ?? {};
  return {
    firewall: createFirewall(rules, geoip),
    rateLimiter: rateLimit && createRateLimiter({ ...rateLimit, ipv6Prefix, siteFactor }),
    connectionLimiter: connections && createConnectionLimiter({ ...connections, ipv6Prefix }),
  };
}

/** The stored rule behind one that decided. */
function ruleOf<K extends string>(
  { database }: ServedState,
  key: K,
  rule: FirewallRule | undefined,
): { readonly [P in K]?: StoredRule } {
  const stored = rule && database.rules.get(rule.id);
  return stored === undefined ? {} : { [key]: stored } as { readonly [P in K]: StoredRule };
}

function* explainOpinion(
  { refusal, allowedBy, rate, skipsRateLimit, open }: Opinion,
  { client, country }: { readonly client: string; readonly country: string | undefined },
): Generator<string> {
  const from = country === undefined ? "" : ` (${country})`;
  if (allowedBy !== undefined) {
    const { id, type, value } = allowedBy;
    yield `firewall: rule #${id} (${type} ${value}) allows ${client}${from}`;
  }
  if (refusal?.outcome === "blocked") {
    const { id, type, value } = refusal.rule;
    yield `firewall: rule #${id} (${type} ${value}) blocks ${client}`;
    return;
  }
  if (allowedBy === undefined) yield `firewall: no rule blocks ${client}${from}`;
  if (rate !== undefined) {
    const over = refusal?.outcome === "rate_limited" ? ": over it" : "";
    const window = rate.endsInMs === 0
      ? "no window is open"
      : `the window ends in ${formatSeconds(rate.endsInMs)}`;
    yield `rate limit: ${rate.count} of at most ${rate.limit} new connections, ${window}${over}`;
  } else if (skipsRateLimit === true) {
    yield "rate limit: does not hold for this client";
  }
  if (open !== undefined) {
    yield `connections: ${open.count} of at most ${open.limit} are open from there`;
  }
}

function explainRoute(
  { listener, sni, path, ip }: {
    readonly path: string;
    readonly listener: ListenerSnapshot;
    readonly sni: string;
    readonly ip: IpAddress;
  },
  { state, geoip, board, files, nowMs }: ExplainContext,
  steps: string[],
): Pick<Explanation, "verdict" | "outcome" | "route"> {
  const name = parseHostname(sni);
  const table = state.table(listener.id);
  const nameless = sni === "" && table !== undefined ? namelessRoute(table) : undefined;
  if (!name.ok && nameless === undefined) {
    steps.push(
      sni === "" ? "server name: the ClientHello has none" : `server name: ${name.reason}`,
    );
    return { verdict: "block", outcome: sni === "" ? "no_server_name" : "hello_invalid" };
  }
  const asked = name.ok ? name.value : "a client that names nobody";
  const route = name.ok ? table?.match(name.value) : nameless;
  if (route === undefined) {
    steps.push(`route: none for ${asked}`);
    return { verdict: "block", outcome: "no_route" };
  }
  steps.push(routeWords(route, asked), ...files.explain(route));
  const list = compileAllowList(route, geoip);
  if (list !== undefined) {
    const entry = list.find(ip);
    const says = entry === undefined
      ? "names others, and not this client"
      : `names it: ${entry.type} ${entry.value}`;
    steps.push(`route: who may use it ${says}`);
    if (entry === undefined) return { verdict: "block", outcome: "not_allowed", route };
  }
  const limits = explainRouteLimits(route, ip, nowMs);
  steps.push(...limits.steps);
  if (limits.outcome !== undefined) return { verdict: "block", outcome: limits.outcome, route };
  steps.push(...explainRequests(route, path));
  if (route.mode === "mtls" && route.backend !== "") {
    steps.push(
      'authoriser: a host is where its row says, or where the route leads if it says "route"',
    );
  }
  const way = route.maintenance === true ? undefined : wayOf(route, path);
  if (way !== undefined) steps.push(...explainBackends(way, ip, { board, nowMs }));
  return { verdict: "allow", route };
}

/** What becomes of the requests of an l7 route, in the order in which they meet it. */
function* explainRequests(route: Route, path: string): Generator<string> {
  if (route.mode !== "l7") return;
  if (route.maintenance === true) {
    yield "maintenance: every request is answered 503";
    return;
  }
  if (route.rate?.requests !== undefined) {
    const { requests, perMs } = route.rate;
    yield `rate limit: ${requests} requests of a client in ${formatDuration(perMs)}; more are ` +
      "answered 429";
  }
  for (const { type, value } of route.policies ?? []) {
    yield `policy: requests have to pass ${type} ${JSON.stringify(value)}, or are answered 403`;
  }
  const { paths = [] } = route;
  const taken = paths.length > 0 && path !== "" ? explainPath(paths, path) : undefined;
  if (taken !== undefined) yield taken.words;
  else if (paths.length > 0) yield `paths: ${paths.length} lead elsewhere or are answered here`;
  if (taken?.isEnd === true) return;
  if (route.basicAuth !== undefined && taken?.skipsAuth !== true) {
    yield `basic_auth: requests need the password of one of ${route.basicAuth.users.length} users`;
  }
  if (route.forwardAuth !== undefined && taken?.skipsAuth !== true) {
    yield `forward_auth: ${route.forwardAuth.url} is asked whether a request may pass`;
  }
  if (route.respond !== undefined) {
    yield `respond: every request is answered ${route.respond.status}, and no backend is asked`;
  }
}

function routeWords(route: Route, name: string): string {
  const how = howMatched(route, name);
  const nowhere = route.mode === "l7" ? "a fixed answer" : "the host that the authoriser names";
  const backend = route.backend === "" || route.mode === "mtls" ? nowhere : route.backend;
  const about = route.description === undefined ? "" : `: ${route.description}`;
  return `route: ${how} takes ${name} to ${backend} (${route.mode})${about}`;
}

function howMatched({ hostname, isDefault = false }: Route, name: string): string {
  if (hostname === name) return "the exact name";
  // What a wildcard is for ends in what follows its star.
  if (hostname.startsWith("*.") && name.endsWith(hostname.slice(1))) {
    return `the wildcard ${hostname}`;
  }
  return isDefault ? `the default route ${hostname}` : `the wildcard ${hostname}`;
}

/** Rounded up: whoever waits that long is let in. */
function formatSeconds(ms: number): string {
  return formatDuration(Math.ceil(ms / 1000) * 1000);
}
