import type { Socket } from "node:net";
import { createServer, type Server, TLSSocket } from "node:tls";
import { describeError } from "../observe/mod.ts";
import type { Handshakes } from "./handshakes.ts";

/** The runtime's own deadline, which must never be the one that ends a handshake. */
const NEVER_MS = 2 ** 30;

/** How a client that has gone is reported, depending on whether a read or a write meets it first. */
export const GONE: ReadonlySet<string> = new Set(["ECONNRESET", "EPIPE"]);

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

/** Whose handshake it is. */
export interface AcceptOptions {
  /** Those of this worker. */
  readonly handshakes: Handshakes;
  /** What the client is counted as; see `sourceKey` in lib/addr. */
  readonly source: string;
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
    this.#server.on("tlsClientError", (error: NodeJS.ErrnoException, secure) => {
      const outcome = GONE.has(error.code ?? "") ? "client_gone" : "tls_failed";
      this.#waitingFor(secure)?.(failure(outcome, describeError(error)));
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
    { handshakes, source }: AcceptOptions,
  ): Promise<Termination> {
    const { promise, resolve } = Promise.withResolvers<Termination>();
    let secure: TLSSocket | undefined = undefined;
    const settle = (result: Termination) => {
      clearTimeout(timer);
      end();
      socket.off("close", onGone);
      secure?.off("end", onGone);
      this.#waiting.delete(socket);
      resolve(result);
    };
    // The socket is closed, or its end is told, before what was read ahead of it.
    const onGone = () => {
      setImmediate(() => settle(failure("client_gone", "closed during the TLS handshake")));
    };
    const timer = setTimeout(
      () => settle(failure("tls_timeout", "the TLS handshake was not finished in time")),
      handshakes.timeoutMs,
    );
    const end = handshakes.begin(
      source,
      () => settle(failure("tls_timeout", "it gave way to newer handshakes: too many under way")),
    );
    socket.once("close", onGone);
    this.#waiting.set(socket, settle);
    handshakes.inTurn(() => {
      // It may have ended while it waited.
      if (!this.#waiting.has(socket)) return;
      socket.unshift(peeked);
      this.#server.emit("connection", socket);
      secure = secureSocketOf(socket)?.once("end", onGone);
      if (socket.destroyed) onGone();
    });
    return promise;
  }
}

/**
 * The TLS socket that reads from this one now. The server hands it out with the end of the handshake
 * only, but its `end` is the only sign of a client that has left before: the socket below is silent
 * while its handle is in use above it. The handle names its user under a symbol of the runtime's
 * own; without it a client that leaves would be noticed at the deadline.
 */
function secureSocketOf(socket: Socket): TLSSocket | undefined {
  const { _handle: handle } = socket as unknown as { _handle?: Record<symbol, unknown> | null };
  if (!handle) return undefined;
  for (const symbol of Object.getOwnPropertySymbols(handle)) {
    const owner = handle[symbol];
    if (owner instanceof TLSSocket) return owner;
  }
  return undefined;
}

function failure(outcome: TlsFailure["outcome"], reason: string): TlsFailure {
  return { ok: false, outcome, reason };
}
