/**
 * A name server's numbers, of which none is missing.
 *
 * @module
 */
import type { McnsMetricsSource } from "../../lib/cli/mcns_metrics.ts";
import { DNS_COUNTER_NAMES, DnsCounters } from "../../lib/dns_server/mod.ts";

const HOST = "192.0.2.53";

/** One address, which forwards and signs, and one secondary zone. */
export function busyMcns(): McnsMetricsSource {
  const counters = new DnsCounters();
  for (const [i, name] of DNS_COUNTER_NAMES.entries()) counters.set(name, i + 1);
  const upstream = {
    ...{ hostname: "2001:db8::1", port: 53, isUp: true, keepsCase: true },
    ...{ questions: 7, failures: 1, answers: 6, answerMs: 1500, strangeDatagrams: 2 },
  };
  const forward = {
    counts: {
      ...{ hits: 10, misses: 5, joined: 2, stale: 1, failures: 3, refused: 4, busy: 6, loops: 8 },
    },
    ...{ cache: { entries: 9, octets: 4096 }, waiting: 11, questions: 12 },
    // Of two zones: whether it answers is the same.
    zones: ["\0", "\x04corp\0"].map((zone) => ({ zone, upstreams: [upstream] })),
  };
  const kept = { entries: 20, octets: 2000 };
  return {
    version: "1.2.3",
    status: () => [{
      address: { host: HOST, port: 53 },
      ...{ state: "serving", port: 53, tlsPort: 853, restarts: 1, counters },
    }],
    zones: () => 3,
    stored: () => ({ records: 30, revision: 40 }),
    isHealthy: () => true,
    lostLines: () => 0,
    servers: () =>
      Promise.resolve([{
        host: HOST,
        status: { forward, signer: { made: 50, signatures: kept, denials: kept } },
      }]),
    exchanges: {
      follow: () => ({
        transfers: { whole: 1, steps: 2, failed: 3 },
        notifies: { believed: 4, refused: 5 },
      }),
      desk: () => ({
        updates: new Map([[0, 6], [5, 7], [23, 8]]),
        notifies: { heard: 9, silent: 10 },
      }),
      secondaries: () => [{
        ...{ name: "z.example.", serial: 7 },
        state: {
          ...{ isExpired: false, failures: 2, lastError: "it is silent" },
          ...{ refreshedAt: 1_000_000, expiresAt: 2_000_000, nextAt: 1_500_000 },
        },
      }, {
        ...{ name: "new.example.", serial: 0 },
        state: { isExpired: false, failures: 1, lastError: "" },
      }],
    },
  };
}
