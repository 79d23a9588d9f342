import { HANDLER_FAILED, StreamError, type StreamHandler, type TcpStream } from "../tcp/mod.ts";
import { type BrokenWatch, type Watched } from "./broken_watch.ts";
import { Link } from "./ring.ts";
import type { Deadline, Deadlines } from "./deadlines.ts";

/** How long what the client still sends is discarded after the backend broke off. */
const LINGER_MS = 2000;

const CLIENT_LEFT = "the client left while the backend was dialled";

/** How a relay ended; the names are those of outcomes. */
export type RelayEnd =
  | "relayed"
  | "client_reset"
  | "backend_reset"
  | "idle_timeout"
  | "authorization_revoked"
  | "closed_by_operator"
  | "shutdown"
  | "internal_error";

/** What {@link Relay} needs beside the two connections. */
export interface RelayOptions {
  /** Armed with `idle_timeout`; octets in either direction touch it. */
  readonly idle: Deadlines;
  /** Looks after clients that are not read. */
  readonly watch: BrokenWatch;
}

/**
 * Relays octets between a client and a backend, unchanged and in order.
 *
 * - A FIN from one side becomes a FIN to the other after everything before it; the other direction
 *   goes on.
 * - A slow reader stops the reading of the other side: at most 128 KiB and one read wait in each
 *   direction ({@link TcpStream.full}).
 * - A client's RST becomes a RST to the backend at once: the stream is cut there as it was here.
 *   While the client is not read it is asked for, so that it is seen then too.
 * - When the backend breaks off, what it had sent is still delivered, then the client sees a FIN:
 *   a RST would throw away what waits in the kernel's send buffer. Before the first octet there is
 *   nothing to lose and the RST is passed on. TLS tells its users of the missing close_notify, also
 *   when it is terminated here: the FIN then goes out below it.
 */
export class Relay extends Link implements Watched {
  /** Octets passed on to the backend. */
  bytesIn = 0;
  /** Octets passed on to the client. */
  bytesOut = 0;
  /** Why the relay ended early, for the log. */
  reason: string | undefined;

  readonly #client: TcpStream;
  readonly #backend: TcpStream;
  readonly #watch: BrokenWatch;
  readonly #idle: Deadline;
  readonly #ended = Promise.withResolvers<RelayEnd>();
  #clientEnded = false;
  #backendEnded = false;
  /** What the client sends is discarded: the backend takes no more. */
  #discards = false;
  #linger: ReturnType<typeof setTimeout> | undefined;
  #end: RelayEnd = "relayed";
  #over = false;

  constructor(client: TcpStream, backend: TcpStream, options: RelayOptions) {
    super();
    this.#client = client;
    this.#backend = backend;
    this.#watch = options.watch;
    this.#idle = options.idle.arm(() => this.cut("idle_timeout"));
  }

