import net, { type Socket } from "node:net";
import { EOF, type TcpHandle } from "./_binding.ts";
import { type HandleThread, onRead, tellEnd, WriteRequest } from "./_handle_thread.ts";
import { QueuingStream } from "./_queuing_stream.ts";
import { ReadMemory } from "./_read_memory.ts";
import { limitReadAhead } from "./_read_ahead.ts";
import { SHUTDOWN, streamError } from "./_stream_error.ts";
import type { TlsCredentials } from "./_tls_binding.ts";
import { TlsStream } from "./tls_stream.ts";
import {
  NO_HANDLER,
  type SocketName,
  type StreamError,
  type StreamHandler,
  type TcpStream,
  type TlsHandler,
  WRITE_OVERHEAD,
} from "./stream.ts";

const NOTHING = new Uint8Array(0);

/** A {@link TcpStream} on a handle of the runtime. */
export class HandleStream extends QueuingStream implements TcpStream {
  handler: StreamHandler = NO_HANDLER;
  bulk = true;
  readonly tellsLate = false;
  readonly #handle: TcpHandle;
  readonly #memory: ReadMemory;
  #reading = false;
  #prepared = false;
  #writes = 0;
  /** An octet was read, if only one of the {@link Primer}'s: what waits is not dropped at a FIN. */
  #primed = false;
  #socket: Socket | undefined;
  #tls: TlsStream | undefined;

  constructor(thread: HandleThread, handle: TcpHandle) {
    super(thread);
    this.#handle = handle;
    this.#memory = new ReadMemory(thread.buffers);
  }

