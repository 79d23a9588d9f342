/**
 * Clients over real sockets.
 *
 * @module
 */
import { once } from "node:events";
import { connect as connectSocket } from "node:net";
import { connect as connectSecure, type ConnectionOptions, TLSSocket } from "node:tls";
import { withinDeadline } from "./deadline.ts";
import { Peer } from "./peer.ts";

/** Where to connect; the default host is `127.0.0.1`. */
export interface Target {
  readonly port: number;
  readonly host?: string;
  /** The client's own address, for example `127.0.0.2`. */
  readonly localAddress?: string;
}

/**
 * Opens a TCP connection. One that was accepted and reset at once is returned too, with the ending
 * `reset`: whether its RST arrives before or after the `connect` event is a matter of luck.
 */
export async function connectRaw(
  { port, host = "127.0.0.1", localAddress }: Target,
): Promise<Peer> {
  const socket = connectSocket({
    port,
    host,
    allowHalfOpen: true,
    ...localAddress !== undefined && { localAddress },
  });
  const peer = new Peer(socket);
  try {
    await established(peer, "connect");
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ECONNRESET")) throw error;
  }
  return peer;
}

/**
 * A TLS client connection. Deno reports a RST below TLS as an `end`: where the difference matters,
 * use {@link connectRaw}.
 */
export class TlsPeer extends Peer {
  override readonly socket: TLSSocket;
  readonly #transport: Peer;

  constructor(socket: TLSSocket, transport: Peer) {
    super(socket);
    this.socket = socket;
    this.#transport = transport;
  }

  /** The protocol chosen by ALPN, `false` when none. */
  get alpnProtocol(): string | false | null {
    return this.socket.alpnProtocol;
  }

  /** Sends a RST without a close_notify. */
  override reset(): void {
    this.#transport.reset();
  }

  // A TLS socket that fails its handshake leaves the connection below it open.
  override async [Symbol.asyncDispose](): Promise<void> {
    await super[Symbol.asyncDispose]();
    await this.#transport[Symbol.asyncDispose]();
  }
}

/** Settings of {@link connectTls}; whatever `tls.connect` takes may be added. */
export interface TlsTarget extends Target, Omit<ConnectionOptions, "port" | "host"> {
  readonly servername: string;
}

/**
 * Opens a TLS connection and completes the handshake; rejects when that fails, with the reset or
 * alert as the cause. Pass `prefix` to send something, such as a PROXY header, before the hello.
 */
export async function connectTls(
  { port, host, localAddress, prefix, ...options }: TlsTarget & { prefix?: Uint8Array },
): Promise<TlsPeer> {
  const raw = await connectRaw({
    port,
    ...host !== undefined && { host },
    ...localAddress !== undefined && { localAddress },
  });
  if (prefix !== undefined) await raw.write(prefix);
  raw.socket.removeAllListeners("data").pause();
  const peer = new TlsPeer(
    connectSecure({ ...options, socket: raw.socket }),
    raw,
  );
  await established(peer, "secureConnect");
  return peer;
}

async function established(peer: Peer, event: "connect" | "secureConnect"): Promise<void> {
  try {
    await withinDeadline(once(peer.socket, event), event);
  } catch (error) {
    await peer[Symbol.asyncDispose]();
    throw error;
  }
}
