import { MAX_CONNECTIONS, MAX_ROUTES } from "./limits.ts";
import { type Endpoint, endpointsOverlap, parseListenEndpoint } from "../addr/mod.ts";
import {
  boolean,
  field,
  formatKeyPath,
  integer,
  type KeyPath,
  list,
  oneOf,
  type Place,
  quote,
  record,
  records,
  type Report,
  type ValueOf,
} from "../schema/mod.ts";
import { ipOrCidr, listenAddress } from "./address.ts";
import { ROUTE } from "./route.ts";

const MAX_TRUSTED_PROXIES = 1000;

/**
 * What a listener accepts: TLS, whose server name finds a route, or plain HTTP, which is sent to
 * `https` and answers the authority's http-01.
 */
export const LISTENER_KINDS = ["tls", "redirect"] as const;

/** One of {@link LISTENER_KINDS}. */
export type ListenerKind = typeof LISTENER_KINDS[number];

/** An address to accept connections at, with everything on it. */
export const LISTENER = record({
  addr: field("addr", listenAddress(), {
    required: true,
    doc: 'Where to listen. `":443"` is every IPv4 and IPv6 address. Port 0 is any free port.',
  }),
  proxyProtocol: field("proxy_protocol", boolean(), {
    default: false,
    doc: "Connections begin with a PROXY protocol header, v1 or v2. Those that do not are reset. " +
      "When `false` a header is never looked for.",
    flag: { about: "connections begin with a PROXY header" },
  }),
  maxConnections: field("max_connections", integer({ min: 0, max: MAX_CONNECTIONS }), {
    default: 0,
    doc: "Connections open at one time; more wait in the kernel's queue. 0: no limit.",
    flag: { value: "n", about: "connections at one time; 0: no limit" },
  }),
  trustedProxies: field("trusted_proxies", list(ipOrCidr(), { maxLength: MAX_TRUSTED_PROXIES }), {
    default: [],
    doc: "The peers that may send a PROXY protocol header; connections of others are reset. " +
      "Empty: any peer. Needs `proxy_protocol`.",
    flag: {
      name: "trusted-proxy",
      value: "block",
      about: "who may send PROXY headers; may be repeated",
    },
  }),
  kind: field("kind", oneOf(...LISTENER_KINDS), {
    optional: true,
    absent: "tls",
    since: 17,
    doc: "`tls`, which is also what an absent key means, finds a route by the server name of a " +
      "TLS ClientHello. `redirect`, usually at port 80, speaks plain HTTP/1.1: it sends each " +
      "request for a name that an `l7` route of another listener takes to `https` (308, the " +
      "target as it came), shows an authority the proofs of `http-01`, and resets connections " +
      "for every other name. It has no routes.",
    flag: { value: "kind", about: "tls, which is the default, or redirect (plain HTTP to https)" },
  }),
  redirectPort: field("redirect_port", integer({ min: 0, max: 65_535 }), {
    optional: true,
    absent: 0,
    since: 17,
    doc:
      "Of `redirect`: the port that clients are sent to, where another one leads to this proxy " +
      "than it listens at. 0, which is also what an absent key means: 443 if a listener there has " +
      "an `l7` route for the name, else the lowest port of those that have.",
    flag: { value: "port", about: "of redirect: the port of https; default: the listener's" },
  }),
  routes: field("routes", records(ROUTE, { maxLength: MAX_ROUTES }), {
    default: [],
    apart: true,
    doc: "A hostname and where its connections go.",
  }),
}, { rule: checkListener });

/** A listener with its routes. */
export type Listener = ValueOf<typeof LISTENER>;

interface Checked {
  readonly kind?: ListenerKind;
  readonly routes: readonly { readonly hostname: string; readonly isDefault?: boolean }[];
}

function checkListener(listener: Checked, place: Place): undefined {
  if (listener.kind === "redirect" && listener.routes.length > 0) {
    place.report.problem([...place.path, "routes"], NO_ROUTES_OF_REDIRECT);
  }
  refuseSecondDefault(listener, place);
}

/** Which of two default routes is taken must not depend on their order. */
function refuseSecondDefault({ routes }: Checked, { path, report }: Place): void {
  const [first, ...others] = [...routes.keys()].filter((i) => routes[i]?.isDefault === true);
  for (const i of others) {
    const at = formatKeyPath([...path, "routes", first ?? 0]);
    report.problem([...path, "routes", i, "default"], `repeats that of ${at}`);
  }
}

/** What a listener says of itself. */
export type ListenerSettings = Omit<Listener, "routes">;

/** Whether a listener speaks plain HTTP and has no routes. */
export function isRedirect({ kind }: Pick<Listener, "kind">): boolean {
  return kind === "redirect";
}

/** Why a listener that redirects has no route of its own. */
export const NO_ROUTES_OF_REDIRECT =
  'a listener of the kind "redirect" has none: it sends to those of the others';

/** Says which of some addresses belong to one that is named before, in whole or in part. */
export function refuseOverlaps(
  addresses: Iterable<readonly [path: KeyPath, addr: string]>,
  report: Report,
): void {
  const seen: { path: KeyPath; addr: string; endpoint: Endpoint }[] = [];
  for (const [path, addr] of addresses) {
    const endpoint = parseListenEndpoint(addr);
    // Already reported, or a Unix socket.
    if (!endpoint.ok) continue;
    const other = seen.find((earlier) => endpointsOverlap(earlier.endpoint, endpoint.value));
    if (other !== undefined) {
      const verb = other.addr === addr ? "repeats" : "overlaps";
      const where = other.addr === addr ? "" : ` ${quote(other.addr)}`;
      report.problem(path, `${quote(addr)} ${verb} ${formatKeyPath(other.path)}${where}`);
    }
    seen.push({ path, addr, endpoint: endpoint.value });
  }
}
