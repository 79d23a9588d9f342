import { describeError } from "../observe/mod.ts";
import {
  NO_HANDLER,
  NodeStream,
  StreamError,
  type TcpStream,
  type TlsCredentials,
  tlsCredentials,
  type TlsHandler,
} from "../tcp/mod.ts";
import { type AcceptOptions, GONE, TlsAcceptor, type TlsFailure } from "./acceptor.ts";
import type { Handshakes } from "./handshakes.ts";

/** A stream whose handshake is done, silent; or why there is none. */
export type SecureStream =
  | { readonly ok: true; readonly stream: TcpStream; readonly alpn: string | undefined }
  | TlsFailure;

/**
 * Terminates TLS 1.2 and 1.3 with one certificate, for clients that show none: on the runtime's
 * handles where these carry TCP, and with `node:tls` elsewhere. Of sessions the same holds as for
 * {@link TlsAcceptor}.
 */
export class StreamAcceptor {
  readonly #options: {
    readonly certPem: string;
    readonly keyPem: string;
    readonly alpn: readonly string[];
  };
  readonly #credentials: TlsCredentials;
  #fallback: TlsAcceptor | undefined;

  /** @throws {Error} what node:tls throws for a certificate or key that it cannot use. */
  constructor(options: {
    readonly certPem: string;
    readonly keyPem: string;
    /** The protocols that are offered, in order of preference. */
    readonly alpn: readonly string[];
  }) {
    this.#options = options;
    this.#credentials = tlsCredentials(options);
  }

  /** Serves a handshake; `peeked` was read before. After a failure the caller closes `stream`. */
  async accept(
    stream: TcpStream,
    peeked: Uint8Array,
    options: AcceptOptions,
  ): Promise<SecureStream> {
    if (stream.acceptTls !== undefined) {
      return await new Handshake(options).serve(stream, peeked, this.#credentials);
    }
    this.#fallback ??= new TlsAcceptor(this.#options);
    const tls = await this.#fallback.accept(stream.toSocket(), peeked, options);
    if (!tls.ok) return tls;
    const secure = new NodeStream(tls.socket, { below: stream });
    return { ok: true, stream: secure, alpn: tls.socket.alpnProtocol || undefined };
  }
}

/** One handshake on a handle, from its hello to its end. */
class Handshake implements TlsHandler {
  readonly onWriteError = NO_HANDLER.onWriteError;
  readonly onDrain = NO_HANDLER.onDrain;
  readonly onData = NO_HANDLER.onData;
  readonly #settled = Promise.withResolvers<SecureStream>();
  readonly #timer: ReturnType<typeof setTimeout>;
  readonly #end: () => void;
  #stream: TcpStream | undefined;
  #alpn: string | undefined;
  #isSecure = false;
  #over = false;
  readonly #handshakes: Handshakes;

  constructor({ handshakes, source }: AcceptOptions) {
    this.#handshakes = handshakes;
    const late = "the TLS handshake was not finished in time";
    this.#timer = setTimeout(() => this.#fail("tls_timeout", late), handshakes.timeoutMs);
    const crowded = "it gave way to newer handshakes: too many under way";
    this.#end = handshakes.begin(source, () => this.#fail("tls_timeout", crowded));
  }

  serve(
    stream: TcpStream,
    peeked: Uint8Array,
    credentials: TlsCredentials,
  ): Promise<SecureStream> {
    this.#handshakes.inTurn(() => {
      if (this.#over) return;
      if (stream.closed) return this.onEnd();
      try {
        this.#stream = stream.acceptTls?.(peeked, { credentials, handler: this });
      } catch (error) {
        this.#fail("tls_failed", describeError(error));
      }
      this.#succeed();
    });
    return this.#settled.promise;
  }

  onSecure(alpn: string | undefined): void {
    this.#alpn = alpn;
    this.#isSecure = true;
    this.#succeed();
  }

  onEnd(): void {
    this.#fail("client_gone", "closed during the TLS handshake");
  }

  onReadError(error: StreamError): void {
    if (GONE.has(error.code)) this.onEnd();
    else this.#fail("tls_failed", describeError(error));
  }

  /** The handshake may be done before the call that begins it has ended, and so has no stream. */
  #succeed(): void {
    if (!this.#isSecure || this.#stream === undefined) return;
    this.#settle({ ok: true, stream: this.#stream, alpn: this.#alpn });
  }

  #fail(outcome: TlsFailure["outcome"], reason: string): void {
    this.#settle({ ok: false, outcome, reason });
  }

  #settle(result: SecureStream): void {
    this.#over = true;
    clearTimeout(this.#timer);
    this.#end();
    this.#settled.resolve(result);
  }
}
