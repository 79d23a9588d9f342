import type { Socket } from "node:net";
import { describeError } from "../observe/mod.ts";
import { type BufferPool, LARGEST } from "./buffers.ts";
import type { Deadline, Deadlines } from "./deadlines.ts";

/** Octets read from the client and not yet taken by the backend before reading pauses. */
const MAX_UPLOAD_QUEUE = 128 * 1024;
/**
 * What a queued read counts for beside its octets, and about what its wrapper takes on the heap: a
 * client that sends single octets would else hold 131,072 of them, 56 MB.
 */
const READ_OVERHEAD = 512;
/** Up to here a read is copied out, and its buffer reused at once instead of after the write. */
const COPY_BELOW = 4 * 1024;
/** How long what the client still sends is discarded after the backend broke off. */
const LINGER_MS = 2000;
const NOTHING = new Uint8Array(0);

/** How a relay ended; the names are those of outcomes. */
export type RelayEnd =
  | "relayed"
  | "client_reset"
  | "backend_reset"
  | "idle_timeout"
  | "authorization_revoked"
  | "closed_by_operator"
  | "shutdown";

/** What {@link Relay} needs beside the two connections. */
export interface RelayOptions {
  /** Armed with `idle_timeout`; bytes in either direction touch it. */
  readonly idle: Deadlines;
  readonly buffers: BufferPool;
  /** The socket below, when the client's is TLS: only that one can be reset. */
  readonly transport?: Socket;
}

/**
 * Relays octets between a client's socket and a backend's connection, unchanged and in order.
 *
 * - A FIN from one side becomes a FIN to the other when everything before it was delivered; the
 *   other direction goes on.
 * - A slow reader stops the reading of the other side: at most {@link MAX_UPLOAD_QUEUE} plus one
 *   read wait towards the backend, one read buffer towards the client.
 * - When the backend breaks off, what it had sent is still delivered, then the client sees a FIN:
 *   a RST would throw away what waits in the kernel's send buffer. Before the first byte there is
 *   nothing to lose and the RST is passed on. TLS tells its users of the missing close_notify, also
 *   when it is terminated here: the FIN then goes out below it.
 *
 * The client side is `node:net` (only it can be reset, and TLS can sit on top of it); the backend
 * side is `Deno.TcpConn`, which reads into our own buffers instead of 64 KiB allocated per read.
 */
export class Relay {
  /** Octets taken by the backend. */
  bytesIn = 0;
  /** Octets handed to the client's socket. */
  bytesOut = 0;
  /** Why the relay ended early, for the log. */
  reason: string | undefined;

  readonly #client: Socket;
  readonly #transport: Socket;
  readonly #backend: Deno.TcpConn;
  readonly #buffers: BufferPool;
  readonly #idle: Deadline;
  readonly #ended = Promise.withResolvers<RelayEnd>();
  readonly #queue: Uint8Array[] = [];
  #queued = 0;
  #writing = false;
  #clientEnded = false;
  #clientGone = false;
  #clientNoDelay = false;
  #backendNoDelay = false;
  #end: RelayEnd = "relayed";
  #closed = false;

  constructor(client: Socket, backend: Deno.TcpConn, options: RelayOptions) {
    this.#client = client;
    this.#transport = options.transport ?? client;
    this.#backend = backend;
    this.#buffers = options.buffers;
    this.#idle = options.idle.arm(() => this.cut("idle_timeout"));
  }

