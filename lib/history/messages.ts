/** A connection as the history keeps it; what is empty is not known. */
export interface PastConnection {
  /** When it ended, in milliseconds since 1970; of several the first. */
  readonly time: number;
  /** The address of the real client. */
  readonly client: string;
  readonly listener: string;
  readonly sni: string;
  readonly route: string;
  readonly backend: string;
  /** What refused it, as `type value (#id)`. */
  readonly rule: string;
  readonly identity: string;
  readonly outcome: string;
  readonly reason: string;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly durationMs: number;
  /** How many that were refused in the same second and alike in all of this it stands for. */
  readonly count: number;
}

/** {@link PastConnection} with its place in the history, which grows with time. */
export interface KeptConnection extends PastConnection {
  readonly id: number;
}

/** Which connections are meant: those for which every given part holds. */
export interface HistoryQuery {
  /** An address or a block. */
  readonly client?: string;
  /** A server name, or `*.` and what it ends with. */
  readonly sni?: string;
  /** Any of these. */
  readonly outcomes?: readonly string[];
  /** Milliseconds since 1970. */
  readonly sinceMs: number;
  /** Only those before this {@link KeptConnection.id}: the last one of the page before. */
  readonly beforeId?: number;
  readonly limit: number;
}

/** A page of the history, the latest first. */
export interface HistoryPage {
  readonly connections: readonly KeptConnection[];
  /** When the oldest connection ended that is kept; absent: none is. */
  readonly oldestMs?: number;
}

/** What one client asked for at one listener over a time. */
export interface PastVisits {
  readonly client: string;
  readonly listener: string;
  readonly sni: string;
  readonly connections: number;
  /** Of these, those that were not refused. */
  readonly served: number;
  /** When the last one ended. */
  readonly lastMs: number;
}

/** Visits in the order of their clients. */
export interface VisitsPage {
  readonly visits: readonly PastVisits[];
  /** The last client of the page; absent: there are no more. */
  readonly next?: string;
}

/** How the history is kept. */
export interface HistorySettings {
  /** Of the database. */
  readonly path: string;
  readonly days: number;
  readonly megabytes: number;
}

/** To the thread of the history. */
export type ToHistory =
  & { readonly id: number }
  & (
    | { readonly type: "open"; readonly settings: HistorySettings }
    | { readonly type: "add"; readonly connections: readonly PastConnection[] }
    | { readonly type: "find"; readonly query: HistoryQuery }
    | {
      readonly type: "visits";
      readonly sinceMs: number;
      readonly after: string | undefined;
      readonly limit: number;
    }
    | { readonly type: "close" }
  );

/** From it: the answer to the request of the same `id`. */
export interface FromHistory {
  readonly id: number;
  readonly value?: unknown;
  readonly error?: string;
}
