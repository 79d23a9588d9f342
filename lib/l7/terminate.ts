import { type AcceptOptions, StreamAcceptor, type TlsFailure } from "../tls/mod.ts";
import type { TcpStream } from "../tcp/mod.ts";

/** The protocols that are offered, in order of preference. */
const ALPN_PROTOCOLS = ["h2", "http/1.1"];

/** A finished handshake, or why there is none. The stream is silent. */
export type Termination =
  | { readonly ok: true; readonly stream: TcpStream; readonly alpn: "h2" | "http/1.1" }
  | TlsFailure;

/** TLS for HTTP with this certificate. */
export function createHttpAcceptor(
  { certPem, keyPem }: { readonly certPem: string; readonly keyPem: string },
): StreamAcceptor {
  return new StreamAcceptor({ certPem, keyPem, alpn: ALPN_PROTOCOLS });
}

/**
 * Terminates TLS 1.2 or 1.3 on a stream whose first octets were read already, and finds out which
 * HTTP is spoken on it. A client that fails is closed without a word of HTTP; the caller closes
 * `stream`. The route is matched anew on each ClientHello, so a ticket carries nobody to another
 * route.
 */
export async function terminateTls(
  stream: TcpStream,
  peeked: Uint8Array,
  { acceptor, ...options }: AcceptOptions & { readonly acceptor: StreamAcceptor },
): Promise<Termination> {
  const tls = await acceptor.accept(stream, peeked, options);
  if (!tls.ok) return tls;
  return { ok: true, stream: tls.stream, alpn: tls.alpn === "h2" ? "h2" : "http/1.1" };
}
