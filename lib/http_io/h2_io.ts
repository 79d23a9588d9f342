import type { H2Session } from "../h2/mod.ts";
import type { StreamError, TcpStream } from "../tcp/mod.ts";
import { SmallReads } from "./small_reads.ts";
import { LEAST_REST_MS, StreamIo, type StreamIoOptions } from "./stream_io.ts";
import type { Task } from "./turns.ts";

/** How long a peer may take to read what is left and to close its side, in milliseconds. */
const LINGER_MS = 2000;
/**
 * What is read after the end and thrown away, in octets: closing a socket with unread octets sends a
 * RST, which may take back our last words, but who sends more than that does not want to hear them.
 */
const MAX_DROPPED = 262_144;
/** Frames that are read between two looks at the clock; a header block counts as sixteen. */
const STEP_FRAMES = 64;

/** What it needs, and whom it tells. */
export interface H2IoOptions extends StreamIoOptions {
  /** What a backend had said before it left counts; nor is it measured by how it cuts what it says. */
  readonly peer: "client" | "backend";
  /** Octets have come, and are looked at next. */
  readonly onRead?: (bytes: Uint8Array) => void;
  /** The peer closed the connection under a session that was not over. */
  readonly onLost: (reason: string) => void;
  /** The connection is closed; with the error that it broke off with. */
  readonly onGone?: (error?: StreamError) => void;
}

/**
 * Moves octets between an HTTP/2 session and its stream. A session with much output stops reading.
 * Input is read in steps, so that one peer's does not keep the others waiting.
 */
export class H2Io extends StreamIo<H2Session> implements Task {
  readonly #options: H2IoOptions;
  readonly #isBackend: boolean;
  /** What was read and not yet looked at; nothing is read meanwhile. */
  readonly #unread: Uint8Array[] = [];
  readonly #smallReads = new SmallReads();
  #rest: ReturnType<typeof setTimeout> | undefined;
  #linger: ReturnType<typeof setTimeout> | undefined;
  /** In the hands of `Turns`. */
  #working = false;
  /** Octets that came after the end. */
  #dropped = 0;
  /** Our side is closed. */
  #ended = false;
  #gone = false;

  constructor(stream: TcpStream, session: H2Session, options: H2IoOptions) {
    super(stream, session, options);
    this.#options = options;
    this.#isBackend = options.peer === "backend";
    stream.resume();
  }

  /** Call from `onClose`: writes what is left and ends the connection. */
  close(): void {
    if (this.closing) return;
    this.closing = true;
    clearTimeout(this.#rest);
    this.#unread.length = 0;
    queueMicrotask(() => {
      const { stream } = this;
      if (stream.closed) return this.#leave();
      this.flushRest();
      stream.end();
      this.#ended = true;
      if (stream.readEnded) stream.finish(() => this.#leave());
      this.resume();
      if (!this.#gone) this.#linger = setTimeout(() => this.#leave(), LINGER_MS);
    });
  }

  /** Reads a little of what is unread; called by `Turns`. */
  step(): boolean {
    const chunk = this.#unread[0];
    if (chunk !== undefined && !this.session.congested && this.#rest === undefined) {
      const read = this.session.receive(chunk, this.now(), STEP_FRAMES);
      if (read < chunk.length) this.#unread[0] = chunk.subarray(read);
      else this.#unread.shift();
      this.#restIfNeeded(this.session.restMs);
      if (this.#unread.length > 0 && this.#rest === undefined) return true;
    }
    this.#working = false;
    this.#readAgain();
    return false;
  }

  protected received(bytes: Uint8Array): void {
    if (this.closing) {
      this.#dropped += bytes.length;
      if (this.#dropped > MAX_DROPPED) this.pause();
      return;
    }
    this.#options.onRead?.(bytes);
    this.#unread.push(this.turns.copies.of(bytes));
    if (!this.#isBackend) this.#restIfNeeded(this.#smallReads.restAfter(bytes.length, this.now()));
    this.#work();
    if (this.#unread.length > 0 || this.session.congested) this.pause();
  }

  onEnd(): void {
    this.#lose("the peer closed the connection");
    if (this.#ended && !this.stream.closed) this.stream.finish(() => this.#leave());
  }

  onReadError(error: StreamError): void {
    this.#lose("the connection was lost");
    this.#leave(error);
  }

  onWriteError(error: StreamError): void {
    // What a backend said before it broke off may still be there to read.
    if (this.#isBackend && !this.closing) return;
    this.#lose("the connection was lost");
    this.#leave(error);
  }

  protected flushed(): void {
    this.#readAgain();
  }

  #lose(reason: string): void {
    clearTimeout(this.#rest);
    const { session } = this;
    if (session.closed) return;
    const unread = this.#unread.splice(0);
    for (const chunk of this.#isBackend ? unread : []) session.receive(chunk, this.now());
    if (session.closed) return;
    session.abort(reason);
    this.close();
    this.#options.onLost(reason);
  }

  /** The end of everything. */
  #leave(error?: StreamError): void {
    clearTimeout(this.#linger);
    this.stream.close();
    if (this.#gone) return;
    this.#gone = true;
    this.#options.onGone?.(error);
  }

  /** Reads nothing for a while; what comes meanwhile comes in larger pieces then. */
  #restIfNeeded(ms: number): void {
    if (ms <= 0 || this.#rest !== undefined) return;
    this.pause();
    this.#rest = setTimeout(() => {
      this.#rest = undefined;
      this.#readAgain();
    }, Math.max(ms, LEAST_REST_MS));
  }

  #work(): void {
    if (this.#working) return;
    this.#working = true;
    this.turns.run(this);
  }

  /** Also when there was nothing to flush: the peer may be waiting to be read before it lets more go. */
  #readAgain(): void {
    if (this.blocked || this.session.congested || this.#rest !== undefined) return;
    if (!this.paused) return;
    if (this.#unread.length > 0) return this.#work();
    this.resume();
  }
}
