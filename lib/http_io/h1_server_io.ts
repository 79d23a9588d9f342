import type { H1ServerSession } from "../h1/mod.ts";
import type { StreamError, TcpStream } from "../tcp/mod.ts";
import { SmallReads } from "./small_reads.ts";
import { LEAST_REST_MS, StreamIo, type StreamIoOptions } from "./stream_io.ts";
import type { Task } from "./turns.ts";

/** After our FIN, how long a client may be silent before the connection is closed, in milliseconds. */
const LINGER_SILENCE_MS = 2000;
/** And how long it may go on to send what nobody reads (nginx: 30 s). */
const LINGER_MS = 30_000;

/** What it needs, and whom it tells. */
export interface H1ServerIoOptions extends StreamIoOptions {
  /** The connection is closed; with the error that it broke off with. */
  readonly onGone: (error?: StreamError) => void;
}

/**
 * Moves octets between an HTTP/1.1 session and its client's stream. A session that does not want more
 * is not read. At its end the connection is closed in the one order that loses no answer: what is
 * left is written, then a FIN; what the client still sends is read and dropped for a while, because
 * closing a socket with unread octets sends a RST, which takes back what the client has not read
 * (RFC 9112 §9.6).
 */
export class H1ServerIo extends StreamIo<H1ServerSession> implements Task {
  readonly #onGone: (error?: StreamError) => void;
  readonly #smallReads = new SmallReads();
  #rest: ReturnType<typeof setTimeout> | undefined;
  /** In the hands of `Turns`. */
  #working = false;
  /** Since when nothing moved while it is being closed, and when our FIN was sent. */
  #stillSince = -1;
  #finishedAt = -1;
  #queued = 0;

  constructor(stream: TcpStream, session: H1ServerSession, options: H1ServerIoOptions) {
    super(stream, session, options);
    this.#onGone = options.onGone;
    stream.resume();
  }

  /** Call from `onClose`: writes what is left and ends the connection. */
  close(): void {
    if (this.closing) return;
    this.closing = true;
    clearTimeout(this.#rest);
    this.#stillSince = this.now();
    queueMicrotask(() => {
      const { stream } = this;
      if (stream.closed) return;
      this.flushRest();
      stream.end();
      this.#queued = stream.queued;
      if (stream.queued === 0) this.#finish();
      this.resume();
    });
  }

  /** Looks after a connection that is not read, and the deadlines of one that is being closed. */
  tick(now: number, idleMs: number): void {
    const { stream } = this;
    if (stream.closed) return;
    if (!this.closing) {
      if (this.paused && stream.isBroken()) this.#lose();
      return;
    }
    if (this.#finishedAt >= 0) {
      const silent = now - this.#stillSince >= LINGER_SILENCE_MS;
      if (silent || now - this.#finishedAt >= LINGER_MS) this.#lose();
      return;
    }
    // The last answer is still on its way; a client that reads gets the time it needs.
    if (stream.queued !== this.#queued) {
      this.#queued = stream.queued;
      this.#stillSince = now;
    } else if (now - this.#stillSince >= idleMs) {
      this.#lose();
    }
  }

  /** Goes on with requests that were sent ahead; called by `Turns`. */
  step(): boolean {
    if (!this.blocked) this.session.resume(this.now());
    if (this.session.waiting && !this.blocked) return true;
    this.#working = false;
    this.#readAgain();
    return false;
  }

  protected received(bytes: Uint8Array): void {
    if (this.closing) {
      if (this.#finishedAt >= 0) this.#stillSince = this.now();
      return;
    }
    const { session } = this;
    const now = this.now();
    session.receive(this.turns.copies.of(bytes), now);
    this.#restIfNeeded(this.#smallReads.restAfter(bytes.length, now));
    if (session.congested) this.pause();
    if (session.waiting) this.schedule();
  }

  onEnd(): void {
    if (this.#finishedAt >= 0) this.#lose();
    else this.session.receiveEnd(this.now());
  }

  onReadError(error: StreamError): void {
    this.#lose(error);
  }

  onWriteError(error: StreamError): void {
    this.#lose(error);
  }

  protected flushed(): void {
    if (this.blocked) return;
    if (this.session.waiting) this.#work();
    else this.#readAgain();
  }

  protected override drained(): void {
    if (this.closing && this.stream.queued === 0 && this.session.pendingOutput === 0) {
      this.#finish();
    }
  }

  /** Our FIN has gone out after everything else. */
  #finish(): void {
    if (this.#finishedAt >= 0) return;
    this.#finishedAt = this.#stillSince = this.now();
    if (this.stream.readEnded) this.#lose();
  }

  #lose(error?: StreamError): void {
    clearTimeout(this.#rest);
    if (this.stream.closed) return;
    this.stream.close();
    this.session.abort("the connection was lost");
    this.#onGone(error);
  }

  #work(): void {
    if (this.#working) return;
    this.#working = true;
    this.turns.run(this);
  }

  /** Reads nothing for a while; what comes meanwhile comes in larger pieces then. */
  #restIfNeeded(ms: number): void {
    if (ms <= 0 || this.closing || this.#rest !== undefined) return;
    this.pause();
    this.#rest = setTimeout(() => {
      this.#rest = undefined;
      this.#readAgain();
    }, Math.max(ms, LEAST_REST_MS));
  }

  #readAgain(): void {
    if (this.closing || (this.#rest === undefined && !this.session.congested)) this.resume();
  }
}
