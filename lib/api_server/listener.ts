import { parseIp, parseListenEndpoint, sourceKey } from "../addr/mod.ts";
import { describeError, type LogSink } from "../observe/mod.ts";
import type { Sockets, TcpListener, TcpStream } from "../tcp/mod.ts";
import { Handshakes, StreamAcceptor } from "../tls/mod.ts";

/** Connections at one time, and of them those of one source (an address, or an IPv6 /64). */
const MAX_OPEN = 512;
const MAX_OF_SOURCE = 64;
/** How often a listener looks whether accept(2) has failed for good. */
const REARM_MS = 1000;

/** A certificate and its key, PEM. */
export interface Credentials {
  readonly certPem: string;
  readonly keyPem: string;
}

/** A connection whose handshake is done. */
export interface SecureConnection {
  readonly stream: TcpStream;
  readonly alpn: string | undefined;
  /** The client's address. */
  readonly address: string;
}

/** What a {@link SecureListener} needs. */
export interface SecureListenerOptions {
  /** `host:port`; an empty host is every address. */
  readonly addr: string;
  readonly credentials: Credentials;
  /** The protocols that are offered, in order of preference. */
  readonly alpn: readonly string[];
  readonly sockets: Sockets;
  readonly log: LogSink;
  /** Serves a connection; resolves when it has ended, whoever ended it. Must not throw. */
  readonly serve: (connection: SecureConnection) => Promise<void>;
  /** Default: 512. */
  readonly maxConnections?: number;
  /** Default: 64. */
  readonly maxOfSource?: number;
  /** From the first octet to the end of the handshake; default: 10 s. */
  readonly handshakeTimeoutMs?: number;
}

/**
 * Accepts TLS for an API: so many connections in all and of one source, and none that does not
 * finish its handshake in time. Whoever is over a limit gets a RST before anything is read.
 */
export class SecureListener {
  readonly #options: SecureListenerOptions;
  readonly #handshakes: Handshakes;
  readonly #bySource = new Map<string, number>();
  readonly #streams = new Set<TcpStream>();
  #acceptor: StreamAcceptor;
  #listener: TcpListener | undefined;
  #rearm: ReturnType<typeof setInterval> | undefined;

  private constructor(options: SecureListenerOptions) {
    this.#options = options;
    this.#handshakes = new Handshakes({ timeoutMs: options.handshakeTimeoutMs });
    this.#acceptor = this.#acceptorOf(options.credentials);
  }

  /**
   * Listens.
   *
   * @throws {Error} if the address cannot be bound, or the certificate not be used.
   */
  static async listen(options: SecureListenerOptions): Promise<SecureListener> {
    const listener = new SecureListener(options);
    const endpoint = parseListenEndpoint(options.addr);
    if (!endpoint.ok) throw new TypeError(`cannot listen on ${options.addr}: ${endpoint.reason}`);
    listener.#listener = await options.sockets
      .listen(endpoint.value, (stream) => listener.#accept(stream));
    listener.#rearm = setInterval(() => listener.#listener?.rearm(), REARM_MS);
    return listener;
  }

  /** The port that is listened on. */
  get port(): number {
    return this.#listener?.port ?? 0;
  }

  /** Connections that are open. */
  get size(): number {
    return this.#streams.size;
  }

  /**
   * New connections get another certificate.
   *
   * @throws {Error} if it cannot be used; the one before stays.
   */
  present(credentials: Credentials): void {
    this.#acceptor = this.#acceptorOf(credentials);
  }

  /** Accepts no more; connections go on. */
  stop(): void {
    clearInterval(this.#rearm);
    this.#listener?.close();
    this.#listener = undefined;
  }

  /** Cuts what is still open. */
  cut(): void {
    for (const stream of this.#streams) stream.reset();
  }

  #acceptorOf({ certPem, keyPem }: Credentials): StreamAcceptor {
    return new StreamAcceptor({ certPem, keyPem, alpn: this.#options.alpn });
  }

  #accept(stream: TcpStream): void {
    const address = stream.peerName()?.address;
    const ip = address === undefined ? undefined : parseIp(address);
    const { maxConnections = MAX_OPEN, maxOfSource = MAX_OF_SOURCE } = this.#options;
    if (address === undefined || ip === undefined || !ip.ok) return stream.reset();
    const source = sourceKey(ip.value);
    const own = this.#bySource.get(source) ?? 0;
    if (own >= maxOfSource || this.#streams.size >= maxConnections) return stream.reset();
    this.#bySource.set(source, own + 1);
    this.#streams.add(stream);
    this.#serve(stream, { address, source }).catch((error) => {
      const fields = { error: describeError(error) };
      this.#options.log({ level: "error", message: "a connection to the API failed", fields });
    }).finally(() => {
      stream.close();
      this.#streams.delete(stream);
      const left = (this.#bySource.get(source) ?? 1) - 1;
      if (left > 0) this.#bySource.set(source, left);
      else this.#bySource.delete(source);
    });
  }

  async #serve(
    stream: TcpStream,
    { address, source }: { readonly address: string; readonly source: string },
  ): Promise<void> {
    const handshakes = this.#handshakes;
    const secure = await this.#acceptor.accept(stream, NOTHING, { handshakes, source });
    if (!secure.ok) return stream.reset();
    await this.#options.serve({ stream: secure.stream, alpn: secure.alpn, address });
  }
}

const NOTHING = new Uint8Array(0);
