import { invalid } from "../queue/mod.ts";
import { formatIp, parseHostname, parseIp } from "../addr/mod.ts";
import type { StoredRule } from "../db/mod.ts";
import type { RateLimit } from "../state/mod.ts";
import { createConnectionLimiter, createFirewall, type GeoIp } from "../firewall/mod.ts";
import type { OutcomeName } from "../observe/mod.ts";
import type { Route } from "../routes/mod.ts";
import type { ServedState } from "./served_state.ts";

/** A connection that has not happened. */
export interface ExplainRequest {
  readonly clientIp: string;
  readonly listenerAddr: string;
  /** Empty: the ClientHello names no server. */
  readonly sni: string;
}

/** What would happen to it, and why. */
export interface Explanation {
  readonly verdict: "allow" | "block";
  /** How it would end if it is refused. */
  readonly outcome?: OutcomeName;
  readonly rule?: StoredRule;
  readonly route?: Route;
  readonly country?: string;
  /** One sentence for each step. */
  readonly steps: readonly string[];
}

/** What {@link explain} looks at. */
export interface ExplainContext {
  readonly state: ServedState;
  readonly geoip: GeoIp | undefined;
  readonly rateLimit: RateLimit;
}

/**
 * Walks the path of a connection with the functions that real connections take, in their order.
 *
 * @throws {RefusedError} if the request cannot be asked.
 */
export function explain(
  { clientIp, listenerAddr, sni }: ExplainRequest,
  { state, geoip, rateLimit }: ExplainContext,
): Explanation {
  const listener = state.listener("listener_addr", listenerAddr);
  const ip = parseIp(clientIp);
  if (clientIp === "") throw invalid("client_ip", "is missing");
  if (!ip.ok) throw invalid("client_ip", ip.reason);
  const client = formatIp(ip.value);
  const country = geoip?.country(ip.value);
  const found = country === undefined ? {} : { country };
  const steps = [
    listener.proxyProtocol
      ? `listener ${listener.addr}: the client's address comes from the PROXY header`
      : `listener ${listener.addr}: the client's address is that of the TCP peer`,
  ];
  const verdict = createFirewall(state.snapshot.firewall.rules, geoip).check(ip.value);
  if (verdict.action === "block") {
    const { id, type, value } = verdict.rule;
    steps.push(`firewall: rule #${id} (${type} ${value}) blocks ${client}`);
    const rule = state.database.rules.get(id);
    return { verdict: "block", outcome: "blocked", ...found, ...rule && { rule }, steps };
  }
  const from = country === undefined ? "" : ` (${country})`;
  steps.push(`firewall: no rule blocks ${client}${from}`);
  if (rateLimit.limit > 0) {
    const { limit, windowMs } = rateLimit;
    steps.push(`rate limit: at most ${limit} new connections in ${windowMs / 1000} s`);
  }
  const { connections, ipv6Prefix = 64 } = state.snapshot.firewall.sources ?? {};
  if (connections !== undefined) {
    const open = createConnectionLimiter({ ...connections, ipv6Prefix }).count(ip.value);
    steps.push(`connections: ${open} of at most ${connections.limit} are open from there`);
  }
  const rest = explainRoute(state, listener.id, sni, steps);
  return { ...rest, ...found, steps };
}

function explainRoute(
  state: ServedState,
  listenerId: number,
  sni: string,
  steps: string[],
): Pick<Explanation, "verdict" | "outcome" | "route"> {
  const name = parseHostname(sni);
  if (!name.ok) {
    steps.push(
      sni === "" ? "server name: the ClientHello has none" : `server name: ${name.reason}`,
    );
    return { verdict: "block", outcome: sni === "" ? "no_server_name" : "hello_invalid" };
  }
  const route = state.table(listenerId)?.match(name.value);
  if (route === undefined) {
    steps.push(`route: none for ${name.value}`);
    return { verdict: "block", outcome: "no_route" };
  }
  const how = route.hostname === name.value ? "the exact name" : `the wildcard ${route.hostname}`;
  const backend = route.backend === "" ? "the host that the authoriser names" : route.backend;
  const about = route.description === undefined ? "" : `: ${route.description}`;
  steps.push(`route: ${how} takes ${name.value} to ${backend} (${route.mode})${about}`);
  return { verdict: "allow", route };
}
