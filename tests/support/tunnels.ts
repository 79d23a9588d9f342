/**
 * Clients that ask for a WebSocket over either version of HTTP and see octets, not messages.
 *
 * @module
 */
import type { H2Stream } from "../../lib/h2/mod.ts";
import type { TlsPeer } from "./clients.ts";
import { eventually, withinDeadline } from "./deadline.ts";
import { attachSession } from "./h2_socket.ts";
import { connectRawTls, HOST } from "./l7.ts";

/** The key of RFC 6455 §1.3 and what accepts it. */
export const WEBSOCKET_KEY = "dGhlIHNhbXBsZSBub25jZQ==";
export const WEBSOCKET_ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/** What a client sees of its tunnel. */
export interface RawTunnel extends AsyncDisposable {
  /** Of the answer: `101` over HTTP/1.1 and `200` over HTTP/2 when it is open. */
  readonly status: number;
  /** Octets after the head. */
  text(): string;
  send(text: string): void;
  /** The client ends its side. */
  end(): void;
  /** The proxy ended the tunnel, in whatever way. */
  ended(): boolean;
  readonly peer: TlsPeer;
}

/** Both versions by name. */
export const TUNNELS = { "http/1.1": overHttp1, "h2": overHttp2 } as const;

async function overHttp1(port: number): Promise<RawTunnel> {
  const peer = await connectRawTls({ port });
  await peer.write(
    `GET /tunnel HTTP/1.1\r\nHost: ${HOST}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
      `Sec-WebSocket-Key: ${WEBSOCKET_KEY}\r\nSec-WebSocket-Version: 13\r\n\r\n`,
  );
  await eventually(() => peer.text.includes("\r\n\r\n"), "an answer");
  return {
    peer,
    status: Number(peer.text.split(" ", 2)[1]),
    text: () => peer.text.slice(peer.text.indexOf("\r\n\r\n") + 4),
    send: (text) => void peer.socket.write(text),
    end: () => void peer.socket.end(),
    ended: () => peer.socket.readableEnded || peer.socket.destroyed,
    [Symbol.asyncDispose]: () => peer[Symbol.asyncDispose](),
  };
}

async function overHttp2(port: number): Promise<RawTunnel> {
  const peer = await connectRawTls({ port, alpn: "h2" });
  const settled = Promise.withResolvers<void>();
  const answered = Promise.withResolvers<number>();
  let received = "";
  let over = false;
  const session = attachSession(peer.socket, "client", {
    onSettings: () => settled.resolve(),
    onResponse: (_, head, end) => {
      if (head.status >= 200) answered.resolve(head.status);
      if (end) over = true;
    },
    onData: (stream, bytes, end) => {
      received += new TextDecoder().decode(bytes);
      stream.consume(bytes.length);
      if (end) over = true;
    },
    onReset: (_, { code }) => {
      over = true;
      answered.reject(new Error(`reset with ${code}`));
    },
  });
  answered.promise.catch(() => {});
  // What came with the end of the handshake.
  session.receive(peer.received, performance.now());
  await withinDeadline(settled.promise, "the proxy's SETTINGS");
  const stream: H2Stream = session.request({
    method: "CONNECT",
    protocol: "websocket",
    scheme: "https",
    authority: HOST,
    path: "/tunnel",
    fields: ["sec-websocket-version", "13"],
  });
  return {
    peer,
    status: await withinDeadline(answered.promise, "an answer"),
    text: () => received,
    send: (text) => void stream.sendData(new TextEncoder().encode(text)),
    end: () => void stream.sendData(new Uint8Array(0), true),
    ended: () => over || stream.closed || peer.socket.destroyed,
    [Symbol.asyncDispose]: () => peer[Symbol.asyncDispose](),
  };
}
