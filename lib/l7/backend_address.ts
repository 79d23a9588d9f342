import net, { type Socket } from "node:net";
import tls from "node:tls";
import { type Endpoint, formatEndpoint, parseIp } from "../addr/mod.ts";
import { describeError } from "../observe/mod.ts";
import { type Connect, type ConnectDeadlines, dial, DialError } from "../relay/mod.ts";
import { ErrorCode } from "../h2/mod.ts";
import type { BackendFailure } from "./message.ts";

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

/** A backend that could not be connected to, in the words of {@link BackendFailure}. */
export class BackendConnectError extends Error {
  override readonly name = "BackendConnectError";
  readonly code: "unreachable" | "timeout";

  constructor(code: BackendConnectError["code"], message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }

  /** As a transport reports it. */
  get failure(): BackendFailure {
    return {
      kind: this.code,
      reason: describeError(this),
      unprocessed: true,
      code: ErrorCode.connectError,
    };
  }
}

/**
 * Opens a connection to a backend: TCP, then the PROXY header, then TLS with `alpn` as the wanted
 * protocols. `timeoutMs` covers all of it.
 *
 * @throws {BackendConnectError}
 */
export async function connectBackend(
  address: BackendAddress,
  { timeoutMs, deadlines, alpn }: {
    readonly timeoutMs: number;
    /** Of `timeoutMs`, for resolving and connecting. */
    readonly deadlines: ConnectDeadlines;
    readonly alpn: readonly string[];
  },
): Promise<Socket> {
  const deadline = performance.now() + timeoutMs;
  const name = formatEndpoint(address.endpoint);
  let socket: Socket;
  try {
    const options = { deadline: deadlines.signal(), connect: connectSocket };
    socket = (await dial(address.endpoint, options)).socket;
  } catch (error) {
    const code = error instanceof DialError && error.code === "timeout" ? "timeout" : "unreachable";
    throw new BackendConnectError(code, describeError(error), { cause: undefined });
  }
  if (address.proxyHeader !== undefined) socket.write(address.proxyHeader);
  if (address.tls === undefined) return socket;
  const remaining = Math.max(1, deadline - performance.now());
  return await startTls(socket, address, { name, alpn, timeoutMs: remaining });
}

/** A `net.Socket` in the shape that `dial` wants. */
class DialedSocket {
  constructor(readonly socket: Socket) {}

  close(): void {
    this.socket.destroy();
  }
}

const connectSocket: Connect<DialedSocket> = ({ hostname, port, signal }) => {
  const { promise, resolve, reject } = Promise.withResolvers<DialedSocket>();
  const socket = net.connect({ host: hostname, port });
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
};

function startTls(
  socket: Socket,
  { endpoint, tls: options }: BackendAddress,
  how: { readonly name: string; readonly alpn: readonly string[]; readonly timeoutMs: number },
): Promise<Socket> {
  const { promise, resolve, reject } = Promise.withResolvers<Socket>();
  const hostIsName = !parseIp(endpoint.host).ok;
  const serverName = options?.serverName || (hostIsName ? endpoint.host : "");
  const secure = tls.connect({
    socket,
    ALPNProtocols: [...how.alpn],
    rejectUnauthorized: options?.verify ?? false,
    ...options?.caPem !== undefined && { ca: options.caPem },
    ...serverName !== "" ? { servername: serverName } : { host: endpoint.host },
  });
  const fail = (code: BackendConnectError["code"], reason: string) => {
    clearTimeout(timer);
    secure.destroy();
    socket.destroy();
    reject(new BackendConnectError(code, `TLS with ${how.name}: ${reason}`));
  };
  secure.on("error", (error) => fail("unreachable", describeError(error))); // For good, as above.
  const timer = setTimeout(() => fail("timeout", "not finished in time"), how.timeoutMs);
  secure.once("close", () => fail("unreachable", "closed during the handshake"));
  secure.once("secureConnect", () => {
    clearTimeout(timer);
    resolve(secure);
  });
  return promise;
}
