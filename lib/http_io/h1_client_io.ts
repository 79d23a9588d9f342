import type { H1ClientSession } from "../h1/mod.ts";
import type { StreamError, TcpStream } from "../tcp/mod.ts";
import { StreamIo, type StreamIoOptions } from "./stream_io.ts";

/** How long a backend may take to read what is left of a tunnel, in milliseconds. */
const LINGER_MS = 2000;

/** What it needs, and whom it tells. */
export interface H1ClientIoOptions extends StreamIoOptions {
  /** Before octets are looked at, and after. */
  readonly onRead: () => void;
  readonly onHaveRead: () => void;
  /** The connection is gone. */
  readonly onLost: (reason: string) => void;
}

/**
 * Moves octets between an HTTP/1.1 session and its backend's stream. A session that does not want
 * more is not read.
 */
export class H1ClientIo extends StreamIo<H1ClientSession> {
  readonly #options: H1ClientIoOptions;
  /** The backend gets our FIN after what waits. */
  #ends = false;
  #linger: ReturnType<typeof setTimeout> | undefined;

  constructor(stream: TcpStream, session: H1ClientSession, options: H1ClientIoOptions) {
    super(stream, session, options);
    this.#options = options;
    stream.resume();
  }

  /** The client of a tunnel has ended its side. */
  end(): void {
    this.#ends = true;
    this.schedule();
  }

  /** Call from `onClose`. `abrupt`: nobody wants the rest, and the backend should know. */
  close(abrupt: boolean): void {
    if (this.closing) return;
    this.closing = true;
    if (abrupt) return this.stream.reset();
    queueMicrotask(() => {
      const { stream } = this;
      if (stream.closed) return;
      this.flushRest();
      stream.end();
      if (stream.queued === 0) stream.close();
      else this.#linger = setTimeout(() => stream.close(), LINGER_MS);
    });
  }

  protected received(bytes: Uint8Array): void {
    if (this.closing) return;
    const { onRead, onHaveRead } = this.#options;
    onRead();
    this.session.receive(this.turns.copies.of(bytes), this.now());
    onHaveRead();
    if (this.session.congested) this.pause();
  }

  onEnd(): void {
    this.session.receiveEnd(this.now());
  }

  onReadError(error: StreamError): void {
    this.#lose(error);
  }

  onWriteError(error: StreamError): void {
    // What the backend said before it broke off may still be there to read.
    if (this.session.closed) this.#lose(error);
  }

  protected flushed(): void {
    if (this.#ends && this.session.pendingOutput === 0) this.stream.end();
    if (!this.session.congested) this.resume();
  }

  protected override drained(): void {
    if (!this.closing || this.stream.queued > 0) return;
    clearTimeout(this.#linger);
    this.stream.close();
  }

  #lose(error: StreamError): void {
    clearTimeout(this.#linger);
    const reason = `the backend's connection was lost (${error.code})`;
    this.stream.close();
    this.session.abort(reason);
    this.#options.onLost(reason);
  }
}
