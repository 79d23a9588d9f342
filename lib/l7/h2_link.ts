import type { Transport } from "./message.ts";

/** What a link tells the backend it belongs to. */
export interface LinkEvents {
  /** The peer's SETTINGS arrived: it does speak HTTP/2. */
  onReady(link: H2Link): void;
  /** It has room for a stream again. */
  onAvailable(link: H2Link): void;
  /** It is gone; every stream on it has been told. */
  onClosed(link: H2Link, reason: string): void;
}

/** One HTTP/2 connection to a backend, whoever does the framing. */
export interface H2Link extends Transport {
  readonly protocol: "h2";
  /** The peer's SETTINGS arrived. */
  readonly ready: boolean;
  /** A stream may be opened now. */
  readonly available: boolean;
  /** Since when no stream is open; -1 while one is. */
  readonly idleSince: number;
  /** Looks after deadlines; about once a second. */
  tick(now: number): void;
  /** Ends when its streams have; no new ones. */
  shutdown(): void;
  /** Ends at once. */
  destroy(reason: string): void;
}

/** A silence this long while an answer is awaited is worth a PING, in milliseconds. */
export const PING_AFTER_MS = 15_000;
