/**
 * Backends on `127.0.0.1` and a free port, which keep what they received.
 *
 * @module
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { createServer as createSecureServer, type TlsOptions } from "node:tls";
import { eventually, withinDeadline } from "./deadline.ts";
import { Peer } from "./peer.ts";

/** Settings of {@link startBackend}. */
export interface BackendOptions {
  /** What to do with a connection; the default is to read it and do nothing. */
  readonly onConnection?: (peer: Peer) => void;
  /** Makes it a TLS server; handshakes that fail are kept in {@link Backend.tlsErrors}. */
  readonly tls?: TlsOptions;
  /** Default `127.0.0.1`. */
  readonly host?: string;
  /** Default: any free port. */
  readonly port?: number;
}

/** A running backend. Disposing of it fails the test when a connection is left open. */
export class Backend implements AsyncDisposable {
  /** Every connection so far, in the order of acceptance. */
  readonly connections: Peer[] = [];
  /** Handshakes that failed. */
  readonly tlsErrors: Error[] = [];
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  constructor(server: Server, options: BackendOptions) {
    this.#server = server;
    server.on("connection", (socket: Socket) => {
      socket.on("error", () => {});
      this.#sockets.add(socket);
      socket.once("close", () => this.#sockets.delete(socket));
    });
    server.on("tlsClientError", (error: Error) => this.tlsErrors.push(error));
    server.on(options.tls ? "secureConnection" : "connection", (socket: Socket) => {
      const peer = new Peer(socket);
      this.connections.push(peer);
      options.onConnection?.(peer);
    });
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** `host:port`, as a route names it. */
  get address(): string {
    const { address, port, family } = this.#server.address() as AddressInfo;
    return family === "IPv6" ? `[${address}]:${port}` : `${address}:${port}`;
  }

  /** Connections that are open now. */
  get open(): number {
    return this.#sockets.size;
  }

  /** Waits for the connection number `index`, counted from 0. */
  async connection(index = 0): Promise<Peer> {
    await eventually(() => this.connections.length > index, `backend connection ${index}`);
    const peer = this.connections[index];
    assert.ok(peer);
    return peer;
  }

  /** Waits until no connection is open. */
  async idle(): Promise<void> {
    await eventually(() => this.open === 0, "the backend's last connection closes");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.resume();
    try {
      await this.idle();
    } finally {
      for (const socket of this.#sockets) socket.destroy();
      this.#server.close();
      await withinDeadline(once(this.#server, "close"), "the backend closes");
    }
  }
}

/** Starts a backend that does what `onConnection` says. */
export async function startBackend(options: BackendOptions = {}): Promise<Backend> {
  // Not half-open for TLS: Deno does not report a FIN in the middle of a handshake then.
  const server = options.tls
    ? createSecureServer(options.tls)
    : createServer({ allowHalfOpen: true });
  const backend = new Backend(server, options);
  server.listen(options.port ?? 0, options.host ?? "127.0.0.1");
  await withinDeadline(once(server, "listening"), "the backend listens");
  return backend;
}

/** Sends back what it receives, and ends when the client does. */
export function startEchoBackend(options: BackendOptions = {}): Promise<Backend> {
  return startBackend({ ...options, onConnection: ({ socket }) => void socket.pipe(socket) });
}

/** Keeps what it receives, answers nothing, and ends when the client does. */
export function startRecordingBackend(options: BackendOptions = {}): Promise<Backend> {
  return startBackend({
    ...options,
    onConnection: ({ socket }) => void socket.on("end", () => socket.end()),
  });
}

/** Accepts, and then neither reads nor writes: its receive window fills up. */
export function startSilentBackend(options: BackendOptions = {}): Promise<Backend> {
  return startBackend({
    ...options,
    onConnection({ socket }) {
      socket.pause();
      socket.on("end", () => socket.end());
    },
  });
}

/** Sends `reply` and a FIN at once, and goes on reading until the client ends. */
export function startHalfClosingBackend(
  reply: string | Uint8Array,
  options: BackendOptions = {},
): Promise<Backend> {
  return startBackend({ ...options, onConnection: (peer) => peer.end(reply) });
}

/** Sends a RST as soon as it has received anything. */
export function startResettingBackend(options: BackendOptions = {}): Promise<Backend> {
  return startBackend({
    ...options,
    onConnection: (peer) => void peer.socket.once("data", () => peer.reset()),
  });
}

/** A TLS server that greets with `name` and a newline, and then sends back what it receives. */
export function startTlsBackend(
  name: string,
  { certPem, keyPem }: { readonly certPem: string; readonly keyPem: string },
  options: BackendOptions = {},
): Promise<Backend> {
  return startBackend({
    ...options,
    tls: { cert: certPem, key: keyPem, ...options.tls },
    onConnection({ socket }) {
      socket.write(`${name}\n`);
      socket.pipe(socket);
    },
  });
}

/** An address whose connections are neither taken nor refused: their first packets are dropped. */
export interface BlackHole extends Disposable {
  readonly address: string;
}

/** Starts one: a listener that never accepts, whose queue is full. */
export async function startBlackHole(): Promise<BlackHole> {
  // Not among the types yet (Deno 2.9.6): how many connections may wait to be accepted.
  const options = { hostname: "127.0.0.1", port: 0, tcpBacklog: 0 };
  const listener = Deno.listen(options);
  const { port } = listener.addr as Deno.NetAddr;
  const first = await Deno.connect({ hostname: "127.0.0.1", port });
  return {
    address: `127.0.0.1:${port}`,
    [Symbol.dispose]() {
      first.close();
      listener.close();
    },
  };
}
