import type { Socket } from "node:net";

/** The socket handle below `node:net`: an internal of the runtime, checked before it is used. */
interface Handle {
  readStart(): number;
  readStop(): number;
  getpeername?(out: object): number;
}

/**
 * Stops and starts the reading of a socket for good: the kernel's buffer fills, and then the peer
 * has to wait.
 *
 * `pause()` alone does not do that for TLS: the runtime goes on to read and decrypt below it, without
 * a bound (Deno 2.9.6: 300 MB in two seconds). The handle of the TCP socket underneath does stop.
 */
export class ReadGate {
  readonly #socket: Socket;
  readonly #handle: Handle | undefined;
  #open = true;

  /** `socket` flows, or will as soon as somebody listens. */
  constructor(socket: Socket) {
    this.#socket = socket;
    this.#handle = handleBelow(socket);
  }

  /** Whether octets are let through. */
  get open(): boolean {
    return this.#open;
  }

  /** Stopped, and meanwhile the peer has sent a RST, which nobody is told who does not read. */
  get broken(): boolean {
    if (this.#open || this.#socket.destroyed) return false;
    // The system forgets the peer of a connection that was reset.
    const handle = this.#handle;
    return typeof handle?.getpeername === "function" && handle.getpeername({}) !== 0;
  }

  /** Reads no more. What was decrypted already may still come in at most one piece. */
  stop(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#socket.pause();
    this.#handle?.readStop();
  }

  /** Reads again. */
  start(): void {
    if (this.#open) return;
    this.#open = true;
    if (this.#socket.destroyed) return;
    this.#handle?.readStart();
    this.#socket.resume();
  }
}

/** The handle of the socket under a TLS socket; plain sockets stop by themselves. */
function handleBelow(socket: Socket): Handle | undefined {
  const { _parent: below } = socket as { _parent?: { _handle?: Partial<Handle> | null } };
  const handle = below?._handle;
  return typeof handle?.readStart === "function" && typeof handle.readStop === "function"
    ? handle as Handle
    : undefined;
}
