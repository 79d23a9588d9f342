import type { H1ClientSession } from "../h1/mod.ts";
import type { StreamError, StreamHandler, TcpStream } from "../tcp/mod.ts";
import type { LinkIo, LinkIoOptions } from "./h1_link_io.ts";

/** How long a backend may take to read what is left of a tunnel, in milliseconds. */
const LINGER_MS = 2000;
/** Pieces up to this size are copied into the write; larger ones are lent. */
const COPY_OCTETS = 4096;

/**
 * Moves octets between an HTTP/1.1 session and a TCP stream without TLS: what {@link H1LinkIo} does
 * for a socket, at half the cost.
 */
export class H1StreamIo implements LinkIo, StreamHandler {
  readonly #stream: TcpStream;
  readonly #session: H1ClientSession;
  readonly #options: LinkIoOptions;
  #flushScheduled = false;
  #paused = false;
  /** The backend gets our FIN after what waits. */
  #ends = false;
  #closing = false;

  constructor(stream: TcpStream, session: H1ClientSession, options: LinkIoOptions) {
    this.#stream = stream;
    this.#session = session;
    this.#options = options;
    stream.handler = this;
    stream.bulk = false;
    stream.resume();
  }

  schedule(): void {
    if (this.#flushScheduled || this.#stream.queued > 0) return;
    this.#flushScheduled = true;
    queueMicrotask(() => {
      this.#flushScheduled = false;
      this.#flush();
    });
  }

  end(): void {
    this.#ends = true;
    this.schedule();
  }

  close(abrupt: boolean): void {
    if (this.#closing) return;
    this.#closing = true;
    if (abrupt) return this.#stream.reset();
    queueMicrotask(() => {
      this.#flush();
      if (this.#stream.queued === 0) return this.#stream.close();
      const linger = setTimeout(() => this.#stream.close(), LINGER_MS);
      this.#stream.end();
      this.#stream.finish(() => clearTimeout(linger));
    });
  }

  onData(bytes: Uint8Array): void {
    const { onRead, onHaveRead, now } = this.#options;
    onRead();
    // The stream reads into the same octets again; content of them may wait for the client.
    this.#session.receive(bytes.slice(), now());
    onHaveRead();
    if (!this.#session.congested || this.#stream.closed) return;
    this.#paused = true;
    this.#stream.pause();
  }

  onEnd(): void {
    this.#session.receiveEnd(this.#options.now());
  }

  onReadError(error: StreamError): void {
    this.#lose(error);
  }

  onWriteError(error: StreamError): void {
    // What the backend said before it broke off may still be there to read.
    if (this.#session.closed) this.#lose(error);
  }

  onDrain(): void {
    if (!this.#closing) this.#flush();
  }

  #lose(error: StreamError): void {
    const reason = `the backend's connection was lost (${error.code})`;
    this.#stream.close();
    this.#session.abort(reason);
    this.#options.onLost(reason);
  }

  #flush(): void {
    const stream = this.#stream;
    if (stream.closed || stream.queued > 0) return;
    for (const chunk of this.#session.takeOutput()) {
      if (chunk.length <= COPY_OCTETS) stream.write(chunk);
      else stream.lend(chunk, nothing);
    }
    if (stream.queued === 0 && this.#session.pendingOutput > 0) this.schedule();
    if (this.#ends && this.#session.pendingOutput === 0) stream.end();
    if (!this.#paused || this.#session.congested) return;
    this.#paused = false;
    stream.resume();
  }
}

function nothing(): void {}