  get closed(): boolean {
    return this.isClosed || (this.#socket?.destroyed ?? false);
  }

  peerName(): SocketName | undefined {
    const out: Partial<SocketName> = {};
    return this.#handle.getpeername(out) === 0 ? out as SocketName : undefined;
  }

  localName(): SocketName | undefined {
    const out: Partial<SocketName> = {};
    return this.#handle.getsockname(out) === 0 ? out as SocketName : undefined;
  }

  resume(): void {
    if (this.#reading || this.isClosed || this.#isHandedOver) return;
    this.#reading = true;
    if (!this.#prepared) this.#prepare();
    this.#handle.readStart();
  }

  /** What a connection that is refused does without. */
  #prepare(): void {
    this.#prepared = true;
    this.#handle.owner = this;
    this.#handle.onread = onRead;
    this.#handle.useUserBuffer(this.#memory.bytes);
  }

  pause(): void {
    if (!this.#reading || this.isClosed) return;
    this.#reading = false;
    this.#handle.readStop();
  }

  /** For {@link onRead}: a read has ended. */
  received(): void {
    const { binding } = this.thread;
    const count = binding.state[binding.READ] as number;
    if (this.isClosed || count === 0) return;
    if (count < 0) return this.#stopped(count);
    this.#primed = true;
    const memory = this.#memory;
    this.handler.onData(memory.begin(count));
    memory.end();
    if (this.isClosed || this.#isHandedOver || !this.bulk) return;
    if (memory.advance(count)) this.#handle.useUserBuffer(memory.bytes);
  }

  #stopped(status: number): void {
    // The runtime has stopped reading by itself.
    if (status === EOF) {
      if (this.#primed) return this.tellEnd();
      // What would be written in this turn could not be primed.
      return void setImmediate(tellEnd, this);
    }
    this.readError = streamError("read", status);
    this.handler.onReadError(this.readError);
  }

  /** For {@link tellEnd}. Who has paused meanwhile reads the end again when he resumes. */
  tellEnd(): void {
    if (this.readEnded || !this.#reading || this.closed) return;
    this.readEnded = true;
    this.handler.onEnd();
  }

  write(bytes: Uint8Array): boolean {
    const { copies } = this.thread;
    // Behind another one it is queued for sure, and gets no more memory than it needs.
    const buffer = this.queued > 0 ? undefined : copies.take(bytes.length);
    if (buffer === undefined) return this.#submit(bytes.slice(), undefined);
    buffer.bytes.set(bytes);
    const copy = buffer.bytes.subarray(0, bytes.length);
    const taken = this.#submit(copy, () => copies.give(buffer));
    if (taken) copies.give(buffer);
    return taken;
  }

  passOn(other: TcpStream): boolean {
    return this.#memory.passOn(other);
  }

  lend(bytes: Uint8Array, written: () => void): boolean {
    return this.#submit(bytes, written);
  }

  #submit(bytes: Uint8Array, written: (() => void) | undefined): boolean {
    if (this.takesNothing || bytes.length === 0) return true;
    if (this.#writes++ === 1) this.#handle.setNoDelay(true);
    const thread = this.thread;
    const { request, binding } = thread;
    const status = this.#handle.writeBuffer(request, bytes);
    if (status !== 0) {
      queueMicrotask(() => this.cannotWrite(status));
      return true;
    }
    if (binding.state[binding.QUEUED] === 0) return true;
    request.stream = this;
    request.bytes = bytes;
    request.written = written;
    this.count(bytes.length + WRITE_OVERHEAD);
    thread.request = new WriteRequest();
    if (!this.#primed) this.#prime();
    return false;
  }

  #prime(): void {
    this.#primed = true;
    this.thread.primer.prime(this.#handle, {
      ...(this.#prepared && { buffer: this.#memory.bytes }),
      reading: this.#reading && !this.readEnded,
      onLost: (status) => this.#lost(streamError("write", status)),
    });
  }

  /** The handle has no connection any more. */
  #lost(error: StreamError): void {
    if (this.isClosed) return;
    const { handler } = this;
    this.readError = error;
    this.close();
    handler.onReadError(error);
  }

  /** For {@link onWritten}: the kernel has all of a write, or never will. */
  written(request: WriteRequest, status: number): void {
    this.count(-((request.bytes?.length ?? 0) + WRITE_OVERHEAD));
    request.bytes = undefined;
    request.written?.();
    if (this.isClosed) return;
    if (status < 0) this.cannotWrite(status);
    if (this.queued === 0) this.tellDrained();
  }

  end(): void {
    if (this.ended || this.isClosed) return;
    this.ended = true;
    this.#handle.shutdown(SHUTDOWN);
  }

  breakOff(): void {
    this.end();
  }

  reset(): void {
    if (this.#socket !== undefined) this.#socket.resetAndDestroy();
    else if (!this.isClosed) {
      this.#handle.reset();
      this.close();
    }
  }

  close(): void {
    if (this.#socket !== undefined) this.#socket.destroy();
    if (this.isClosed) return;
    this.isClosed = true;
    this.handler = NO_HANDLER;
    this.onFinished = undefined;
    if (this.#socket !== undefined) return;
    if (this.#tls !== undefined) return this.#tls.release(() => this.#handle.close());
    this.#handle.close();
    this.#memory.free();
  }

  isBroken(): boolean {
    // After a FIN in both directions the system has forgotten the peer too.
    if (this.isClosed || this.ended) return this.isClosed;
    return this.#handle.getpeername({}) !== 0;
  }

  acceptTls(
    peeked: Uint8Array,
    { credentials, handler }: {
      readonly credentials: TlsCredentials;
      readonly handler: TlsHandler;
    },
  ): TcpStream {
    const handle = this.#handOver();
    const tls = new TlsStream(this.thread, this, { handle, credentials, handler });
    this.#tls = tls;
    tls.start(peeked);
    return tls;
  }

  get #isHandedOver(): boolean {
    return this.#socket !== undefined || this.#tls !== undefined;
  }

  #handOver(): TcpHandle {
    this.pause();
    this.handler = NO_HANDLER;
    this.#memory.free();
    this.#handle.owner = undefined;
    return this.#handle;
  }

  toSocket(): Socket {
    if (this.#socket !== undefined) return this.#socket;
    const handle = this.#handOver();
    handle.useUserBuffer(NOTHING);
    const options = { handle, allowHalfOpen: true, pauseOnCreate: true };
    const socket = new net.Socket(options as unknown as net.SocketConstructorOpts);
    socket.on("error", () => {}); // Node's rule: without a listener it ends the process.
    limitReadAhead(socket);
    this.#socket = socket;
    return socket;
  }
}
