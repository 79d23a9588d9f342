import net, { type Socket } from "node:net";
import tls from "node:tls";
import { type Endpoint, formatEndpoint, parseIp } from "../addr/mod.ts";
import { describeError, type Descriptors } from "../observe/mod.ts";
import { type Connect, dial, type Lookup } from "../relay/mod.ts";
import type { TcpStream } from "../tcp/mod.ts";

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

/**
 * Opens a connection to a backend: TCP, then the PROXY header, then TLS with `alpn` as the wanted
 * protocols. `signal` gives all of it up.
 *
 * @throws {DialError} for TCP, and an error that says what TLS failed of.
 */
export async function connectBackend(
  address: BackendAddress,
  { signal, lookup, descriptors, alpn }: {
    readonly signal: AbortSignal;
    readonly lookup: Lookup;
    readonly descriptors: Descriptors;
    readonly alpn: readonly string[];
  },
): Promise<Socket> {
  const options = { deadline: signal, lookup, connect: connectSocket(descriptors) };
  const { socket } = await dial(address.endpoint, options);
  if (address.proxyHeader !== undefined) socket.write(address.proxyHeader);
  if (address.tls === undefined) return socket;
  return await startTls(socket, address, { alpn, signal });
}

/**
 * Opens a connection to a backend without TLS: TCP, then the PROXY header.
 *
 * @throws {DialError}
 */
export async function connectPlain(
  { endpoint, proxyHeader }: BackendAddress,
  { signal, lookup, connect }: {
    readonly signal: AbortSignal;
    readonly lookup: Lookup;
    readonly connect: Connect<TcpStream>;
  },
): Promise<TcpStream> {
  const stream = await dial(endpoint, { deadline: signal, lookup, connect });
  if (proxyHeader !== undefined) stream.write(proxyHeader);
  return stream;
}

/** A `net.Socket` in the shape that `dial` wants. */
class DialedSocket {
  constructor(readonly socket: Socket) {}

  close(): void {
    this.socket.destroy();
  }
}

function connectSocket(descriptors: Descriptors): Connect<DialedSocket> {
  return (target) =>
    descriptors.acquire(1)
      ? openSocket(target, () => descriptors.release(1))
      : Promise.reject(new Error("too many open files"));
}

function openSocket(
  { hostname, port, signal }: Parameters<Connect<DialedSocket>>[0],
  onClose: () => void,
): Promise<DialedSocket> {
  const { promise, resolve, reject } = Promise.withResolvers<DialedSocket>();
  const socket = net.connect({ host: hostname, port });
  socket.once("close", onClose);
  socket.on("error", (error) => reject(error)); // Stays for the life of the socket.
  const abort = () => {
    socket.destroy();
    reject(signal.reason);
  };
  signal.addEventListener("abort", abort, { once: true });
  socket.once("connect", () => {
    signal.removeEventListener("abort", abort);
    socket.setNoDelay(true);
    resolve(new DialedSocket(socket));
  });
  return promise;
}

function startTls(
  socket: Socket,
  { endpoint, tls: options }: BackendAddress,
  { alpn, signal }: { readonly alpn: readonly string[]; readonly signal: AbortSignal },
): Promise<Socket> {
  const { promise, resolve, reject } = Promise.withResolvers<Socket>();
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