  /**
   * Relays until both directions have ended. `first` are octets that were read from the client
   * already. Resolves when both connections are closed.
   */
  run(first: Uint8Array): Promise<RelayEnd> {
    const { closed, readError } = this.#client;
    if (closed || readError !== undefined) {
      this.clientBroke(readError ?? new StreamError("ECONNRESET", CLIENT_LEFT));
      return this.#ended.promise;
    }
    this.#client.handler = new ClientSide(this);
    this.#backend.handler = new BackendSide(this);
    this.bytesIn += first.length;
    this.#backend.write(first);
    this.#flow(this.#client, this.#backend);
    if (this.#client.readEnded) this.endUpload();
    this.#backend.resume();
    return this.#ended.promise;
  }

  /** Breaks both directions off at once; both sides see a RST, because their streams are cut. */
  cut(end: RelayEnd): void {
    if (this.#over) return;
    this.#end = end;
    this.#client.reset();
    this.#backend.reset();
    this.#close();
  }

  /** The client sent octets. */
  upload(bytes: Uint8Array): void {
    if (this.#discards) return;
    this.#idle.touch();
    this.bytesIn += bytes.length;
    if (!this.#client.passOn(this.#backend)) this.#flow(this.#client, this.#backend);
  }

  /** The backend sent octets. */
  download(bytes: Uint8Array): void {
    this.#idle.touch();
    this.bytesOut += bytes.length;
    if (!this.#backend.passOn(this.#client)) this.#flow(this.#backend, this.#client);
  }

  /** Reads `from` while `to` takes it. */
  #flow(from: TcpStream, to: TcpStream): void {
    if (!to.full || this.#discards) return from.resume();
    from.pause();
    if (from === this.#client) this.#watch.add(this);
  }

  /** The backend has taken what was queued. */
  uploaded(): void {
    this.#idle.touch();
    if (this.#clientEnded) return;
    this.#watch.delete(this);
    this.#client.resume();
  }

  /** The client has taken what was queued. */
  downloaded(): void {
    this.#idle.touch();
    if (!this.#backendEnded) this.#backend.resume();
  }

  endUpload(): void {
    this.#clientEnded = true;
    if (!this.#discards) this.#backend.end();
    if (this.#backendEnded) this.#finish();
    else this.#watch.add(this); // Nobody reads it any more, so nobody would see it leave.
  }

  endDownload(): void {
    this.#backendEnded = true;
    this.#client.end();
    if (this.#clientEnded) this.#finish();
  }

  /** Both have ended: closes what is left when all is delivered; the idle deadline bounds that. */
  #finish(): void {
    this.#client.finish(() => {
      if (this.#backend.closed) this.#close();
      else this.#backend.finish(() => this.#close());
    });
  }

  isBroken(): boolean {
    return this.#client.isBroken();
  }

  onBroken(): void {
    this.clientBroke(new StreamError("ECONNRESET", "the client reset the connection"));
  }

  /** The client is gone, and with it whoever wanted what is still under way. */
  clientBroke(error: StreamError): void {
    if (this.#over) return;
    // After the backend broke off that is the end which counts.
    if (this.#end === "relayed") {
      this.#end = error.code === HANDLER_FAILED ? "internal_error" : "client_reset";
      this.reason = error.message;
    }
    this.#backend.reset();
    this.#client.reset();
    this.#close();
  }

  /**
   * The backend takes no more. What it has sent may still be on its way, so the download decides
   * how this ends; what the client sends from here on is discarded without touching the deadline.
   */
  uploadBroke(error: StreamError): void {
    if (this.#discards) return;
    if (this.#backendEnded) return this.backendBroke(error); // Nothing is left to decide it.
    this.reason ??= error.message;
    this.#discards = true;
    if (!this.#clientEnded) this.#client.resume();
  }

  backendBroke(error: StreamError): void {
    this.#end = error.code === HANDLER_FAILED ? "internal_error" : "backend_reset";
    this.reason = error.message;
    this.#backendEnded = true;
    if (this.bytesOut === 0) {
      this.#client.reset();
      this.#backend.close();
      return this.#close();
    }
    this.#discards = true;
    this.#client.resume();
    this.#backend.close();
    this.#client.breakOff();
    if (this.#clientEnded) return this.#finish();
    this.#linger = setTimeout(() => {
      this.#client.close();
      this.#close();
    }, LINGER_MS);
  }

  #close(): void {
    if (this.#over) return;
    this.#over = true;
    clearTimeout(this.#linger);
    this.#watch.delete(this);
    this.#idle.cancel();
    this.#ended.resolve(this.#end);
  }
}

class ClientSide implements StreamHandler {
  readonly #relay: Relay;

  constructor(relay: Relay) {
    this.#relay = relay;
  }

  onData(bytes: Uint8Array): void {
    this.#relay.upload(bytes);
  }

  onEnd(): void {
    this.#relay.endUpload();
  }

  onReadError(error: StreamError): void {
    this.#relay.clientBroke(error);
  }

  onWriteError(error: StreamError): void {
    this.#relay.clientBroke(error);
  }

  onDrain(): void {
    this.#relay.downloaded();
  }
}

class BackendSide implements StreamHandler {
  readonly #relay: Relay;

  constructor(relay: Relay) {
    this.#relay = relay;
  }

  onData(bytes: Uint8Array): void {
    this.#relay.download(bytes);
  }

  onEnd(): void {
    this.#relay.endDownload();
  }

  onReadError(error: StreamError): void {
    this.#relay.backendBroke(error);
  }

  onWriteError(error: StreamError): void {
    this.#relay.uploadBroke(error);
  }

  onDrain(): void {
    this.#relay.uploaded();
  }
}
