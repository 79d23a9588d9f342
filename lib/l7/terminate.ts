import type { Socket } from "node:net";
import { type SecureContext, TLSSocket } from "node:tls";
import { describeError } from "../observe/mod.ts";

/** From the ClientHello to the end of the handshake, in milliseconds. */
export const HANDSHAKE_TIMEOUT_MS = 10_000;

/** The protocols that are offered, in order of preference. */
const ALPN_PROTOCOLS = ["h2", "http/1.1"];

/** A finished handshake, or why there is none. */
export type Termination =
  | { readonly ok: true; readonly socket: TLSSocket; readonly alpn: "h2" | "http/1.1" }
  | {
    readonly ok: false;
    readonly outcome: "tls_failed" | "tls_timeout" | "client_gone";
    readonly reason: string;
  };

/**
 * Terminates TLS 1.2 or 1.3 on a socket whose first octets were read already. Those go back in
 * front, so the ClientHello is handed over exactly once. A client that fails is closed without a
 * word of HTTP; the caller closes `socket`.
 *
 * Sessions are resumed only under the server name they were made for: the runtime's TLS binds
 * tickets to it, and the route is matched anew on each ClientHello, so a ticket carries nobody to
 * another route.
 */
export function terminateTls(
  socket: Socket,
  peeked: Uint8Array,
  { context, timeoutMs = HANDSHAKE_TIMEOUT_MS }: {
    readonly context: SecureContext;
    readonly timeoutMs?: number;
  },
): Promise<Termination> {
  const { promise, resolve } = Promise.withResolvers<Termination>();
  socket.unshift(peeked);
  const secure = new TLSSocket(socket, {
    isServer: true,
    secureContext: context,
    ALPNProtocols: ALPN_PROTOCOLS,
  });
  const settle = (result: Termination) => {
    clearTimeout(timer);
    secure.off("secure", onSecure);
    secure.off("close", onClose);
    if (!result.ok) secure.destroy();
    resolve(result);
  };
  const onClose = () => settle(failure("client_gone", "closed during the TLS handshake"));
  // Stays for the life of the socket: an error event without a listener ends the process.
  secure.on("error", (error) => settle(failure("tls_failed", describeError(error))));
  const onSecure = () => {
    const alpn = secure.alpnProtocol === "h2" ? "h2" : "http/1.1";
    settle({ ok: true, socket: secure, alpn });
  };
  const timer = setTimeout(
    () => settle(failure("tls_timeout", "the TLS handshake was not finished in time")),
    timeoutMs,
  );
  secure.once("secure", onSecure);
  secure.once("close", onClose);
  return promise;
}

function failure(outcome: "tls_failed" | "tls_timeout" | "client_gone", reason: string) {
  return { ok: false, outcome, reason } as const;
}
