import type { RuleType } from "../firewall/mod.ts";
import { MAX_POLICIES, MAX_ROUTE_SOURCES } from "./limits.ts";
import {
  boolean,
  field,
  type Kind,
  list,
  oneOf,
  type Place,
  prose,
  record,
  records,
  type ValueOf,
} from "../schema/mod.ts";
import { type Backend, BALANCING, checkBackends } from "./backend.ts";
import { backendAddress, hostname, hostPattern } from "./address.ts";
import { ACME, checkDefault, EDGE, type Edge } from "./edge.ts";
import { stateFile } from "./named_file.ts";
import { refuseRepeatedPaths } from "./path.ts";
import { POLICY, type Policy } from "./policy.ts";
import { ruleValue } from "./rule.ts";

/** Every {@link Mode}. */
export const MODES = ["l4", "l7", "mtls"] as const;

/**
 * How a connection is handled: relayed without touching its TLS (`l4`), terminated and proxied as
 * HTTP (`l7`), or terminated with a client certificate and authorised (`mtls`).
 */
export type Mode = typeof MODES[number];

/** What the backend of an l7 route may be said to speak; `auto`: it is found out. */
const BACKEND_PROTOCOLS = ["auto", "h2", "http1"] as const;

/** In characters. */
const MAX_DESCRIPTION = 256;

const L7 = ["l7"] as const;
const TERMINATED = ["l7", "mtls"] as const;

/**
 * Where the connections for one hostname go. **To add a setting**: an entry here, `optional` and
 * with the version of the schema that it comes `since`, a line in the messages `Route` and
 * `AddRouteRequest` of the protocol, and the code that uses it.
 */
export const ROUTE = record({
  hostname: field("hostname", hostPattern(), {
    required: true,
    doc: "The name that clients ask for (SNI). `*.example.net` stands for every name below " +
      "`example.net`, at any depth, but not for `example.net`. An exact name wins over a " +
      "wildcard, and a longer wildcard over a shorter one. `*` is the hostname of a default route " +
      "without a name of its own, see `default`.",
    title: "HOSTNAME",
  }),
  backend: field("backend", backendAddress(), {
    default: "",
    doc: "Where connections go: an IP address or a name, which is looked up for each connection. " +
      "Required, but with `backends`, and for `mtls` routes, whose authoriser names the host; of " +
      "those it is where hosts are whose row says `route`.",
    title: "BACKEND",
    flag: { value: "host:port", about: "where the connections go" },
  }),
  mode: field("mode", oneOf(...MODES), {
    default: "l4",
    doc: "`l4` relays the octets as they are, TLS and all. `l7` terminates TLS and proxies HTTP. " +
      "`mtls` demands a client certificate and asks a database whether its owner may pass.",
    title: "MODE",
    flag: { value: "mode", about: "relay, terminate TLS, or demand a client certificate" },
  }),
  tlsCert: field("tls_cert", stateFile(), {
    default: "",
    modes: TERMINATED,
    doc: "The certificate chain, PEM, the server's own certificate first. Required for `l7`; it " +
      "must exist and belong to `tls_key` when the program starts. For `mtls` it replaces that " +
      "of the connector. `acme`, which is no file: the authority of `[acme]` issues it, for this " +
      "hostname. `file:` and a name: where `state.local.files` says that it is. Unused for `l4`, " +
      "whose certificate is ordered all the same.",
    title: "CERTIFICATE",
    flag: { value: "path", about: "certificate chain, PEM, on the proxy's machine" },
  }),
  tlsKey: field("tls_key", stateFile(), {
    default: "",
    modes: TERMINATED,
    doc:
      "The private key, PEM, not encrypted. Required for `l7`, unless `tls_cert` is `acme`. Unused " +
      "for `l4`.",
    flag: { value: "path", about: "private key, PEM, on the proxy's machine" },
  }),
  backendTls: field("backend_tls", boolean(), {
    default: false,
    modes: L7,
    doc: "Speak TLS to the backend of an `l7` route. Ignored for `l4`.",
    title: "TLS",
    flag: {
      about: "speak TLS to the backend of an l7 route",
      off: "speak plain text to the backend",
    },
  }),
  sendProxyProtocol: field("send_proxy_protocol", boolean(), {
    default: false,
    doc: "Begin each connection to the backend with a PROXY protocol v2 header that holds the " +
      "client's address. An `l7` route then opens connections for each client of its own.",
    title: "PROXY",
    flag: {
      about: "begin connections to the backend with a PROXY v2 header",
      off: "send no PROXY header to the backend",
    },
  }),
  backendProtocol: field("backend_protocol", oneOf(...BACKEND_PROTOCOLS), {
    optional: true,
    absent: "auto",
    modes: L7,
    doc: "What the backend of an `l7` route speaks. `auto`, which is also what an absent key " +
      "means, tries HTTP/2 and goes over to HTTP/1.1 if the backend does not speak it.",
    flag: { value: "protocol", about: "what the backend of an l7 route speaks" },
  }),
  backendTlsVerify: field("backend_tls_verify", boolean(), {
    optional: true,
    absent: false,
    modes: L7,
    doc: "Check the certificate of a backend with `backend_tls`. Off by default: the operator " +
      "names the address, and backends inside a private network rarely have a public certificate.",
    flag: {
      about: "check the certificate of the backend of an l7 route",
      off: "take any certificate of the backend",
    },
  }),
  backendCa: field("backend_ca", stateFile(), {
    optional: true,
    absent: "",
    modes: L7,
    doc: "The authorities to check it against, PEM. Absent: those of the system.",
    flag: { value: "path", about: "authorities to check it against, PEM; default: the system's" },
  }),
  backendServerName: field("backend_server_name", hostname(), {
    optional: true,
    absent: "",
    modes: L7,
    doc: "The name to ask the backend for (SNI) and to check. Absent: the host of `backend`.",
    flag: { value: "name", about: "name to check it against; default: the backend's host" },
  }),
  description: field("description", prose({ maxLength: MAX_DESCRIPTION }), {
    optional: true,
    absent: "",
    since: 11,
    doc: "What the route is for, or whom to ask, for people. `explain` and the lists show it.",
    title: "DESCRIPTION",
    flag: { value: "text", about: "what the route is for, for people" },
  }),
  allowedIps: field("allowed_ips", allowed("ip"), {
    optional: true,
    absent: [],
    since: 12,
    doc:
      "Who may use the route. With an entry here, in `allowed_cidrs` or in `allowed_countries` " +
      "connections of everybody else are reset before TLS. The rules of the firewall come first, " +
      "and hold for these too.",
    flag: { name: "allowed-ip", value: "ip", about: "only these may; may be repeated" },
  }),
  allowedCidrs: field("allowed_cidrs", allowed("cidr"), {
    optional: true,
    absent: [],
    since: 12,
    doc: "See `allowed_ips`.",
    flag: { name: "allowed-cidr", value: "block", about: "only these may; may be repeated" },
  }),
  allowedCountries: field("allowed_countries", allowed("country"), {
    optional: true,
    absent: [],
    since: 12,
    doc: "See `allowed_ips`. Needs `firewall.geoip_db`.",
    flag: { name: "allowed-country", value: "code", about: "only these may; may be repeated" },
  }),
  ...BALANCING,
  ...EDGE,
  policies: field("policies", records(POLICY, { maxLength: MAX_POLICIES }), {
    optional: true,
    absent: [],
    apart: true,
    modes: L7,
    doc: "What requests of an `l7` route have to pass; others are answered 403. They seed the " +
      "database.",
  }),
}, { identity: ["hostname"], rule: checkRoute });

