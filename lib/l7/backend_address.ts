import type { Socket } from "node:net";
import tls, { type TLSSocket } from "node:tls";
import { type Endpoint, formatEndpoint, parseIp } from "../addr/mod.ts";
import { describeError } from "../observe/mod.ts";
import { type Connect, dial, type Lookup } from "../relay/mod.ts";
import { NodeStream, type TcpStream } from "../tcp/mod.ts";

/** How a backend is reached over TLS. */
export interface BackendTls {
  /** Check the certificate against `caPem`, or the system's authorities, and the name. */
  readonly verify: boolean;
  readonly caPem?: string | undefined;
  /** Sent as SNI and checked; default: the backend's host if it is a name. */
  readonly serverName?: string | undefined;
}

/** Where a backend is and what its connections begin with. */
export interface BackendAddress {
  readonly endpoint: Endpoint;
  /** Absent: plain TCP. */
  readonly tls?: BackendTls | undefined;
  /** A PROXY protocol header for the connections of one client. */
  readonly proxyHeader?: Uint8Array | undefined;
}

/** A connection to a backend, silent. */
export interface Dialled {
  readonly stream: TcpStream;
  /** What `stream` is on, if it is TLS. */
  readonly secure: TLSSocket | undefined;
}

/**
 * Opens a connection to a backend: TCP, then the PROXY header, then TLS with `alpn` as the wanted
 * protocols. `signal` gives all of it up.
 *
 * @throws {DialError} for TCP, and an error that says what TLS failed of.
 */
export async function connectBackend(
  address: BackendAddress,
  { signal, lookup, connect, alpn }: {
    readonly signal: AbortSignal;
    readonly lookup: Lookup;
    readonly connect: Connect<TcpStream>;
    readonly alpn: readonly string[];
  },
): Promise<Dialled> {
  const stream = await dial(address.endpoint, { deadline: signal, lookup, connect });
  if (address.proxyHeader !== undefined) stream.write(address.proxyHeader);
  if (address.tls === undefined) return { stream, secure: undefined };
  const secure = await startTls(stream.toSocket(), address, { alpn, signal });
  return { stream: new NodeStream(secure, { below: stream }), secure };
}

function startTls(
  socket: Socket,
  { endpoint, tls: options }: BackendAddress,
  { alpn, signal }: { readonly alpn: readonly string[]; readonly signal: AbortSignal },
): Promise<TLSSocket> {
  const { promise, resolve, reject } = Promise.withResolvers<TLSSocket>();
  // Its last flight must not hold the request behind it back.
  socket.setNoDelay(true);
  const hostIsName = !parseIp(endpoint.host).ok;
  const serverName = options?.serverName || (hostIsName ? endpoint.host : "");
  const secure = tls.connect({
    socket,
    ALPNProtocols: [...alpn],
    rejectUnauthorized: options?.verify ?? false,
    ...options?.caPem !== undefined && { ca: options.caPem },
    ...serverName !== "" ? { servername: serverName } : { host: endpoint.host },
  });
  const fail = (reason: string) => {
    signal.removeEventListener("abort", abandon);
    secure.destroy();
    socket.destroy();
    reject(new Error(`TLS with ${formatEndpoint(endpoint)}: ${reason}`));
  };
  const abandon = () => fail("given up");
  secure.on("error", (error) => fail(describeError(error))); // For good, as above.
  signal.addEventListener("abort", abandon, { once: true });
  secure.once("close", () => fail("closed during the handshake"));
  secure.once("secureConnect", () => {
    signal.removeEventListener("abort", abandon);
    resolve(secure);
  });
  return promise;
}
