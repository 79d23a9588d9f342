import type { Socket } from "node:net";
import { errnoName, type TcpHandle } from "./_binding.ts";
import type { Primer } from "./_primer.ts";
import { limitReadAhead } from "./_read_ahead.ts";
import {
  MAX_QUEUED,
  NO_HANDLER,
  type SocketName,
  StreamError,
  type StreamHandler,
  type TcpStream,
  WRITE_OVERHEAD,
} from "./stream.ts";

const NOTHING = new Uint8Array(0);

/** Below a socket of `node:net`; done without where it is missing. */
interface SocketInternals {
  readonly _handle?: (Partial<TcpHandle> & { readonly reading?: boolean }) | null;
}

type WriteDone = (error?: Error | null) => void;

/** What a socket does with what is written to it. */
interface Writes {
  _write(bytes: unknown, encoding: unknown, done: WriteDone): void;
  _writev?: ((chunks: unknown, done: WriteDone) => void) | null;
}

/** Below and beside a {@link NodeStream}. */
export interface NodeStreamOptions {
  /** For TLS: the TCP connection that carries it. */
  readonly below?: TcpStream;
  /** For TCP, where the runtime's handles are known. */
  readonly primer?: Primer | undefined;
}

function handleOf(socket: Socket): SocketInternals["_handle"] {
  return (socket as SocketInternals)._handle;
}

/**
 * A {@link TcpStream} on a paused socket of `node:net` or `node:tls` that keeps half-closed
 * connections. For TLS a failed write also ends reading: its socket is destroyed at the first error.
 */
export class NodeStream implements TcpStream {
  handler: StreamHandler = NO_HANDLER;
  bulk = true;
  readEnded = false;
  readError: StreamError | undefined;
  readonly #socket: Socket;
  /** For TLS: the TCP connection that carries it. */
  readonly #below: TcpStream | undefined;
  readonly #primer: Primer | undefined;
  /** As in a stream on a handle: what waits is not dropped at a FIN. */
  #primed = false;
  /** A write has failed. */
  #broken = false;
  #data: Uint8Array = NOTHING;
  #pending = 0;
  #writes = 0;
  #ended = false;
  /** It was told that no more comes, or ended by its owner. */
  #over = false;
  #handedOver = false;
  /** The TCP connection below TLS is not read. */
  #stopped = false;
  #error: NodeJS.ErrnoException | undefined;

