import { type IpAddress, parseHostname } from "../addr/mod.ts";
import { compileAllowList } from "../firewall/mod.ts";
import type { ListenerSnapshot } from "../plane/mod.ts";
import { namelessRoute, type Route } from "../routes/mod.ts";
import { explainBackends } from "./explain_backends.ts";
import { explainRouteLimits } from "./explain_limits.ts";
import { wayOf } from "./explain_path.ts";
import { explainRequests } from "./explain_requests.ts";
import type { ExplainContext, Explanation } from "./explanation.ts";

/** Which route takes a name, whether the client may use it, and what becomes of it there. */
export function explainRoute(
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
