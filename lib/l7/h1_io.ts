import type { Socket } from "node:net";
import type { H1ServerSession } from "../h1/mod.ts";
import { ReadGate } from "../tls/mod.ts";
import type { Task, Turns } from "./turns.ts";

/** After our FIN, how long a client may be silent before the connection is closed, in milliseconds. */
const LINGER_SILENCE_MS = 2000;
/** And how long it may go on to send what nobody reads (nginx: 30 s). */
const LINGER_MS = 30_000;

/**
 * Moves octets between an HTTP/1.1 session and its socket. Output is written once per turn of the
 * event loop; a full socket stops the session's output, and a session that does not want more is not
 * read, down to the TCP socket. At its end the connection is closed in the one order that loses no
 * answer: what is left is written, then a FIN; what the client still sends is read and dropped for a
 * while, because closing a socket with unread octets sends a RST, which takes back what the client
 * has not read (RFC 9112 §9.6).
 */
export class H1Io implements Task {
  readonly #socket: Socket;
  readonly #session: H1ServerSession;
  readonly #now: () => number;
  readonly #turns: Turns;
  readonly #gate: ReadGate;
  /** In the hands of {@link Turns}. */
  #working = false;
  #flushScheduled = false;
  #blocked = false;
  #closing = false;
  /** Since when the socket moved nothing while it is being closed, and when our FIN was sent. */
  #stillSince = -1;
  #finishedAt = -1;
  #written = 0;

  constructor(socket: Socket, session: H1ServerSession, options: {
    readonly now: () => number;
    readonly turns: Turns;
  }) {
    this.#socket = socket;
    this.#session = session;
    this.#now = options.now;
    this.#turns = options.turns;
    this.#gate = new ReadGate(socket);
    socket.on("data", (chunk: Uint8Array) => this.#read(chunk));
    socket.on("drain", () => this.#unblock());
    socket.once("end", () => this.#end());
    socket.once("close", () => session.abort("the connection was lost"));
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
    this.#stillSince = this.#now();
    queueMicrotask(() => {
      this.#blocked = false;
      this.#flush();
      this.#socket.end(() => this.#finished());
      this.#gate.start();
    });
  }

  /** Looks after a connection that is not read, and the deadlines of one that is being closed. */
  tick(now: number, idleMs: number): void {
    if (this.#socket.destroyed) return;
    if (!this.#closing) {
      if (this.#gate.broken) this.#socket.destroy();
      return;
    }
    if (this.#finishedAt >= 0) {
      const silent = now - this.#stillSince >= LINGER_SILENCE_MS;
      if (silent || now - this.#finishedAt >= LINGER_MS) this.#socket.destroy();
      return;
    }
    // The last answer is still on its way; a client that reads gets the time it needs.
    const { bytesWritten } = this.#socket;
    if (bytesWritten !== this.#written) {
      this.#written = bytesWritten;
      this.#stillSince = now;
    } else if (now - this.#stillSince >= idleMs) {
      this.#socket.destroy();
    }
  }

  /** Goes on with requests that were sent ahead; called by {@link Turns}. */
  step(): boolean {
    if (!this.#blocked) this.#session.resume(this.#now());
    if (this.#session.waiting && !this.#blocked) return true;
    this.#working = false;
    this.#readAgain();
    return false;
  }

  #read(chunk: Uint8Array): void {
    if (this.#closing) {
      if (this.#finishedAt >= 0) this.#stillSince = this.#now();
      return;
    }
    this.#session.receive(chunk, this.#now());
    if (this.#session.congested) this.#gate.stop();
    if (this.#session.waiting) this.schedule();
  }

  #end(): void {
    if (this.#finishedAt >= 0) this.#socket.destroy();
    else this.#session.receiveEnd(this.#now());
  }

  #finished(): void {
    this.#finishedAt = this.#stillSince = this.#now();
    if (this.#socket.readableEnded) this.#socket.destroy();
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
    if (this.#blocked) return;
    if (this.#session.waiting) this.#work();
    else this.#readAgain();
  }

  #work(): void {
    if (this.#working) return;
    this.#working = true;
    this.#turns.run(this);
  }

  #unblock(): void {
    this.#blocked = false;
    this.#flush();
    // Taking output lets the session ask for more.
    if (this.#session.pendingOutput > 0) this.schedule();
  }

  #readAgain(): void {
    if (!this.#gate.open && (this.#closing || !this.#session.congested)) this.#gate.start();
  }
}
