/** What a server of one address counts, in the order of its cells. */
export const DNS_COUNTER_NAMES = [
  "udp_messages",
  "tcp_messages",
  "tls_messages",
  /** Answers, ports that nobody asks from, and what has no header. */
  "ignored",
  "code_0",
  "code_1",
  "code_2",
  "code_3",
  "code_4",
  "code_5",
  "code_6",
  "code_other",
  "truncated",
  "rate_dropped",
  "rate_slipped",
  "cookies_valid",
  "cookies_unknown",
  "forwarded",
  "transfers_sent",
  "transfers_refused",
  "connections_opened",
  "connections_refused",
  "connections_displaced",
  "connections_cut",
  "connections_open",
  "send_failures",
  "faults",
] as const;

export type DnsCounterName = typeof DNS_COUNTER_NAMES[number];

const CELLS = new Map<string, number>(DNS_COUNTER_NAMES.map((name, i) => [name, i]));

/** Octets of memory behind one {@link DnsCounters}. */
export const DNS_COUNTERS_BYTES = DNS_COUNTER_NAMES.length * Float64Array.BYTES_PER_ELEMENT;

/**
 * Counts in shared memory. One thread writes and others read; aligned 64-bit stores are never seen
 * half-written.
 */
export class DnsCounters {
  readonly #cells: Float64Array;

  constructor(buffer: SharedArrayBuffer = new SharedArrayBuffer(DNS_COUNTERS_BYTES)) {
    this.#cells = new Float64Array(buffer);
  }

  add(name: DnsCounterName, count = 1): void {
    const cell = CELLS.get(name) as number;
    this.#cells[cell] = (this.#cells[cell] as number) + count;
  }

  /** Counts an answer by the code in its header. */
  answered(octets: Uint8Array): void {
    const code = (octets[3] as number) & 15;
    const cell = (CELLS.get("code_0") as number) + Math.min(code, 7);
    this.#cells[cell] = (this.#cells[cell] as number) + 1;
  }

  set(name: DnsCounterName, value: number): void {
    this.#cells[CELLS.get(name) as number] = value;
  }

  get(name: DnsCounterName): number {
    return this.#cells[CELLS.get(name) as number] as number;
  }
}
