import type { Socket } from "node:net";
import { EOF, type TcpHandle } from "./_binding.ts";
import type { TlsCredentials, TlsHandle } from "./_tls_binding.ts";
import type { HandleThread } from "./_handle_thread.ts";
import { QueuingStream } from "./_queuing_stream.ts";
import { SHUTDOWN, streamError } from "./_stream_error.ts";
import { listen, type TlsEvents, TlsWrites } from "./_tls_events.ts";
import {
  NO_HANDLER,
  type SocketName,
  type StreamError,
  type StreamHandler,
  type TcpStream,
  type TlsHandler,
  WRITE_OVERHEAD,
} from "./stream.ts";

const NOTHING = new Uint8Array(0);
/** What the runtime encrypts in one call; the rest of a longer write would wait in it, unsafely. */
const PIECE_OCTETS = 48 * 1024;

/** The stream whose connection it is. */
type Below = Pick<TcpStream, "reset" | "close" | "isBroken" | "peerName" | "localName">;

/**
 * A {@link TcpStream} over TLS on a handle of the runtime: below `node:tls`, without its streams.
 * Everything is read through two buffers of the thread. It is created silent after the handshake.
 *
 * Whether the kernel has taken a write is told in a later turn, so each counts as queued till then.
 */
export class TlsStream extends QueuingStream implements TcpStream, TlsEvents {
  handler: StreamHandler;
  bulk = false;
  readonly tellsLate = true;
  readonly #below: Below;
  readonly #tcp: TcpHandle;
  readonly #tls: TlsHandle;
  readonly #writes: TlsWrites;
  #onSecure: ((alpn: string | undefined) => void) | undefined;
  #reading = true;
  /** What was decrypted is told. */
  #open = false;
  /** The octets that `onData` looks at; empty outside of it. */
  #data: Uint8Array = NOTHING;
  /** Called when what was lent has gone out. */
  #lent: (() => void)[] | undefined;

  /**
   * Begins a handshake with what was read already.
   *
   * @throws {Error} if the credentials cannot be used.
   */
  constructor(thread: HandleThread, below: Below, { handle, credentials, handler }: {
    readonly handle: TcpHandle;
    readonly credentials: TlsCredentials;
    readonly handler: TlsHandler;
  }) {
    super(thread);
    this.#below = below;
    this.#tcp = handle;
    this.#writes = new TlsWrites(this);
    this.handler = handler;
    this.#onSecure = (alpn) => handler.onSecure(alpn);
    const tls = this.#tls = thread.tls.create();
    if (tls.initServerTls(credentials.context) !== 0) throw new Error("TLS cannot be set up");
    if (credentials.alpn.length > 0) tls.setAlpnProtocols(credentials.alpn);
    if (tls.attach(handle) !== 0) throw new Error("TLS cannot be put on the connection");
    tls.setHandle(tls);
    listen(this, handle, tls);
    tls.useUserBuffer(thread.tls.plain);
  }

