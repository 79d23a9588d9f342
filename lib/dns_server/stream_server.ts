import { parseIp, sourceKey } from "../addr/mod.ts";
import type { Sockets, TcpListener, TcpStream } from "../tcp/mod.ts";
import type { Handshakes, StreamAcceptor } from "../tls/mod.ts";
import type { Connections, Place } from "./connections.ts";
import type { Responder } from "./responder.ts";
import { Session } from "./session.ts";

/** See `ActiveListener` in lib/server: the accept loop of this runtime can end for good. */
const REARM_ACCEPT_MS = 1000;

/** TLS in front of the questions of a connection (RFC 7858). */
export interface TlsFront {
  /** The certificate of now. */
  readonly acceptor: () => StreamAcceptor;
  readonly handshakes: Handshakes;
}

/** What a {@link StreamServer} needs. */
export interface StreamServerOptions {
  readonly host: string;
  readonly port: number;
  readonly sockets: Sockets;
  readonly responder: Responder;
  /** Those of TCP and TLS together. */
  readonly connections: Connections;
  /** Questions of one connection that are being answered at one time. */
  readonly pipeline: number;
  /** Absent: plain TCP. */
  readonly tls?: TlsFront;
}

/** Questions over connections, at one address. */
export class StreamServer {
  readonly #listener: TcpListener;
  readonly #sessions: Set<Session>;
  readonly #rearm: ReturnType<typeof setInterval>;

  private constructor(listener: TcpListener, sessions: Set<Session>) {
    this.#listener = listener;
    this.#sessions = sessions;
    this.#rearm = setInterval(() => listener.rearm(), REARM_ACCEPT_MS);
  }

  /**
   * Binds and accepts.
   *
   * @throws {NodeJS.ErrnoException} if the address cannot be bound.
   */
  static async open(options: StreamServerOptions): Promise<StreamServer> {
    const { host, port, sockets } = options;
    const sessions = new Set<Session>();
    const listener = await sockets.listen(
      { host, port },
      (stream) => accept(stream, options, sessions),
    );
    return new StreamServer(listener, sessions);
  }

  /** The port, also where any was asked for. */
  get port(): number {
    return this.#listener.port;
  }

  /** Accepts no more, and has every connection end when its questions are answered. */
  drain(): void {
    this.close();
    for (const session of this.#sessions) session.drain();
  }

  /** Accepts no more. */
  close(): void {
    clearInterval(this.#rearm);
    this.#listener.close();
  }
}

function accept(stream: TcpStream, options: StreamServerOptions, sessions: Set<Session>): void {
  const peer = parseIp(stream.peerName()?.address ?? "");
  const place = peer.ok ? options.connections.take(peer.value) : undefined;
  if (!peer.ok || place === undefined) return stream.reset();
  const { responder, pipeline, tls } = options;
  const begin = (plain: TcpStream) => {
    const session: Session = new Session(plain, {
      ...{ ip: peer.value, responder, pipeline },
      transport: tls === undefined ? "tcp" : "tls",
      onActivity: place.active,
      onEnd: () => {
        sessions.delete(session);
        place.leave();
      },
    });
    sessions.add(session);
    place.owner = session;
  };
  if (tls === undefined) return begin(stream);
  place.owner = { isWaiting: false, cut: () => stream.reset() };
  const whose = { handshakes: tls.handshakes, source: sourceKey(peer.value) };
  secure(stream, tls, whose).then((plain) => {
    if (plain === undefined || stream.closed) return giveUp(stream, place);
    begin(plain);
  }, () => giveUp(stream, place));
}

async function secure(
  stream: TcpStream,
  { acceptor }: TlsFront,
  whose: { readonly handshakes: Handshakes; readonly source: string },
): Promise<TcpStream | undefined> {
  const tls = await acceptor().accept(stream, new Uint8Array(), whose);
  return tls.ok ? tls.stream : undefined;
}

function giveUp(stream: TcpStream, place: Place): void {
  stream.reset();
  place.leave();
}
