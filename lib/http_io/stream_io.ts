import type { StreamError, StreamHandler, TcpStream } from "../tcp/mod.ts";
import type { Flushing } from "./flushes.ts";
import type { Turns } from "./turns.ts";

/** Pieces up to this size are copied into one write with their neighbours. */
const SMALL_OCTETS = 8 * 1024;
/** As much is copied together at most: two full TLS records. */
const GATHERED_OCTETS = 32 * 1024;
/**
 * What a stream may have queued that tells only later what was taken, in octets. One that tells at
 * once has nothing queued unless the kernel is full.
 */
const AHEAD_OCTETS = 64 * 1024;

/** Shorter rests would be as much work as what they are to spare, in milliseconds. */
export const LEAST_REST_MS = 10;

/** What is asked of a session, whatever it frames. */
export interface FramingSession {
  /** Octets waiting for {@link takeOutput}. */
  readonly pendingOutput: number;
  takeOutput(): Uint8Array[];
}

/** What every mover of octets is given. */
export interface StreamIoOptions {
  readonly now: () => number;
  /** Those of the thread. */
  readonly turns: Turns;
}

/**
 * The half that all movers of octets share: it writes. Output is written once per turn of the event
 * loop, everything that one read caused in one write where it is small. A full stream stops the
 * session's output.
 */
export abstract class StreamIo<S extends FramingSession> implements StreamHandler, Flushing {
  protected readonly stream: TcpStream;
  protected readonly session: S;
  protected readonly now: () => number;
  protected readonly turns: Turns;
  /** Octets that were read, and that were written, with everything that frames content. */
  bytesIn = 0;
  bytesOut = 0;
  /** The session is over and its last output on its way. */
  protected closing = false;
  #flushScheduled = false;
  #blocked = false;
  #paused = false;

  constructor(stream: TcpStream, session: S, { now, turns }: StreamIoOptions) {
    this.stream = stream;
    this.session = session;
    this.now = now;
    this.turns = turns;
    // What is read is held by sessions: larger reads would only be held longer.
    stream.bulk = false;
    stream.handler = this;
  }

  /** The stream takes no more now. */
  protected get blocked(): boolean {
    return this.#blocked;
  }

  /** Nothing is read. */
  protected get paused(): boolean {
    return this.#paused;
  }

  /** Call from `onOutput`: everything is written at the end of this turn. */
  schedule(): void {
    if (this.#flushScheduled || this.#blocked) return;
    this.#flushScheduled = true;
    this.turns.flushes.add(this);
  }

  /** At the end of the turn. */
  flush(): void {
    if (!this.#flushScheduled) return;
    this.#flushScheduled = false;
    if (this.#blocked || this.stream.closed) return;
    this.#write(this.session.takeOutput());
    this.flushed();
  }

  /** Writes what is left whether or not the stream is full, since nobody adds to it any more. */
  protected flushRest(): void {
    this.#blocked = this.#flushScheduled = false;
    if (!this.stream.closed) this.#write(this.session.takeOutput());
  }

  /** Reads no more, down to the kernel. */
  protected pause(): void {
    if (this.#paused) return;
    this.#paused = true;
    this.stream.pause();
  }

  /** Reads again. */
  protected resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.stream.resume();
  }

  onDrain(): void {
    if (this.#blocked) {
      this.#blocked = false;
      this.#write(this.session.takeOutput());
      this.flushed();
      // Taking output lets the session frame more of what it had queued.
      if (this.session.pendingOutput > 0) this.schedule();
    }
    this.drained();
  }

  onData(bytes: Uint8Array): void {
    this.bytesIn += bytes.length;
    this.received(bytes);
  }

  /** Octets were read. */
  protected abstract received(bytes: Uint8Array): void;
  abstract onEnd(): void;
  abstract onReadError(error: StreamError): void;
  abstract onWriteError(error: StreamError): void;

  /** Something was written, or could have been. */
  protected abstract flushed(): void;

  /** Everything that was written has been taken. */
  protected drained(): void {}

  #write(chunks: readonly Uint8Array[]): void {
    const { stream } = this;
    if (chunks.length === 1) {
      this.#writeOne(chunks[0] as Uint8Array);
    } else if (chunks.length > 1) {
      for (const piece of gather(chunks)) this.#writeOne(piece);
    }
    this.#blocked = stream.queued > (stream.tellsLate ? AHEAD_OCTETS : 0);
  }

  #writeOne(piece: Uint8Array): void {
    this.bytesOut += piece.length;
    if (piece.length <= SMALL_OCTETS) this.stream.write(piece);
    else this.stream.lend(piece, nothing);
  }
}

/** The same octets in fewer pieces. */
function gather(chunks: readonly Uint8Array[]): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  for (let i = 0; i < chunks.length;) {
    let octets = 0;
    let end = i;
    while (end < chunks.length) {
      const { length } = chunks[end] as Uint8Array;
      if (octets + length > GATHERED_OCTETS) break;
      octets += length;
      end++;
    }
    if (end - i < 2) {
      pieces.push(chunks[i++] as Uint8Array);
      continue;
    }
    const piece = new Uint8Array(octets);
    let at = 0;
    for (; i < end; i++) {
      const chunk = chunks[i] as Uint8Array;
      piece.set(chunk, at);
      at += chunk.length;
    }
    pieces.push(piece);
  }
  return pieces;
}

function nothing(): void {}
