import { HITTER_WEIGHTS } from "../hitters/mod.ts";
import {
  ConnectionGauge,
  type HistogramName,
  type HistogramValue,
  type ModeCounts,
} from "../observe/mod.ts";
import type { Families } from "./families.ts";
import type { MetricsSource } from "./source.ts";

/** Outcomes that say something about backends. */
const BACKEND_ERRORS: ReadonlySet<string> = new Set([
  "backend_unreachable",
  "backend_timeout",
  "backend_reset",
]);

/** The histogram of each mode's durations. */
const DURATIONS = [
  ["none", "connection_none"],
  ["l4", "connection_l4"],
  ["l7", "connection_l7"],
  ["mtls", "connection_mtls"],
] as const satisfies readonly (readonly [string, HistogramName])[];

/** The address of a listener and its counts by mode. */
type Counted = readonly [listener: string, modes: readonly ModeCounts[]];

/** What listeners and connections do. Labels: listeners, modes and outcomes, nothing of clients. */
export function addConnectionMetrics(families: Families, source: MetricsSource): void {
  addListeners(families, source);
  addOutcomes(families, () => {
    const workers = source.status().workers.length;
    return source.listeners().map(({ addr, gauge }) => [
      addr,
      new ConnectionGauge(gauge).counts.read(workers),
    ]);
  });
  families.counter({
    name: "mc_proxy_blocked_connections_total",
    help: "Connections that a firewall rule or the rate limit refused, by the type of the rule.",
    labels: ["rule"],
  }, () => {
    const { counters } = source.status();
    return [
      [{ rule: "ip" }, counters.blocked_ip],
      [{ rule: "cidr" }, counters.blocked_cidr],
      [{ rule: "country" }, counters.blocked_country],
      [{ rule: "rate_limit" }, counters.rate_limited],
    ];
  });
  families.gauge({
    name: "mc_proxy_heavy_clients",
    help: "Clients that each made a hundredth or more of what all did in the last ten minutes.",
    labels: ["by"],
  }, () => HITTER_WEIGHTS.map((by) => [{ by }, source.heavyClients(by)]));
  addDurations(families, (name) => source.plane().histograms.get(name));
}

function addListeners(families: Families, { listeners }: MetricsSource): void {
  families.gauge(
    {
      name: "mc_proxy_listener_active_connections",
      help: "Connections that are open now.",
      labels: ["listener"],
    },
    () =>
      listeners().map(({ addr, gauge }) => [{ listener: addr }, new ConnectionGauge(gauge).active]),
  );
  families.gauge({
    name: "mc_proxy_listener_routes",
    help: "Routes of a listener.",
    labels: ["listener"],
  }, () => listeners().map(({ addr, routes }) => [{ listener: addr }, routes.length]));
}

function addOutcomes(families: Families, read: () => Counted[]): void {
  families.counter(
    {
      name: "mc_proxy_connections_total",
      help: "Connections that have ended, by mode of their route and by outcome (see the log).",
      labels: ["listener", "mode", "outcome"],
    },
    () =>
      read().flatMap(([listener, modes]) =>
        modes.flatMap(({ mode, outcomes }) =>
          outcomes.map(([outcome, count]) => [{ listener, mode, outcome }, count] as const)
        )
      ),
  );
  families.counter(
    {
      name: "mc_proxy_bytes_total",
      help:
        "Octets so far, also of connections that are open: in is from clients, out is to them. Of l4 " +
        "those of TCP, of l7 and mtls those inside of TLS, heads and frames included.",
      labels: ["listener", "mode", "direction"],
    },
    () =>
      read().flatMap(([listener, modes]) =>
        modes.flatMap(({ mode, bytesIn, bytesOut }) =>
          [
            [{ listener, mode, direction: "in" }, bytesIn],
            [{ listener, mode, direction: "out" }, bytesOut],
          ] as const
        )
      ),
  );
  families.counter(
    {
      name: "mc_proxy_backend_errors_total",
      help: "Connections that failed at their backend.",
      labels: ["listener", "mode", "error"],
    },
    () =>
      read().flatMap(([listener, modes]) =>
        modes.flatMap(({ mode, outcomes }) =>
          outcomes.filter(([outcome]) => BACKEND_ERRORS.has(outcome))
            .map(([error, count]) => [{ listener, mode, error }, count] as const)
        )
      ),
  );
}

function addDurations(
  families: Families,
  read: (name: HistogramName) => HistogramValue | undefined,
): void {
  families.histogram({
    name: "mc_proxy_connection_duration_seconds",
    help: "From accepting a connection to its end.",
    labels: ["mode"],
  }, () => DURATIONS.flatMap(([mode, name]) => labelled({ mode }, read(name))));
  families.histogram({
    name: "mc_proxy_client_hello_seconds",
    help: "From accepting a connection to the end of its ClientHello.",
  }, () => labelled({}, read("client_hello")));
  families.histogram({
    name: "mc_proxy_tls_handshake_seconds",
    help: "From the ClientHello to the end of the TLS handshake, modes l7 and mtls.",
  }, () => labelled({}, read("tls_handshake")));
  families.histogram({
    name: "mc_proxy_backend_connect_seconds",
    help: "Connecting to a backend, looking up its name included.",
  }, () => labelled({}, read("backend_connect")));
}

function labelled<L>(labels: L, value: HistogramValue | undefined): [L, HistogramValue][] {
  return value === undefined ? [] : [[labels, value]];
}
