const REFUSED_BEFORE_ROUTING = [
  "too_many_connections",
  "no_descriptors",
  "proxy_untrusted",
  "proxy_invalid",
  "proxy_timeout",
  "blocked",
  "rate_limited",
  "too_many_from_source",
  "overloaded",
] as const;

/** While the ClientHello was read, or by the routes. */
const REFUSED_BY_HELLO = [
  "hello_invalid",
  "hello_timeout",
  "no_server_name",
  "no_route",
  // The route names who may use it, and not this client.
  "not_allowed",
  "mode_unavailable",
] as const;

/** Where TLS ends here (l7, mtls). */
const REFUSED_BY_TLS = ["tls_failed", "tls_timeout"] as const;

/** On a listener of plain HTTP: no request of HTTP/1.1 that could be answered, or none in time. */
const REFUSED_BY_HTTP = ["request_refused", "request_timeout"] as const;

/** The connector's verdicts (mtls). */
const REFUSED_BY_CONNECTOR = [
  "certificate_refused",
  "not_authorized",
  "destination_refused",
] as const;

/**
 * How a connection can end. The names are stable: they appear in logs, counters and metrics.
 * Grouped by the step of the connection's path that decides.
 */
export const OUTCOMES = [
  // The stream was relayed until both sides had finished, or one of them broke off.
  "relayed",
  "client_reset",
  "backend_reset",
  "idle_timeout",
  ...REFUSED_BEFORE_ROUTING,
  ...REFUSED_BY_HELLO,
  // The client went away before it had said where to.
  "client_gone",
  // The backend could not be reached.
  "backend_unreachable",
  "backend_timeout",
  // Every backend had as many connections as it may, and no place came free in time.
  "backend_full",
  ...REFUSED_BY_TLS,
  // A listener that redirects: it was sent to https.
  "redirected",
  ...REFUSED_BY_HTTP,
  // A certificate authority's look at a name that is being proved.
  "acme_proved",
  "acme_failed",
  ...REFUSED_BY_CONNECTOR,
  // A session whose authorisation was taken back.
  "authorization_revoked",
  // Cut by us.
  "shutdown",
  "closed_by_operator",
  "internal_error",
] as const;

/** Outcomes of connections that were refused: what was done to them, and not what they did. */
const REFUSALS: ReadonlySet<OutcomeName> = new Set<OutcomeName>([
  ...REFUSED_BEFORE_ROUTING,
  ...REFUSED_BY_HELLO,
  ...REFUSED_BY_TLS,
  ...REFUSED_BY_HTTP,
  "acme_failed",
  ...REFUSED_BY_CONNECTOR,
]);

/** Whether a connection that ended so was refused. */
export function isRefusal(outcome: OutcomeName): boolean {
  return REFUSALS.has(outcome);
}

/**
 * How a backend served: a connection of l4 or mtls, a request of l7. The first one is good. The names
 * are stable, as those of {@link OUTCOMES} are.
 */
export const BACKEND_OUTCOMES = [
  "ok",
  // It could not be reached, or not in time; l7: or it did not answer in time.
  "backend_unreachable",
  "backend_timeout",
  // It broke off.
  "backend_reset",
  // l7: its answer cannot be passed on.
  "backend_invalid",
  // l7: all connections that it may have are in use.
  "backend_busy",
  // Every backend has as many as the route allows.
  "backend_full",
] as const;

/** Stands for the backend where none of several had room. */
export const ALL_BACKENDS = "(all)";

/** One of {@link BACKEND_OUTCOMES}. */
export type BackendOutcome = typeof BACKEND_OUTCOMES[number];

/** One of {@link OUTCOMES}. */
export type OutcomeName = typeof OUTCOMES[number];

/** The modes of routes, and `none` for connections that did not get as far as a route. */
export const COUNTED_MODES = ["none", "l4", "l7", "mtls"] as const;

/** One of {@link COUNTED_MODES}. */
export type CountedMode = typeof COUNTED_MODES[number];

/** What one place logs, counts and shows of one connection when it has ended. */
export interface ConnectionEvent {
  /** Unique in this run of the process; the same id is sent to l7 backends. */
  readonly id: string;
  /** The listener's address as configured. */
  readonly listener: string;
  /** The TCP peer, `ip:port`. */
  readonly peer: string;
  /** The real client, `ip:port`: from the PROXY header, or the peer. */
  readonly client: string;
  /** The server name asked for, canonical; on a listener that redirects, that of the request. */
  readonly sni?: string;
  /** The hostname (or wildcard) of the route that matched. */
  readonly route?: string;
  readonly mode?: Exclude<CountedMode, "none">;
  readonly backend?: string;
  /** The firewall rule that blocked, as `type value (#id)`. */
  readonly rule?: string;
  /** The identity behind an mtls session: `org/user`. */
  readonly identity?: string;
  /** The host that an mtls client asked for, its `connect_id`. */
  readonly host?: string;
  readonly outcome: OutcomeName;
  /** One line on why, for people; never octets of the peer. */
  readonly reason?: string;
  /** Octets from the client, relayed to the backend (l7, mtls: decrypted). */
  readonly bytesIn: number;
  /** Octets from the backend, relayed to the client. */
  readonly bytesOut: number;
  /** From accept to end. */
  readonly durationMs: number;
}
