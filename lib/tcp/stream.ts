import type { Socket } from "node:net";
import type { TlsCredentials } from "./_tls_binding.ts";

/** One end of a TCP connection, as the system writes it. */
export interface SocketName {
  /** An IPv4 or IPv6 address. */
  readonly address: string;
  readonly port: number;
}

/**
 * What the owner of a {@link TcpStream} is told. Each call is made in a turn of its own or inside
 * one of another stream's; none is made after the stream was closed or reset by its owner.
 */
export interface StreamHandler {
  /** Octets were read. They are valid during the call only: see {@link TcpStream.passOn}. */
  onData(bytes: Uint8Array): void;
  /** The other side sent a FIN; it may still read. */
  onEnd(): void;
  /** Nothing more can be read: the other side sent a RST, or the network gave up. */
  onReadError(error: StreamError): void;
  /** Nothing more can be written, whatever was queued is lost; there may still be something to read. */
  onWriteError(error: StreamError): void;
  /** Everything that was queued has been taken by the kernel. */
  onDrain(): void;
}

/** Takes the end of a TLS handshake; a failure is told as a read error. */
export interface TlsHandler extends StreamHandler {
  /** The handshake is done; `alpn` is what was agreed on. */
  onSecure(alpn: string | undefined): void;
}

/**
 * A TCP connection. It is created silent: nothing is read before {@link TcpStream.resume}.
 *
 * A write is **taken** when the kernel has all of it, else the rest is **queued** in this process:
 * whoever writes stops the source of what he writes while the stream is `full`.
 */
export interface TcpStream {
  /** Who is told; replaced when the stream goes from one owner to the next. */
  handler: StreamHandler;
  /** The other end; `undefined` once the connection is gone. A system call, so asked once. */
  peerName(): SocketName | undefined;
  /** This end. */
  localName(): SocketName | undefined;
  /** Whether it was closed or reset by its owner, or is lost. */
  readonly closed: boolean;
  /** Whether the other side has sent a FIN; who takes a stream over has to look. */
  readonly readEnded: boolean;
  /** What was told as a read error, for who takes the stream over. */
  readonly readError: StreamError | undefined;
  /** Octets that were written and are not taken yet; a little more for each write. */
  readonly queued: number;
  /**
   * Whether enough is queued: whoever writes stops his source until `onDrain`. That is above
   * {@link MAX_QUEUED}, and anything at all when much waits in the whole thread.
   */
  readonly full: boolean;
  /**
   * Whether it is told in a later turn only that a write was taken, which counts as queued till then.
   * Others have nothing queued unless the kernel is full.
   */
  readonly tellsLate: boolean;
  /**
   * Whether a stream whose reads are large may get larger ones (half a megabyte). Off where what
   * was read has to be held: a read is the least that a reader who stops makes its owner hold.
   */
  bulk: boolean;
  /** Reads, until {@link pause}. */
  resume(): void;
  /** Reads no more: the kernel's buffer fills, and then the other side has to wait. */
  pause(): void;
  /**
   * Writes a copy of `bytes`; whether all was taken. Nagle's algorithm is switched off before the
   * second write, so that it never delays one and a stream of a single write never pays for it.
   */
  write(bytes: Uint8Array): boolean;
  /**
   * Inside `onData`: writes what was just read to `other`, without a copy where it is large; whether
   * all was taken.
   */
  passOn(other: TcpStream): boolean;
  /**
   * Writes `bytes` without a copy. Whether all was taken; if not, they have to stay as they are
   * until `written` is called, which it always is.
   */
  lend(bytes: Uint8Array, written: () => void): boolean;
  /** Sends a FIN after what is queued; reading goes on. */
  end(): void;
  /** As {@link end}; TLS leaves out its close_notify, so that its user learns that more was to come. */
  breakOff(): void;
  /**
   * After both directions have ended: closes the connection when everything written is taken, then
   * calls `done`, which may be inside this call.
   */
  finish(done: () => void): void;
  /** Sends a RST at once and forgets what is queued. Calling it again does nothing. */
  reset(): void;
  /** Closes the connection and forgets what is queued. Calling it again does nothing. */
  close(): void;
  /**
   * Whether the other side has broken off. Not told while paused, so whoever pauses for long asks.
   */
  isBroken(): boolean;
  /**
   * The connection as a paused socket of `node:net`, for `node:tls`. What was read before is the
   * caller's to put in front. The stream reads and writes no more, but {@link reset}, {@link close},
   * {@link closed} and the names go on to work.
   */
  toSocket(): Socket;
  /**
   * Takes the server's part of TLS on the connection; `peeked` was read of it before. The stream
   * that is returned tells `handler` of the end of the handshake, silent again. This one reads and
   * writes no more, but {@link reset}, {@link close}, {@link closed} and the names go on to work.
   *
   * Absent where the runtime's TLS is not known: there it is {@link toSocket} and `node:tls`.
   *
   * @throws {Error} if the credentials cannot be used.
   */
  readonly acceptTls?: (peeked: Uint8Array, options: {
    readonly credentials: TlsCredentials;
    readonly handler: TlsHandler;
  }) => TcpStream;
}

/** Why a stream broke off. */
export class StreamError extends Error {
  override readonly name = "StreamError";
  /** The system's code, such as `ECONNRESET`. */
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/** The code of an error that is our own: a handler threw. */
export const HANDLER_FAILED = "EHANDLER";

/** Ignores everything: of a stream that nobody owns yet, or nobody any more. */
export const NO_HANDLER: StreamHandler = {
  onData() {},
  onEnd() {},
  onReadError() {},
  onWriteError() {},
  onDrain() {},
};

/**
 * What may be queued before the source of it should stop, in octets; a read that was under way comes
 * on top.
 */
export const MAX_QUEUED = 128 * 1024;

/** What a queued write counts for beside its octets: about what it takes on the heap. */
export const WRITE_OVERHEAD = 512;
