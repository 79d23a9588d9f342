import { formatIp, parseIp } from "../addr/mod.ts";
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
} from "../firewall/mod.ts";
import { ConnectionGauge, type OutcomeName } from "../observe/mod.ts";
import type { FirewallSnapshot, ListenerSnapshot } from "../plane/mod.ts";
import { invalid } from "../queue/mod.ts";
import type { Route } from "../routes/mod.ts";
import { isRedirect } from "../state/mod.ts";
import { explainOpinion } from "./explain_opinion.ts";
import { explainRedirect } from "./explain_redirect.ts";
import { explainRoute } from "./explain_route.ts";
import type { ExplainContext, ExplainRequest, Explanation } from "./explanation.ts";
import { secondsText } from "./seconds_text.ts";
import type { ServedState } from "./served_state.ts";

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
    const left = secondsText(Math.max(0, endsAt - performance.now()));
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
