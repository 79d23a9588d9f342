import { Registry } from "prom-client";
import type { AddressStatus, DnsCounterName } from "../dns_server/mod.ts";
import { Families } from "../metrics/mod.ts";
import { addExchangeFamilies, type ExchangesSource } from "./mcns_metrics_exchanges.ts";
import { addWorkerFamilies, type WorkerSample } from "./mcns_metrics_workers.ts";

/** What the metrics are read from, anew for each scrape. */
export interface McnsMetricsSource {
  readonly version: string;
  readonly status: () => readonly AddressStatus[];
  readonly zones: () => number;
  /** How much the database holds. */
  readonly stored: () => { readonly records: number; readonly revision: number };
  readonly isHealthy: () => boolean;
  readonly lostLines: () => number;
  /** What each worker says of itself. */
  readonly servers: () => Promise<readonly WorkerSample[]>;
  readonly exchanges: ExchangesSource;
}

const CODES = [
  ["code_0", "NOERROR"],
  ["code_1", "FORMERR"],
  ["code_2", "SERVFAIL"],
  ["code_3", "NXDOMAIN"],
  ["code_4", "NOTIMP"],
  ["code_5", "REFUSED"],
  ["code_6", "YXDOMAIN"],
  ["code_other", "other"],
] as const;

/** Counters that are metrics as they are: what they are called, and what they mean. */
const PLAIN: readonly (readonly [DnsCounterName, string, string])[] = [
  ["ignored", "ignored_total", "Messages that were no questions, or came from where none come."],
  ["truncated", "truncated_total", "Answers that did not fit into a datagram."],
  ["rate_dropped", "rate_dropped_total", "Answers that the rate limit has left out."],
  ["rate_slipped", "rate_slipped_total", "Answers over the rate limit that were cut."],
  ["cookies_valid", "cookies_valid_total", "Questions with a cookie of ours."],
  ["cookies_unknown", "cookies_unknown_total", "Questions with another cookie, or a new client's."],
  ["forwarded", "forwarded_total", "Questions that were for others to answer."],
  ["transfers_sent", "transfers_sent_total", "Zones that were given away, whole or what changed."],
  ["transfers_refused", "transfers_refused_total", "Zones that were asked for and not given."],
  ["connections_opened", "connections_total", "Connections that were accepted."],
  ["connections_refused", "connections_refused_total", "Connections over what a source may."],
  [
    "connections_displaced",
    "connections_displaced_total",
    "Connections that gave way to newer ones.",
  ],
  ["connections_cut", "connections_cut_total", "Connections that were cut: silent, or displaced."],
  ["send_failures", "send_failures_total", "Datagrams that the system did not send."],
  ["faults", "faults_total", "Questions that failed for a mistake of the program."],
];

/** Every metric of the name server, in Prometheus' text format. */
export class McnsMetrics {
  readonly contentType = Registry.PROMETHEUS_CONTENT_TYPE;
  readonly #registry = new Registry();
  readonly #servers: McnsMetricsSource["servers"];
  #samples: readonly WorkerSample[] = [];

  constructor(source: McnsMetricsSource) {
    const { version, status, zones, stored, isHealthy, lostLines } = source;
    this.#servers = source.servers;
    const families = new Families(this.#registry);
    addWorkerFamilies(families, () => this.#samples);
    addExchangeFamilies(families, source.exchanges);
    const byAddress = (read: (status: AddressStatus) => number) =>
      status().map((own) => [{ address: own.address.host }, read(own)] as const);
    families.counter(
      {
        name: "mcns_messages_total",
        help: "Messages that came.",
        labels: ["address", "transport"],
      },
      () =>
        status().flatMap(({ address: { host: address }, counters }) =>
          (["udp", "tcp", "tls"] as const).map((transport) =>
            [{ address, transport }, counters.get(`${transport}_messages`)] as const
          )
        ),
    );
    families.counter(
      {
        name: "mcns_answers_total",
        help: "Answers, by their code.",
        labels: ["address", "code"],
      },
      () =>
        status().flatMap(({ address: { host: address }, counters }) =>
          CODES.map(([name, code]) => [{ address, code }, counters.get(name)] as const)
        ),
    );
    for (const [name, suffix, help] of PLAIN) {
      families.counter(
        { name: `mcns_${suffix}`, help, labels: ["address"] },
        () => byAddress(({ counters }) => counters.get(name)),
      );
    }
    families.gauge({
      name: "mcns_connections",
      help: "Connections that are open.",
      labels: ["address"],
    }, () => byAddress(({ counters }) => counters.get("connections_open")));
    families.gauge({
      name: "mcns_serving",
      help: "Whether an address is served: 1, or 0 while its worker is replaced.",
      labels: ["address"],
    }, () => byAddress(({ state }) => Number(state === "serving")));
    families.counter({
      name: "mcns_worker_restarts_total",
      help: "Workers that died and were replaced.",
      labels: ["address"],
    }, () => byAddress(({ restarts }) => restarts));
    families.gauge(
      { name: "mcns_zones", help: "Zones that are served." },
      () => [[{}, zones()]],
    );
    families.gauge(
      { name: "mcns_records", help: "Records of the database." },
      () => [[{}, stored().records]],
    );
    families.counter(
      { name: "mcns_changes_total", help: "Changes in the audit log." },
      () => [[{}, stored().revision]],
    );
    families.gauge(
      { name: "mcns_healthy", help: "Whether nothing is wrong: 1, or 0." },
      () => [[{}, Number(isHealthy())]],
    );
    families.counter({
      name: "mcns_log_lines_lost_total",
      help: "Log lines that could not be written, or not in time.",
    }, () => [[{}, lostLines()]]);
    families.gauge({
      name: "mcns_build_info",
      help: "Always 1; the labels say what runs.",
      labels: ["version", "deno"],
    }, () => [[{ version, deno: Deno.version.deno }, 1]]);
    families.gauge({
      name: "process_resident_memory_bytes",
      help: "Memory of the process that is in RAM.",
    }, () => [[{}, Deno.memoryUsage().rss]]);
  }

  /** The text of one scrape. */
  async render(): Promise<string> {
    this.#samples = await this.#servers();
    return await this.#registry.metrics();
  }
}