  constructor(socket: Socket, { below, primer }: NodeStreamOptions = {}) {
    this.#socket = socket;
    this.#below = below;
    this.#primer = primer;
    if (below === undefined) this.#keepWriteErrors(socket as unknown as Writes);
    socket.pause();
    limitReadAhead(socket);
    socket.on("error", (error) => {
      this.#error ??= error;
      // TLS that was broken would stay open, and nobody be told (Deno 2.9.6).
      if (below !== undefined) socket.destroy();
    });
    socket.on("data", this.#onData);
    socket.on("end", this.#onEnd);
    socket.on("close", this.#onClose);
  }

  /** A write that fails would destroy the socket, and with it what the other side has sent. */
  #keepWriteErrors(socket: Writes): void {
    const keep = (done: WriteDone): WriteDone => (error) => {
      done();
      if (error) this.#cannotWrite(error);
    };
    const { _write: write, _writev: writev } = socket;
    socket._write = (bytes, encoding, done) => {
      if (this.#broken) done();
      else write.call(socket, bytes, encoding, keep(done));
    };
    if (!writev) return;
    socket._writev = (chunks, done) => {
      if (this.#broken) done();
      else writev.call(socket, chunks, keep(done));
    };
  }

  #cannotWrite({ code = "EPIPE", message }: NodeJS.ErrnoException): void {
    if (this.#broken || this.#over || this.#handedOver || this.#socket.destroyed) return;
    this.#broken = true;
    this.handler.onWriteError(new StreamError(code, message));
  }

  get tellsLate(): boolean {
    return this.#below !== undefined;
  }

  get closed(): boolean {
    return this.#socket.destroyed;
  }

  get full(): boolean {
    return this.#pending > MAX_QUEUED;
  }

  get queued(): number {
    return this.#pending;
  }

  peerName(): SocketName | undefined {
    return nameOf(this.#socket.remoteAddress, this.#socket.remotePort);
  }

  localName(): SocketName | undefined {
    return nameOf(this.#socket.localAddress, this.#socket.localPort);
  }

  resume(): void {
    if (this.#handedOver || this.#socket.destroyed) return;
    if (this.#stopped) handleOf(this.#carrier)?.readStart?.();
    this.#stopped = false;
    this.#socket.resume();
  }

  pause(): void {
    this.#socket.pause();
    if (this.#below === undefined || this.#stopped) return;
    // TLS goes on to read and to decrypt without a bound while it is paused (Deno 2.9.6).
    this.#stopped = true;
    handleOf(this.#carrier)?.readStop?.();
  }

  /** The TCP connection that is read. */
  get #carrier(): Socket {
    return this.#below?.toSocket() ?? this.#socket;
  }

  readonly #onData = (chunk: Uint8Array): void => {
    if (this.#over) return;
    this.#primed = true;
    this.#data = chunk;
    this.handler.onData(chunk);
    this.#data = NOTHING;
  };

  readonly #onEnd = (): void => {
    if (this.#over) return;
    this.readEnded = true;
    this.handler.onEnd();
  };

  readonly #onClose = (): void => {
    if (this.#over || this.readEnded && this.#ended && this.#error === undefined) return;
    this.#over = true;
    const { code = "ECONNRESET", message = "closed" } = this.#error ?? {};
    this.readError = new StreamError(code, message);
    this.handler.onReadError(this.readError);
  };

  write(bytes: Uint8Array): boolean {
    return this.lend(bytes.slice(), noop);
  }

  passOn(other: TcpStream): boolean {
    return other.lend(this.#data, noop);
  }

  lend(bytes: Uint8Array, written: () => void): boolean {
    const socket = this.#socket;
    if (this.#ended || this.#broken || socket.destroyed || bytes.length === 0) return true;
    if (this.#writes++ === 1) socket.setNoDelay(true);
    let taken = false;
    const counted = bytes.length + WRITE_OVERHEAD;
    this.#pending += counted;
    socket.write(bytes, () => {
      if (taken) return;
      this.#pending -= counted;
      written();
      if (this.#pending === 0 && !this.#over && !this.#broken && !socket.destroyed) {
        this.handler.onDrain();
      }
    });
    // Node calls back later in any case, but has counted what the kernel took by now.
    taken = socket.writableLength === 0;
    if (taken) this.#pending -= counted;
    else if (!this.#primed) this.#prime();
    return taken;
  }

  #prime(): void {
    this.#primed = true;
    const handle = handleOf(this.#socket);
    if (!handle) return;
    const reading = handle.reading === true && !this.readEnded;
    const onLost = (status: number) => {
      const code = errnoName(status);
      this.#socket.destroy(new StreamError(code, `write ${code}`));
    };
    this.#primer?.prime(handle as TcpHandle, { reading, onLost });
  }

  end(): void {
    this.#ended = true;
    this.#socket.end();
  }

  breakOff(): void {
    if (this.#below === undefined) return this.end();
    this.#ended = true;
    // When all that was written has gone out.
    this.#socket.write(NOTHING, () => this.#below?.toSocket().end());
  }

  finish(done: () => void): void {
    if (this.#socket.destroyed) done();
    else this.#socket.once("close", done);
  }

  reset(): void {
    this.#over = true;
    // In this order: TLS that is destroyed first sends a FIN.
    if (this.#below !== undefined) this.#below.reset();
    else if (!this.#socket.destroyed) this.#socket.resetAndDestroy();
    this.#socket.destroy();
  }

  close(): void {
    this.#over = true;
    this.#socket.destroy();
  }

  isBroken(): boolean {
    if (this.#socket.destroyed) return true;
    if (this.#ended) return false;
    if (this.#below !== undefined) return this.#below.isBroken();
    return (handleOf(this.#socket)?.getpeername?.({}) ?? 0) !== 0;
  }

  toSocket(): Socket {
    this.#handedOver = true;
    const socket = this.#socket;
    socket.pause();
    socket.off("data", this.#onData);
    socket.off("end", this.#onEnd);
    socket.off("close", this.#onClose);
    return socket;
  }
}

function nameOf(address: string | undefined, port: number | undefined): SocketName | undefined {
  return address === undefined || port === undefined ? undefined : { address, port };
}

function noop(): void {}