  /** Serves the handshake; `peeked` was read of it before. */
  start(peeked: Uint8Array): void {
    const tcp = this.#tcp;
    tcp.setNoDelay(true);
    tcp.useUserBuffer(this.thread.tls.cipher);
    this.#tls.start();
    this.#tls.receive(peeked);
    if (this.#reading && !this.isClosed) tcp.readStart();
  }

  get closed(): boolean {
    return this.isClosed;
  }

  peerName(): SocketName | undefined {
    return this.#below.peerName();
  }

  localName(): SocketName | undefined {
    return this.#below.localName();
  }

  // --- reading ---------------------------------------------------------------------------------

  resume(): void {
    if (this.#reading || this.isClosed || this.readEnded) return;
    this.#reading = true;
    if (!this.#open) queueMicrotask(() => this.#tellWhatCame());
    this.#tcp.readStart();
  }

  pause(): void {
    if (!this.#reading || this.isClosed) return;
    this.#reading = false;
    this.#tcp.readStop();
  }

  /** What was decrypted with the end of the handshake waits for its owner. */
  #tellWhatCame(): void {
    if (this.#open || this.isClosed || !this.#reading) return;
    this.#open = true;
    this.#tls.readStart();
  }

  /** For {@link onCipher}: a read of the network has ended. */
  received(): void {
    const { binding, tls: { cipher } } = this.thread;
    const count = binding.state[binding.READ] as number;
    if (this.isClosed || this.readEnded || count === 0) return;
    if (count > 0) return this.#tls.receive(cipher.subarray(0, count));
    if (count === EOF) {
      // A handshake that was not finished has nobody who reads.
      if (this.#onSecure !== undefined) return this.#tellEnd();
      return this.#tls.emitEof();
    }
    this.lost(streamError("read", count));
  }

  /** For {@link onPlain}. */
  decrypted(): void {
    const { binding, tls: { plain } } = this.thread;
    const count = binding.state[binding.READ] as number;
    if (this.isClosed || this.readEnded || count === 0) return;
    if (count < 0) return this.#tellEnd();
    this.#data = plain.subarray(0, count);
    this.handler.onData(this.#data);
    this.#data = NOTHING;
  }

  /** For {@link onHandshakeDone}. */
  established(): void {
    const onSecure = this.#onSecure;
    if (onSecure === undefined || this.isClosed) return;
    this.#onSecure = undefined;
    this.pause();
    const out: { alpnProtocol?: string | false } = {};
    this.#tls.getAlpnNegotiatedProtocol(out);
    onSecure(out.alpnProtocol || undefined);
  }

  /** No more can be read: TLS was broken, or the connection is. */
  lost(error: StreamError): void {
    if (this.isClosed || this.readError !== undefined) return;
    this.pause();
    this.readError = error;
    this.handler.onReadError(error);
  }

  /** With close_notify or without: what is missing is seen by who counts what was to come. */
  #tellEnd(): void {
    // Who sends more after his close_notify would be gathered without a bound.
    this.pause();
    this.readEnded = true;
    this.handler.onEnd();
  }

  // --- writing ---------------------------------------------------------------------------------

  write(bytes: Uint8Array): boolean {
    if (this.takesNothing || bytes.length === 0) return true;
    const { length } = bytes;
    for (let at = 0; at < length; at += PIECE_OCTETS) {
      const piece = length <= PIECE_OCTETS ? bytes : bytes.subarray(at, at + PIECE_OCTETS);
      const status = this.#tls.writeBuffer(this.#writes, piece);
      if (status === 0) continue;
      queueMicrotask(() => this.cannotWrite(status));
      return true;
    }
    this.count(length + WRITE_OVERHEAD);
    return false;
  }

  passOn(other: TcpStream): boolean {
    return other.write(this.#data);
  }

  /** TLS takes a copy; they are called back all the same, as who lends counts on it. */
  lend(bytes: Uint8Array, written: () => void): boolean {
    const taken = this.write(bytes);
    if (!taken) (this.#lent ??= []).push(written);
    return taken;
  }

  /** For {@link onWritten}: the kernel has all that was written, or never will. */
  written(status: number): void {
    this.count(-this.queued);
    const lent = this.#lent;
    this.#lent = undefined;
    for (const done of lent ?? []) done();
    if (this.isClosed) return;
    if (status < 0) this.cannotWrite(status);
    this.tellDrained();
  }

  // --- ends ------------------------------------------------------------------------------------

  end(): void {
    if (this.ended || this.isClosed) return;
    this.ended = true;
    this.#tls.shutdown(SHUTDOWN);
  }

  breakOff(): void {
    if (this.ended || this.isClosed) return;
    this.ended = true;
    this.#tcp.shutdown(SHUTDOWN);
  }

  reset(): void {
    this.#below.reset();
  }

  close(): void {
    this.#below.close();
  }

  /**
   * For the stream below, which is being closed or was reset: nothing is told any more. `closeTcp` is
   * called when TLS is gone, and not inside of it.
   */
  release(closeTcp: () => void): void {
    if (this.isClosed) return;
    this.pause();
    this.isClosed = true;
    this.handler = NO_HANDLER;
    this.onFinished = this.#onSecure = undefined;
    const tls = this.#tls;
    tls.setClosing();
    queueMicrotask(() => {
      tls.cancelWrite();
      tls.destroySsl();
      tls.owner = undefined;
      this.#tcp.owner = undefined;
      closeTcp();
      this.count(-this.queued);
    });
  }

  isBroken(): boolean {
    return this.isClosed || this.ended ? this.isClosed : this.#below.isBroken();
  }

  toSocket(): Socket {
    throw new TypeError("there is no socket of a connection whose TLS ends here");
  }
}
