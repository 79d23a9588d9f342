/** What requests are framed in on a connection. */
export type HttpProtocol = "h2" | "http/1.1";

/** One open connection to a backend as the pool sees it; whoever does the framing implements it. */
export interface Link {
  readonly protocol: HttpProtocol;
  /** It carries requests: HTTP/1.1 at once, HTTP/2 when the peer's SETTINGS have come. */
  readonly greeted: boolean;
  /** Requests that it carries at once, in all; 1 for all but HTTP/2. */
  readonly capacity: number;
  /** It takes a request now. */
  readonly available: boolean;
  /**
   * Nothing that a request began is unfinished for the request's own fault. A lease that is given
   * back on an exclusive connection that is not settled costs the connection: the backend may still
   * be waiting for content that nobody will send.
   */
  readonly settled: boolean;
  /** Looks after deadlines; about once a second. */
  tick(now: number): void;
  /** Ends when its requests have; no new ones. */
  shutdown(): void;
  /** Ends at once. `onClosed` is called, inside or soon. */
  destroy(reason: string): void;
}

/** What the backend was heard to say before its greeting was complete. */
export type Heard = "nothing" | "http/1.1" | "other";

/** How a connection ended. */
export interface LinkEnd {
  /** A phrase for the log. */
  readonly reason: string;
  readonly heard: Heard;
  /** Our side ended it: what was not heard means nothing. */
  readonly byUs: boolean;
}

/** What a link tells the pool. Never from inside its own constructor. */
export interface LinkEvents {
  /** The greeting is complete. */
  onGreeted(): void;
  /** It takes a request again. */
  onAvailable(): void;
  /** The peer wants no new requests on it; those that are open go on. */
  onDraining(): void;
  /** It is gone; every request on it has been told. */
  onClosed(end: LinkEnd): void;
}

/** Why there is no way to a backend. */
export interface PoolFailure {
  /** No connection; none in time; all that may be used are; so is every one of several backends. */
  readonly kind: "unreachable" | "timeout" | "busy" | "full";
  /** A phrase for the log. */
  readonly reason: string;
  /** The route has changed: nobody failed, and another backend may have room. */
  readonly retired?: true;
  /** Which of several backends it is about. */
  readonly backend?: string;
  /** What the dialler met. */
  readonly cause?: unknown;
}

/** What an attempt to connect tells the pool beside the events of its link. */
export interface AttemptEvents<L extends Link> extends LinkEvents {
  /** Connected, TLS included. Never from inside `open`. */
  onOpened(link: L): void;
  /** Not connected. Never from inside `open`. */
  onFailed(failure: PoolFailure): void;
}

/** What to say first on a new connection; `auto`: what TLS agrees on. */
export type Offer = HttpProtocol | "auto";

/** Opens connections for a pool. */
export interface Dialer<L extends Link> {
  /** Starts an attempt; the returned function gives it up, and nothing is told after that. */
  open(
    how: { readonly offer: Offer; readonly affinity: object | undefined },
    events: AttemptEvents<L>,
  ): (reason: string) => void;
}

/** Time as a pool needs it. */
export interface Timers {
  /** Milliseconds from any fixed point; never runs backwards. */
  now(): number;
  /** Calls `fn` once, `ms` from now, unless the returned function is called. */
  after(ms: number, fn: () => void): () => void;
}