/** A route before the database gives it an id. */
export type RouteSettings = ValueOf<typeof ROUTE>;

/** A route as it is served. */
export interface Route extends Omit<RouteSettings, "policies"> {
  /** The database's row id. */
  readonly id: number;
  /** l7: what each request has to pass, in order. */
  readonly policies?: readonly (Policy & { readonly id: number })[];
  /** What all workers count in for it; the control plane makes it. */
  readonly memory?: RouteMemory | undefined;
  /** Of a route as one of its paths has it: see `pathRoute()`. */
  readonly pathName?: string | undefined;
}

/** Memory that all workers share, for what a route limits. */
export interface RouteMemory {
  /** `Permits` (lib/observe), for `max_connections`. */
  readonly connections?: SharedArrayBuffer;
  /** Of `createRateLimiter` (lib/firewall), for `rate_limit`. */
  readonly connectionRate?: SharedArrayBuffer;
  readonly requestRate?: SharedArrayBuffer;
  /** Likewise, for wrong passwords. */
  readonly guesses?: SharedArrayBuffer;
}

/** Those that may use a route. */
function allowed(type: RuleType): Kind<readonly string[]> {
  return list(ruleValue(type), { maxLength: MAX_ROUTE_SOURCES });
}

interface Checked extends Edge {
  readonly mode: string;
  readonly backend: string;
  readonly backends?: readonly Backend[];
  readonly tlsCert: string;
  readonly tlsKey: string;
}

/** What takes several fields. */
function checkRoute(route: Checked, place: Place) {
  const balanced = checkBackends(route, place);
  checkMode({ ...route, ...balanced }, place);
  return balanced;
}

/** What a mode needs. */
function checkMode(route: Checked, { path, report }: Place) {
  const { mode, backend, tlsCert, tlsKey } = route;
  const need = (key: string, message: string) => {
    const at = [...path, key];
    // A refused value counts as given.
    if (!report.hasProblem(at)) report.problem(at, message);
  };
  checkDefault(route, need);
  refuseRepeatedPaths(route.paths ?? [], { path, report });
  if (mode !== "l7" && (route.rate?.requests ?? 0) > 0) {
    need("rate_limit", 'is invalid: requests need mode = "l7"');
  }
  // The authoriser of an mtls route names the host.
  const answers = route.respond !== undefined || (route.paths ?? []).length > 0;
  const needsBackend = mode === "l4" || (mode === "l7" && !answers);
  if (backend === "" && needsBackend) need("backend", "is missing");
  if (mode === "l4" || (mode === "mtls" && tlsCert === "" && tlsKey === "")) return undefined;
  if (tlsCert === ACME) {
    if (tlsKey !== "") need("tls_key", 'is too much: with tls_cert = "acme" the key is made here');
    return undefined;
  }
  const why = mode === "l7" ? 'mode = "l7" needs it' : "the other half is given";
  if (tlsCert === "") need("tls_cert", `is missing: ${why}`);
  if (tlsKey === "") need("tls_key", `is missing: ${why}`);
}
