import type { Socket } from "node:net";
import { Budget, type H2Session, type Rate } from "../h2/mod.ts";
import { ReadGate } from "../tls/mod.ts";
import type { Task, Turns } from "./turns.ts";

/** How long a peer may take to read what is left and to close its side, in milliseconds. */
const LINGER_MS = 2000;
/** A read with less than this, in octets, is mostly overhead: a TLS record of one octet costs 13 µs. */
const SMALL_READ = 128;
/** Small reads of one connection that cost it nothing: more than anybody types, or a stream of ticks. */
const SMALL_READS: Rate = { burst: 2000, perSecond: 1000 };
/** Shorter rests would be as much work as what they are to spare, in milliseconds. */
const LEAST_REST_MS = 10;
/**
 * What is read after the end and thrown away, in octets: closing a socket with unread octets sends a
 * RST, which may take back our last words, but who sends more than that does not want to hear them.
 */
const MAX_DROPPED = 262_144;
/** Frames that are read between two looks at the clock; a header block counts as sixteen. */
const STEP_FRAMES = 64;

/**
 * Moves octets between an HTTP/2 session and its socket. Output is written once per turn of the
 * event loop, in one call: everything that one read caused leaves in as few TLS records as
 * possible. A full socket stops the session's output, and a session with much output stops reading.
 * Input is read in steps, so that one peer's does not keep the others waiting.
 */
export class SessionIo implements Task {
  readonly #socket: Socket;
  readonly #session: H2Session;
  readonly #now: () => number;
  readonly #gate: ReadGate;
  readonly #turns: Turns;
  readonly #isBackend: boolean;
  /** What was read and not yet looked at; nothing is read meanwhile. */
  readonly #unread: Uint8Array[] = [];
  readonly #smallReads = new Budget(SMALL_READS, { credit: Infinity });
  #rest: ReturnType<typeof setTimeout> | undefined;
  /** In the hands of {@link Turns}. */
  #working = false;
  #flushScheduled = false;
  #blocked = false;
  #closing = false;
  /** Octets that came after the end. */
  #dropped = 0;

  /**
   * `onLost`: the peer closed the connection under a session that was not over. What a backend had
   * said before still counts; it is also not measured by how it cuts what it says.
   */
  constructor(socket: Socket, session: H2Session, options: {
    readonly now: () => number;
    readonly turns: Turns;
    readonly peer: "client" | "backend";
    readonly onLost: (reason: string) => void;
  }) {
    this.#socket = socket;
    this.#session = session;
    this.#now = options.now;
    this.#gate = new ReadGate(socket);
    this.#turns = options.turns;
    this.#isBackend = options.peer === "backend";
    socket.on("data", (chunk: Uint8Array) => this.#read(chunk));
    socket.on("drain", () => this.#unblock());
    const lose = (reason: string) => {
      clearTimeout(this.#rest);
      if (session.closed) return;
      const unread = this.#unread.splice(0);
      for (const chunk of this.#isBackend ? unread : []) session.receive(chunk, this.#now());
      if (session.closed) return;
      session.abort(reason);
      this.close();
      options.onLost(reason);
    };
    socket.once("end", () => lose("the peer closed the connection"));
    socket.once("close", () => lose("the connection was lost"));
  }

  /** Call from `onOutput`: everything is written at the end of this turn. */
  schedule(): void {
    if (this.#flushScheduled || this.#blocked) return;
    this.#flushScheduled = true;
    queueMicrotask(() => {
      this.#flushScheduled = false;
      this.#flush();
    });
  }

  /** Call from `onClose`: writes what is left and ends the connection. */
  close(): void {
    if (this.#closing) return;
    this.#closing = true;
    clearTimeout(this.#rest);
    this.#unread.length = 0;
    queueMicrotask(() => {
      this.#blocked = false;
      this.#flush();
      this.#socket.end();
      this.#gate.start();
      if (this.#socket.destroyed) return;
      const linger = setTimeout(() => this.#socket.destroy(), LINGER_MS);
      this.#socket.once("close", () => clearTimeout(linger));
    });
  }

  /** Reads a little of what is unread; called by {@link Turns}. */
  step(): boolean {
    const chunk = this.#unread[0];
    if (chunk !== undefined && !this.#session.congested && this.#rest === undefined) {
      const read = this.#session.receive(chunk, this.#now(), STEP_FRAMES);
      if (read < chunk.length) this.#unread[0] = chunk.subarray(read);
      else this.#unread.shift();
      this.#restIfNeeded(this.#session.restMs);
      if (this.#unread.length > 0 && this.#rest === undefined) return true;
    }
    this.#working = false;
    this.#readAgain();
    return false;
  }

  /** Reads nothing for a while; what comes meanwhile comes in larger pieces then. */
  #restIfNeeded(ms: number): void {
    if (ms <= 0 || this.#rest !== undefined) return;
    this.#gate.stop();
    this.#rest = setTimeout(() => {
      this.#rest = undefined;
      this.#readAgain();
    }, Math.max(ms, LEAST_REST_MS));
  }

  #read(chunk: Uint8Array): void {
    if (this.#closing) {
      this.#dropped += chunk.length;
      if (this.#dropped > MAX_DROPPED) this.#gate.stop();
      return;
    }
    this.#unread.push(chunk);
    if (chunk.length < SMALL_READ && !this.#isBackend) {
      const now = this.#now();
      this.#smallReads.spend(now);
      this.#restIfNeeded(this.#smallReads.waitMs(now));
    }
    this.#work();
    if (this.#unread.length > 0 || this.#session.congested) this.#gate.stop();
  }

  #work(): void {
    if (this.#working) return;
    this.#working = true;
    this.#turns.run(this);
  }

  #flush(): void {
    if (this.#blocked || this.#socket.destroyed) return;
    const chunks = this.#session.takeOutput();
    if (chunks.length === 1) {
      this.#blocked = !this.#socket.write(chunks[0] as Uint8Array);
    } else if (chunks.length > 1) {
      this.#socket.cork();
      for (const chunk of chunks) this.#blocked = !this.#socket.write(chunk);
      this.#socket.uncork();
    }
    this.#readAgain();
  }

  #unblock(): void {
    this.#blocked = false;
    this.#flush();
    // Taking output lets the session frame more of what it had queued.
    if (this.#session.pendingOutput > 0) this.schedule();
  }

  /** Also when there was nothing to flush: the peer may be waiting to be read before it lets more go. */
  #readAgain(): void {
    if (this.#blocked || this.#session.congested || this.#rest !== undefined) return;
    if (this.#gate.open) return;
    if (this.#unread.length > 0) return this.#work();
    this.#gate.start();
  }
}
