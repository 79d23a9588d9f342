/** How fast something may happen: `burst` at once, refilled at `perSecond`. */
export interface Rate {
  readonly burst: number;
  readonly perSecond: number;
}

/** Every bound of a session. Sizes are octets. */
export interface Limits {
  /** Streams the peer may have open at once. */
  readonly maxConcurrentStreams: number;
  /** Streams we open at once, if the peer lets us (client). */
  readonly maxOwnStreams: number;
  /** Octets the peer may send on one stream beyond what was consumed. */
  readonly streamWindow: number;
  /** What that may grow to, for a stream that has a `WindowBudget` and whose reader keeps up. */
  readonly maxStreamWindow: number;
  /** The same over all streams of the connection. */
  readonly connectionWindow: number;
  /**
   * The connection's window is opened when content arrives, not when the owner has passed it on: for
   * connections that carry many clients' streams. What one of them does not take fills the window of
   * its own stream and nobody else's.
   */
  readonly creditOnReceipt: boolean;
  /** Decoded header list, by HPACK's count (32 octets more for each field). */
  readonly maxHeaderListSize: number;
  /** Encoded header block over all its frames; more ends the connection. */
  readonly maxHeaderBlock: number;
  /** CONTINUATION frames of one header block, empty ones included (CVE-2024-27983). */
  readonly maxContinuations: number;
  /** Queued octets of one stream at which `sendData` asks the owner to pause. */
  readonly streamSendBuffer: number;
  /** Octets waiting for the owner's flush at which no more DATA is framed. */
  readonly outputHighWater: number;
  /** Octets waiting for the owner's flush at which the connection ends: the peer does not read. */
  readonly maxOutput: number;

  /**
   * Resets: the peer's (CVE-2023-44487) and those its errors make us send (CVE-2025-8671). As a
   * client, a stream that ends in good order gives one back; as a server, when the owner says so.
   */
  readonly resets: Rate;
  /** RST_STREAM frames for streams of ours that the owner gave up; above it they wait (client). */
  readonly ownResets: Rate;
  /**
   * PING, PRIORITY, unknown frames, and frames for streams that are over. Each 256 octets of content
   * either way give one back: gRPC pings once for each round trip with data while it measures the
   * bandwidth. Above the rate a peer is read more slowly, above twice the burst it is cut off.
   */
  readonly control: Rate;
  /**
   * DATA frames of less than 256 octets, by what is missing: gRPC streams are made of such frames,
   * so who sends more is read more slowly.
   */
  readonly smallData: Rate;
  /** SETTINGS frames. */
  readonly settings: Rate;
  /** DATA frames without content that do not end their stream. */
  readonly emptyData: Rate;
  /** WINDOW_UPDATE frames beyond those that DATA sent by us explains. */
  readonly windowUpdates: Rate;

  /** Until the peer's preface and first SETTINGS. */
  readonly prefaceTimeoutMs: number;
  /** Until the acknowledgement of our SETTINGS. */
  readonly settingsTimeoutMs: number;
  /** From a HEADERS frame to the end of its block, and from the first octet of a frame to its last. */
  readonly headerBlockTimeoutMs: number;
  /** Without progress of queued DATA because of the peer's windows. */
  readonly stallTimeoutMs: number;
  /** Octets within that time that count as progress; less is a window opened drop by drop. */
  readonly minProgress: number;
  /** The share of all queued DATA that has to go within that time, if that is more. */
  readonly minDrain: number;
  /** Until the answer to a PING of ours. */
  readonly pingTimeoutMs: number;
  /** From the first GOAWAY of a drain to the final one, if no PING comes back before. */
  readonly drainNoticeMs: number;
}

/** For strangers: Envoy's edge defaults for streams and windows, nginx's and nghttp2's rates. */
export const EDGE_LIMITS: Limits = Object.freeze({
  maxConcurrentStreams: 100,
  maxOwnStreams: 100,
  streamWindow: 65536,
  maxStreamWindow: 65536,
  connectionWindow: 1048576,
  // A client that does not let its uploads go on bothers itself alone, and 1 MiB is all it costs.
  creditOnReceipt: false,
  maxHeaderListSize: 65536,
  // A list between the two gets an answer (431); a block above this is an attack.
  maxHeaderBlock: 131072,
  // 64 KiB fit five full frames; the rest is for peers that cut small.
  maxContinuations: 32,
  streamSendBuffer: 65536,
  outputHighWater: 131072,
  // The owner stops reading at the high water, so only an owner that does not gets here.
  maxOutput: 1048576,
  // A page with a hundred images left at once is a hundred resets; a flood is thousands a second.
  resets: { burst: 400, perSecond: 40 },
  ownResets: { burst: Infinity, perSecond: 0 },
  control: { burst: 1000, perSecond: 1000 },
  smallData: { burst: 10_000, perSecond: 10_000 },
  settings: { burst: 20, perSecond: 2 },
  emptyData: { burst: 100, perSecond: 10 },
  windowUpdates: { burst: 1000, perSecond: 200 },
  prefaceTimeoutMs: 10_000,
  settingsTimeoutMs: 10_000,
  headerBlockTimeoutMs: 10_000,
  stallTimeoutMs: 60_000,
  // 64 KiB of a stream are held for four minutes at most: whoever wants to hold them must ask again.
  minProgress: 16_384,
  minDrain: 1 / 16,
  pingTimeoutMs: 10_000,
  drainNoticeMs: 1_000,
});

/**
 * For backends that the operator named: a stream window that grows for a fast download, and a
 * connection window that slow clients cannot close, as others share it. Rates are wide: a gRPC
 * server resets each stream it answers early.
 */
export const BACKEND_LIMITS: Limits = Object.freeze({
  ...EDGE_LIMITS,
  // nginx's number. Some put no limit to streams and one to memory: Node resets new streams when
  // 10 MiB wait on a connection, which clients that do not read would otherwise see to.
  maxOwnStreams: 128,
  streamWindow: 65536,
  maxStreamWindow: 1048576,
  connectionWindow: 16777216,
  creditOnReceipt: true,
  resets: { burst: 100_000, perSecond: 50_000 },
  // Below what Node and nghttp2 put up with: 1,000 and 33 a second.
  ownResets: { burst: 500, perSecond: 25 },
  control: { burst: 100_000, perSecond: 50_000 },
  smallData: { burst: 1_000_000, perSecond: 1_000_000 },
  settings: { burst: 1000, perSecond: 100 },
  emptyData: { burst: 10_000, perSecond: 1000 },
  windowUpdates: { burst: 100_000, perSecond: 50_000 },
  // A backend may think for long before it reads on.
  stallTimeoutMs: 300_000,
  minProgress: 1024,
  minDrain: 0,
});
