/**
 * The runtime's TLS (rustls) on a TCP handle, which lies below `node:tls`. These are internals too:
 * `check_tls.ts` checks at start what this file claims of them, and nothing else of the program
 * knows them. Learned from the sources of Deno 2.9 (ext/node/ops/tls_wrap.rs).
 *
 * @module
 */
import net from "node:net";
import tls from "node:tls";
import type { Request, TcpHandle } from "./_binding.ts";

/** Certificate, key and the rest of what `node:tls` makes a configuration of. */
export type TlsContext = Readonly<Record<string, unknown>>;

/**
 * TLS over one {@link TcpHandle}. It writes to that by itself, and reads what it is given.
 * Numbers returned are 0 or a negative errno.
 */
export interface TlsHandle {
  /** Called with the count in `state[READ]`; taken when `readStart()` is called, not later. */
  onread: (this: TlsHandle) => void;
  onhandshakedone: (this: TlsHandle) => void;
  /** The other side has broken TLS; an alert is on its way to it. */
  onerror: (this: TlsHandle, error: Error & { readonly code?: string }) => void;
  /** Ours. */
  owner?: unknown;
  initServerTls(context: TlsContext): number;
  setAlpnProtocols(protocols: readonly string[]): void;
  attach(handle: TcpHandle): number;
  /** Whose `onread` and so on are called. It is kept alive until {@link destroySsl}. */
  setHandle(self: TlsHandle): void;
  start(): number;
  /** Takes octets from the network; what they say is told inside this call. */
  receive(bytes: Uint8Array): void;
  /** The network brings no more; tells what is left, and the end. */
  emitEof(): void;
  /** Tells what comes, and what has come before. */
  readStart(): number;
  /** What is told lies there. */
  useUserBuffer(buffer: Uint8Array): void;
  /**
   * Takes a copy. One that is given the next piece before it has encrypted all of the last loses
   * some: it encrypts 48 KiB at once, and more when that has gone out. `request` is told of the end
   * of the last write alone, which is that of all.
   */
  writeBuffer(request: Request, bytes: Uint8Array): number;
  /** Sends close_notify and a FIN. */
  shutdown(request: Request): number;
  getAlpnNegotiatedProtocol(out: { alpnProtocol?: string | false }): number;
  setClosing(): void;
  /** Tells the last write that it failed. */
  cancelWrite(): void;
  /** Frees what TLS holds; nothing is told after it. */
  destroySsl(): void;
}

/** Makes a TLS handle for the server's side. */
export type CreateTlsHandle = () => TlsHandle;

const SERVER = 1;

interface SocketInternals {
  readonly _handle?: { readonly constructor: unknown } | null;
}

/**
 * Finds the class of the handles, which has no public name.
 *
 * @throws {TypeError} if it is not there.
 */
export function loadTlsBinding(): CreateTlsHandle {
  const options = { isServer: true, secureContext: tls.createSecureContext({}) };
  const socket = new tls.TLSSocket(new net.Socket(), options);
  const Handle = (socket as unknown as SocketInternals)._handle?.constructor;
  socket.on("error", () => {});
  socket.destroy();
  if (typeof Handle !== "function" || typeof Handle.prototype.receive !== "function") {
    throw new TypeError("node:tls has no handles");
  }
  const TlsWrap = Handle as new (kind: number, provider: number) => TlsHandle;
  return () => new TlsWrap(SERVER, 0);
}

/** What a {@link TlsHandle} is made by. */
export interface TlsCredentials {
  readonly context: TlsContext;
  /** In order of preference. */
  readonly alpn: readonly string[];
}

/**
 * Reads a certificate and its key for the server's side, without asking for a client's.
 *
 * @throws {Error} what `node:tls` throws for those that it cannot use.
 */
export function tlsCredentials(
  { certPem, keyPem, alpn = [] }: {
    readonly certPem: string;
    readonly keyPem: string;
    readonly alpn?: readonly string[];
  },
): TlsCredentials {
  const made = tls.createSecureContext({ cert: certPem, key: keyPem }) as { context?: TlsContext };
  if (made.context === undefined) throw new TypeError("a secure context without a context");
  return { context: { ...made.context, requestCert: false, rejectUnauthorized: true }, alpn };
}
