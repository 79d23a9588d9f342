import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { type AcceptOptions, TlsAcceptor, type TlsFailure } from "../tls/mod.ts";

/** The protocols that are offered, in order of preference. */
const ALPN_PROTOCOLS = ["h2", "http/1.1"];

/** A finished handshake, or why there is none. */
export type Termination =
  | { readonly ok: true; readonly socket: TLSSocket; readonly alpn: "h2" | "http/1.1" }
  | TlsFailure;

/** A TLS server for HTTP with this certificate. */
export function createHttpAcceptor(
  { certPem, keyPem }: { readonly certPem: string; readonly keyPem: string },
): TlsAcceptor {
  return new TlsAcceptor({ certPem, keyPem, alpn: ALPN_PROTOCOLS });
}

/**
 * Terminates TLS 1.2 or 1.3 on a socket whose first octets were read already, and finds out which
 * HTTP is spoken on it. A client that fails is closed without a word of HTTP; the caller closes
 * `socket`. The route is matched anew on each ClientHello, so a ticket carries nobody to another
 * route.
 */
export async function terminateTls(
  socket: Socket,
  peeked: Uint8Array,
  { acceptor, ...options }: AcceptOptions & { readonly acceptor: TlsAcceptor },
): Promise<Termination> {
  const tls = await acceptor.accept(socket, peeked, options);
  if (!tls.ok) return tls;
  const alpn = tls.socket.alpnProtocol === "h2" ? "h2" : "http/1.1";
  // It starts to flow in the next turn, when the front listens.
  tls.socket.resume();
  return { ok: true, socket: tls.socket, alpn };
}
