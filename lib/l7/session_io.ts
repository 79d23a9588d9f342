import type { Socket } from "node:net";
import type { H2Session } from "../h2/mod.ts";
import type { Task, Turns } from "./turns.ts";

/** How long a peer may take to read what is left and to close its side, in milliseconds. */
const LINGER_MS = 2000;
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
  readonly #turns: Turns;
  /** What was read and not yet looked at; the socket is paused meanwhile. */
  readonly #unread: Uint8Array[] = [];
  /** In the hands of {@link Turns}. */
  #working = false;
  #flushScheduled = false;
  #blocked = false;
  #closing = false;

  /**
   * `onLost`: the peer closed the connection under a session that was not over. `hearsOut`: what it
   * had said before still counts, as a backend's answer does.
   */
  constructor(socket: Socket, session: H2Session, options: {
    readonly now: () => number;
    readonly turns: Turns;
    readonly hearsOut: boolean;
    readonly onLost: (reason: string) => void;
  }) {
    this.#socket = socket;
    this.#session = session;
    this.#now = options.now;
    this.#turns = options.turns;
    socket.on("data", (chunk: Uint8Array) => this.#read(chunk));
    socket.on("drain", () => this.#unblock());
    const lose = (reason: string) => {
      if (session.closed) return;
      const unread = this.#unread.splice(0);
      if (options.hearsOut) { for (const chunk of unread) session.receive(chunk, this.#now()); }
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
    queueMicrotask(() => {
      this.#blocked = false;
      this.#flush();
      this.#socket.end();
      if (this.#socket.destroyed) return;
      const linger = setTimeout(() => this.#socket.destroy(), LINGER_MS);
      this.#socket.once("close", () => clearTimeout(linger));
    });
  }

  /** Reads a little of what is unread; called by {@link Turns}. */
  step(): boolean {
    const chunk = this.#unread[0];
    if (chunk !== undefined && !this.#session.congested) {
      const read = this.#session.receive(chunk, this.#now(), STEP_FRAMES);
      if (read < chunk.length) this.#unread[0] = chunk.subarray(read);
      else this.#unread.shift();
      if (this.#unread.length > 0) return true;
    }
    this.#working = false;
    this.#readAgain();
    return false;
  }

  #read(chunk: Uint8Array): void {
    this.#unread.push(chunk);
    this.#work();
    if (this.#unread.length > 0 || this.#session.congested) this.#socket.pause();
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
    if (this.#blocked || this.#session.congested || !this.#socket.isPaused()) return;
    if (this.#unread.length > 0) return this.#work();
    this.#socket.resume();
  }
}
