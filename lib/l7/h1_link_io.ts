import type { Socket } from "node:net";
import type { H1ClientSession } from "../h1/mod.ts";
import { ReadGate } from "../tls/mod.ts";

/** How long a backend may take to read what is left of a tunnel, in milliseconds. */
const LINGER_MS = 2000;

/** Whoever moves the octets of a link. */
export interface LinkIo {
  /** Call from `onOutput`: everything is written at the end of this turn. */
  schedule(): void;
  /** The client of a tunnel has ended its side. */
  end(): void;
  /** Call from `onClose`. `abrupt`: nobody wants the rest, and the backend should know. */
  close(abrupt: boolean): void;
}

/** What it needs, and whom it tells. */
export interface LinkIoOptions {
  readonly now: () => number;
  /** Before octets are looked at, and after. */
  readonly onRead: () => void;
  readonly onHaveRead: () => void;
  /** The connection is gone. */
  readonly onLost: (reason: string) => void;
}

/**
 * Moves octets between an HTTP/1.1 session and its backend's socket. Output is written once per turn
 * of the event loop; a full socket stops the session's output, and a session that does not want more
 * is not read, down to the TCP socket.
 */
export class H1LinkIo implements LinkIo {
  readonly #socket: Socket;
  readonly #session: H1ClientSession;
  readonly #now: () => number;
  readonly #gate: ReadGate;
  #flushScheduled = false;
  #blocked = false;
  /** The backend gets our FIN after what waits. */
  #ends = false;
  #closing = false;

  constructor(socket: Socket, session: H1ClientSession, options: LinkIoOptions) {
    this.#socket = socket;
    this.#session = session;
    this.#now = options.now;
    this.#gate = new ReadGate(socket);
    socket.on("data", (chunk: Uint8Array) => {
      options.onRead();
      session.receive(chunk, this.#now());
      options.onHaveRead();
      if (session.congested) this.#gate.stop();
    });
    socket.on("drain", () => {
      this.#blocked = false;
      this.#flush();
      // Taking output lets the session ask for more.
      if (session.pendingOutput > 0) this.schedule();
    });
    socket.once("end", () => session.receiveEnd(this.#now()));
    socket.once("close", () => {
      session.abort("the backend's connection was lost");
      options.onLost("the backend's connection was lost");
    });
  }

  schedule(): void {
    if (this.#flushScheduled || this.#blocked) return;
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
    if (abrupt) {
      this.#socket.resetAndDestroy();
      return;
    }
    queueMicrotask(() => {
      this.#blocked = false;
      this.#flush();
      const linger = setTimeout(() => this.#socket.destroy(), LINGER_MS);
      this.#socket.once("close", () => clearTimeout(linger));
      this.#socket.destroySoon();
    });
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
    if (this.#ends && this.#session.pendingOutput === 0) this.#socket.end();
    if (!this.#gate.open && !this.#session.congested) this.#gate.start();
  }
}
