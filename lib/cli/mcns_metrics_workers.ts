import { formatEndpoint } from "../addr/mod.ts";
import type { ServerStatus } from "../dns_server/mod.ts";
import type { Families } from "../metrics/mod.ts";

/** What the server of an address says of itself. */
export interface WorkerSample {
  readonly host: string;
  readonly status: ServerStatus;
}

type Forward = NonNullable<ServerStatus["forward"]>;
type Upstream = Forward["zones"][number]["upstreams"][number];

const COUNTERS: readonly (readonly [string, string, (forward: Forward) => number])[] = [
  ["cache_hits", "Questions that were answered from the cache.", ({ counts }) => counts.hits],
  ["cache_misses", "Questions that others had to be asked.", ({ counts }) => counts.misses],
  ["cache_stale", "Questions answered by what had ended (RFC 8767).", ({ counts }) => counts.stale],
  ["forward_joined", "Misses for which the same was being asked.", ({ counts }) => counts.joined],
  ["forward_failures", "Questions that nobody answered.", ({ counts }) => counts.failures],
  ["forward_refused", "Questions for which nobody is asked.", ({ counts }) => counts.refused],
  ["forward_busy", "Questions that too many waited before.", ({ counts }) => counts.busy],
  ["forward_loops", "Questions of ours that came back.", ({ counts }) => counts.loops],
];

const GAUGES: readonly (readonly [string, string, (forward: Forward) => number])[] = [
  ["cache_entries", "Answers that are kept.", ({ cache }) => cache.entries],
  ["cache_bytes", "Memory that they take.", ({ cache }) => cache.octets],
  ["forward_waiting", "Questions of clients that wait.", ({ waiting }) => waiting],
  ["forward_questions", "Questions to upstreams under way.", ({ questions }) => questions],
];

const UPSTREAM_COUNTERS: readonly (readonly [string, string, (own: Upstream) => number])[] = [
  ["questions", "Questions that an upstream was asked.", ({ questions }) => questions],
  ["failures", "Questions that it did not answer.", ({ failures }) => failures],
  ["answers", "Answers that it gave.", ({ answers }) => answers],
  ["answer_seconds", "How long those took together.", ({ answerMs }) => answerMs / 1000],
  ["strange", "Datagrams in the place of an answer.", ({ strangeDatagrams: own }) => own],
];

/** What workers know beside their counters: the cache, upstreams, signatures. */
export function addWorkerFamilies(
  families: Families,
  samples: () => readonly WorkerSample[],
): void {
  const forwards = () =>
    samples().flatMap(({ host: address, status: { forward } }) =>
      forward === undefined ? [] : [{ address, forward }]
    );
  const labels = ["address"] as const;
  for (const [name, help, read] of COUNTERS) {
    families.counter(
      { name: `mcns_${name}_total`, help, labels },
      () => forwards().map(({ address, forward }) => [{ address }, read(forward)]),
    );
  }
  for (const [name, help, read] of GAUGES) {
    families.gauge(
      { name: `mcns_${name}`, help, labels },
      () => forwards().map(({ address, forward }) => [{ address }, read(forward)]),
    );
  }
  const upstreams = () =>
    forwards().flatMap(({ address, forward }) =>
      [...upstreamsOf(forward)].map(([upstream, own]) => ({ labels: { address, upstream }, own }))
    );
  for (const [name, help, read] of UPSTREAM_COUNTERS) {
    families.counter(
      { name: `mcns_upstream_${name}_total`, help, labels: ["address", "upstream"] },
      () => upstreams().map(({ labels, own }) => [labels, read(own)]),
    );
  }
  families.gauge(
    {
      ...{ name: "mcns_upstream_up", labels: ["address", "upstream"] },
      help: "Whether it answered when it was asked last: 1, or 0.",
    },
    () => upstreams().map(({ labels, own }) => [labels, Number(own.isUp)]),
  );
  const signers = () =>
    samples().flatMap(({ host: address, status: { signer } }) =>
      signer === undefined ? [] : [{ address, signer }]
    );
  families.counter(
    { name: "mcns_signatures_total", help: "Signatures of answers that were made.", labels },
    () => signers().map(({ address, signer }) => [{ address }, signer.made]),
  );
  families.gauge(
    { name: "mcns_signatures_kept", help: "Signatures that are used again.", labels },
    () =>
      signers().map(({ address, signer: { signatures, denials } }) => [
        { address },
        signatures.entries + denials.entries,
      ]),
  );
}

/** Each once, however many zones it is for. */
function upstreamsOf({ zones }: Forward): Map<string, Upstream> {
  return new Map(
    zones.flatMap(({ upstreams }) =>
      upstreams.map((own) => [formatEndpoint({ host: own.hostname, port: own.port }), own] as const)
    ),
  );
}
