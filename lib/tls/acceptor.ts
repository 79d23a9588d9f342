import type { Socket } from "node:net";
import { createServer, type Server, type TLSSocket } from "node:tls";
import { describeError } from "../observe/mod.ts";

/** From the ClientHello to the end of the handshake, in milliseconds. */
export const HANDSHAKE_TIMEOUT_MS = 10_000;

/** The runtime's own deadline, which must never be the one that ends a handshake. */
const NEVER_MS = 2 ** 30;

/** What a {@link TlsAcceptor} presents and demands. */
export interface TlsAcceptorOptions {
  readonly certPem: string;
  readonly keyPem: string;
  /** The protocols that are offered, in order of preference; none: ALPN is not spoken. */
  readonly alpn?: readonly string[];
  /**
   * PEM of the authorities of clients, one or more to a text. With it a certificate is asked for
   * and verified, but every handshake passes: the caller decides, so that it can say why it refuses.
   */
  readonly clientAuthorities?: readonly string[];
}

/** A finished handshake, or why there is none. */
export type Termination = { readonly ok: true; readonly socket: TLSSocket } | TlsFailure;

/** Why a handshake was not finished. */
export interface TlsFailure {
  readonly ok: false;
  readonly outcome: "tls_failed" | "tls_timeout" | "client_gone";
  readonly reason: string;
}

/**
 * Terminates TLS 1.2 and 1.3 with one certificate.
 *
 * Sessions are resumed only under the server name they were made for: the runtime's TLS binds
 * tickets to it. But all acceptors of a thread share them, no option turns them off (Deno 2.9.6
 * ignores `secureOptions`, `sessionTimeout` and `ticketKeys`), and a client that resumes is
 * `authorized` whatever its certificate was worth: a session of other authorities, or of a forged
 * certificate that was refused, comes back as verified. With `clientAuthorities` the caller
 * therefore checks the whole chain of every client by itself (`identifyPeer` in lib/connector).
 *
 * It goes through `tls.Server`, because only that tells whether a client certificate was verified:
 * a bare `TLSSocket` of a server leaves `authorized` at `false` (Deno 2.9.6, and Node).
 */
export class TlsAcceptor {
  readonly #server: Server;
  readonly #waiting = new WeakMap<Socket, (result: Termination) => void>();

  /** @throws {Error} what node:tls throws for a certificate or key that it cannot use. */
  constructor({ certPem, keyPem, alpn, clientAuthorities }: TlsAcceptorOptions) {
    this.#server = createServer({
      cert: certPem,
      key: keyPem,
      // Nothing is read before the caller has looked at the peer.
      pauseOnConnect: true,
      handshakeTimeout: NEVER_MS,
      ...alpn && { ALPNProtocols: [...alpn] },
      ...clientAuthorities && {
        ca: [...clientAuthorities],
        requestCert: true,
        rejectUnauthorized: false,
      },
    });
    this.#server.on("secureConnection", (secure) => {
      // Stays for the life of the socket: an error event without a listener ends the process.
      secure.on("error", () => {});
      const settle = this.#waitingFor(secure);
      if (settle === undefined) secure.destroy();
      else settle({ ok: true, socket: secure });
    });
    this.#server.on("tlsClientError", (error, secure) => {
      this.#waitingFor(secure)?.(failure("tls_failed", describeError(error)));
    });
  }

  /**
   * The socket below has no public name, here or in Node; addresses would do for a handshake that
   * succeeds, but one that failed has none any more.
   */
  #waitingFor(secure: TLSSocket): ((result: Termination) => void) | undefined {
    const { _parent: socket } = secure as { _parent?: Socket };
    return socket && this.#waiting.get(socket);
  }

  /**
   * Serves a handshake on a paused socket; `peeked` was read from it and goes back in front, so the
   * ClientHello is handed over exactly once. The TLS socket comes paused. After a failure the
   * caller closes `socket`.
   */
  accept(
    socket: Socket,
    peeked: Uint8Array,
    timeoutMs: number = HANDSHAKE_TIMEOUT_MS,
  ): Promise<Termination> {
    const { promise, resolve } = Promise.withResolvers<Termination>();
    const settle = (result: Termination) => {
      clearTimeout(timer);
      socket.off("close", onClose);
      this.#waiting.delete(socket);
      resolve(result);
    };
    // The socket is closed before the error is told that closed it.
    const onClose = () => {
      setImmediate(() => settle(failure("client_gone", "closed during the TLS handshake")));
    };
    const timer = setTimeout(
      () => settle(failure("tls_timeout", "the TLS handshake was not finished in time")),
      timeoutMs,
    );
    socket.once("close", onClose);
    this.#waiting.set(socket, settle);
    socket.unshift(peeked);
    this.#server.emit("connection", socket);
    if (socket.destroyed) onClose();
    return promise;
  }
}

function failure(outcome: TlsFailure["outcome"], reason: string): TlsFailure {
  return { ok: false, outcome, reason };
}