  /**
   * Relays until both directions have ended. `first` are octets that were read from the client
   * already. Resolves when both connections are closed.
   */
  run(first: Uint8Array): Promise<RelayEnd> {
    const client = this.#client;
    client.on("data", (chunk: Uint8Array) => this.#upload(chunk));
    client.once("end", () => this.#endUpload());
    client.once("error", (error) => this.#fail("client_reset", error));
    client.once("close", () => this.#clientClosed());
    if (client.destroyed) {
      this.#fail("client_reset", client.errored ?? "the client left while the backend was dialled");
      this.#clientClosed();
    }
    this.#upload(first);
    if (client.readableEnded) this.#endUpload();
    else client.resume();
    this.#download().catch((error) => this.#backendBroke(error));
    return this.#ended.promise;
  }

  /** Breaks both directions off at once; the client sees a RST, because its stream is cut. */
  cut(end: RelayEnd): void {
    if (this.#closed) return;
    this.#end = end;
    this.#reset();
    this.#close();
  }

  #upload(chunk: Uint8Array): void {
    if (this.#clientEnded) return;
    this.#queue.push(chunk);
    this.#queued += chunk.length + READ_OVERHEAD;
    if (this.#queued > MAX_UPLOAD_QUEUE) this.#client.pause();
    if (!this.#writing) this.#drainQueue().catch((error) => this.#uploadBroke(error));
  }

  #endUpload(): void {
    if (this.#clientEnded) return;
    this.#clientEnded = true;
    if (!this.#writing) this.#drainQueue().catch((error) => this.#uploadBroke(error));
  }

  async #drainQueue(): Promise<void> {
    this.#writing = true;
    // Nagle's algorithm only ever delays a second write: a stream of one request never pays.
    if (this.bytesIn > 0 && !this.#backendNoDelay) {
      this.#backendNoDelay = true;
      this.#backend.setNoDelay();
    }
    for (let chunk = this.#queue.shift(); chunk !== undefined; chunk = this.#queue.shift()) {
      for (let sent = 0; sent < chunk.length;) {
        const piece = sent === 0 ? chunk : chunk.subarray(sent);
        const count = await this.#backend.write(piece);
        sent += count;
        this.bytesIn += count;
        this.#idle.touch();
      }
      this.#queued -= chunk.length + READ_OVERHEAD;
      if (this.#queued === 0 && this.#client.isPaused()) this.#client.resume();
    }
    this.#writing = false;
    if (this.#clientGone) this.#close();
    else if (this.#clientEnded) await this.#backend.closeWrite();
  }

  /**
   * The backend takes no more. What it has sent may still be on its way, so the download decides
   * how this ends; what the client sends from here on is discarded without touching the deadline.
   */
  #uploadBroke(error: unknown): void {
    if (this.#closed) return;
    this.reason ??= describeError(error);
    this.#clientEnded = true;
    this.#writing = false;
    this.#queue.length = 0;
    if (this.#clientGone) this.#close();
    else this.#client.resume();
  }

  /** What the client sent before it left is still delivered; the idle deadline bounds that. */
  #clientClosed(): void {
    this.#clientGone = true;
    this.#clientEnded = true;
    if (!this.#writing) this.#close();
  }

  async #download(): Promise<void> {
    let size = 0;
    let buffer = this.#buffers.take(size);
    try {
      for (;;) {
        const count = await this.#backend.read(buffer);
        if (count === null || this.#client.destroyed) break;
        this.#idle.touch();
        await this.#deliver(buffer, count);
        this.bytesOut += count;
        const next = nextSize(size, count, buffer.length);
        if (next !== size) {
          this.#buffers.give(size, buffer);
          buffer = this.#buffers.take(size = next);
        }
      }
    } finally {
      // After a close the runtime may still hold the buffer of a read in flight: not for reuse.
      if (!this.#closed) this.#buffers.give(size, buffer);
    }
    if (!this.#client.destroyed) this.#client.end();
  }

  /** Resolves when `buffer` may be reused and the client's socket takes more. */
  #deliver(buffer: Uint8Array, count: number): Promise<void> | undefined {
    const client = this.#client;
    if (this.bytesOut > 0 && !this.#clientNoDelay) {
      this.#clientNoDelay = true;
      client.setNoDelay();
    }
    if (count <= COPY_BELOW) {
      if (client.write(buffer.slice(0, count))) return undefined;
      return new Promise((resolve) => {
        const done = () => {
          client.off("drain", done);
          client.off("close", done);
          resolve();
        };
        client.on("drain", done);
        client.on("close", done);
      });
    }
    return new Promise((resolve) => client.write(buffer.subarray(0, count), () => resolve()));
  }

  #backendBroke(error: unknown): void {
    if (this.#closed) return;
    this.#end = "backend_reset";
    this.reason = describeError(error);
    if (this.bytesOut === 0) return this.#reset();
    this.#uploadBroke(error);
    // When all that was written has gone out.
    if (this.#transport === this.#client) this.#client.end();
    else this.#client.write(NOTHING, () => this.#transport.end());
    const linger = setTimeout(() => this.#client.destroy(), LINGER_MS);
    this.#client.once("close", () => clearTimeout(linger));
  }

  #reset(): void {
    this.#transport.resetAndDestroy();
    // In this order: TLS that is destroyed first sends a FIN.
    this.#client.destroy();
  }

  #fail(end: RelayEnd, error: unknown): void {
    if (this.#closed || this.#end !== "relayed") return;
    this.#end = end;
    this.reason = describeError(error);
  }

  #close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#idle.cancel();
    this.#backend.close();
    this.#ended.resolve(this.#end);
  }
}

/** Up when a read filled its buffer, straight down when the stream has calmed. */
function nextSize(size: number, count: number, capacity: number): number {
  if (count === capacity) return Math.min(size + 1, LARGEST);
  return count * 8 < capacity ? 0 : size;
}
