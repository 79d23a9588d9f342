import { createServer, type Server, type Socket } from "node:net";
import {
  EDGE_LIMITS,
  type H2Handler,
  H2Session,
  type H2Stream,
  type Limits,
  OutputPool,
  type RequestHead,
} from "../h2/mod.ts";
import { H2Io, Turns } from "../http_io/mod.ts";
import { NodeStream, type TcpStream } from "../tcp/mod.ts";
import { type CallLimits, GrpcCall, type Load } from "./call.ts";
import type { Method } from "./service.ts";

/** A {@link GrpcServer}'s bounds. */
export interface GrpcLimits extends CallLimits {
  /** Connections at one time; more are closed at once. */
  readonly maxConnections: number;
  /** Calls that one connection may have open. */
  readonly maxCallsPerConnection: number;
}

/** How often sessions look at their deadlines. */
const TICK_MS = 1000;

/** For callers on this machine: larger windows, and as many cancelled calls as they like. */
function localLimits(maxConcurrentStreams: number): Limits {
  return {
    ...EDGE_LIMITS,
    maxConcurrentStreams,
    streamWindow: 1024 * 1024,
    connectionWindow: 16 * 1024 * 1024,
    resets: { burst: 100_000, perSecond: 10_000 },
  };
}

/**
 * A gRPC server over our own HTTP/2. Not over grpc-js: that uses `node:http2`, whose native server
 * corrupts the heap in this runtime (Deno 2.9.6). Closing a connection after some hundred calls was
 * enough to end the process, and with it every connection of the proxy.
 */
export class GrpcServer {
  readonly #methods: ReadonlyMap<string, Method>;
  readonly #limits: GrpcLimits;
  readonly #load: Load = { calls: 0, streams: 0 };
  readonly #turns = new Turns();
  readonly #pool = new OutputPool();
  readonly #sessions = new Map<TcpStream, H2Session>();
  #server: Server | undefined;
  readonly #ticks: ReturnType<typeof setInterval>;

  constructor(methods: ReadonlyMap<string, Method>, limits: GrpcLimits) {
    this.#methods = methods;
    this.#limits = limits;
    this.#ticks = setInterval(() => this.#tick(), TICK_MS);
  }

  /** Listens on a Unix socket, and no more on the one before; its connections go on. */
  async listen(path: string): Promise<void> {
    const server = createServer((socket) => this.#accept(socket));
    server.maxConnections = this.#limits.maxConnections;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    server.once("error", reject);
    server.listen(path, resolve);
    await promise;
    server.off("error", reject);
    // Accepting may fail later, for want of descriptors; the next connection tries again.
    server.on("error", () => {});
    this.#server?.close();
    this.#server = server;
  }

  /** Takes no new calls, lets those under way end for up to `graceMs`, and closes. */
  async close(graceMs: number): Promise<void> {
    const server = this.#server;
    const closed = new Promise<void>((resolve) =>
      server === undefined ? resolve() : server.close(() => resolve())
    );
    for (const session of this.#sessions.values()) session.shutdown();
    const cut = setTimeout(() => {
      for (const stream of this.#sessions.keys()) stream.reset();
    }, graceMs);
    await closed;
    clearTimeout(cut);
    clearInterval(this.#ticks);
  }

  #accept(socket: Socket): void {
    socket.on("error", () => {});
    const ended = this.#serve(new NodeStream(socket), {
      limits: localLimits(this.#limits.maxCallsPerConnection),
    });
    socket.once("close", ended.resolve);
  }

  /**
   * Serves a connection of the network, whose TLS is done; resolves when it has ended.
   *
   * @param address of the caller.
   */
  async serve(stream: TcpStream, address: string): Promise<void> {
    const limits = { ...EDGE_LIMITS, maxConcurrentStreams: this.#limits.maxCallsPerConnection };
    await this.#serve(stream, { limits, address }).promise;
  }

  #serve(
    stream: TcpStream,
    { limits, address }: { readonly limits: Limits; readonly address?: string },
  ): PromiseWithResolvers<void> {
    const ended = Promise.withResolvers<void>();
    const session: H2Session = new H2Session({
      role: "server",
      handler: this.#handler(() => io, address),
      limits,
      pool: this.#pool,
      now: performance.now(),
    });
    const io = new H2Io(stream, session, {
      now: () => performance.now(),
      turns: this.#turns,
      peer: "client",
      onLost: () => {},
      onGone: () => ended.resolve(),
    });
    this.#sessions.set(stream, session);
    ended.promise.finally(() => this.#sessions.delete(stream));
    io.schedule();
    return ended;
  }

  #handler(io: () => H2Io, address: string | undefined): H2Handler {
    return {
      onOutput: () => io().schedule(),
      onClose: () => io().close(),
      onRequest: (stream, head, endStream) => this.#open(stream, { head, endStream, address }),
      onData: (stream, bytes, endStream) => {
        const call = callOf(stream);
        // Whose call was refused may go on for a moment.
        if (call === undefined) stream.consume(bytes.length);
        call?.receive(bytes);
        if (endStream) call?.end();
      },
      onTrailers: (stream) => callOf(stream)?.end(),
      onReset: (stream) => callOf(stream)?.cancel(),
      onDrain: (stream) => callOf(stream)?.drained(),
    };
  }

  #open(
    stream: H2Stream,
    { head, endStream, address }: {
      readonly head: RequestHead;
      readonly endStream: boolean;
      readonly address: string | undefined;
    },
  ): void {
    const refusal = this.#refusal(head);
    if (refusal !== undefined) {
      stream.respond(refusal, true);
      stream.reset(0);
      return;
    }
    const method = this.#methods.get(head.path);
    if (method === undefined) {
      const fields = ["content-type", "application/grpc", "grpc-status", "12"];
      stream.respond({ status: 200, fields: [...fields, "grpc-message", "unknown method"] }, true);
      stream.reset(0);
      return;
    }
    const means = { method, limits: this.#limits, load: this.#load, address };
    const call = new GrpcCall(stream, head, means);
    stream.context = call;
    if (endStream) call.end();
    call.start();
  }

  /** What is not gRPC gets an answer of HTTP (gRPC over HTTP/2, "Requests"). */
  #refusal({ method, fields }: RequestHead): { status: number; fields: string[] } | undefined {
    if (method !== "POST") return { status: 405, fields: ["allow", "POST"] };
    const at = fields.findIndex((name, i) => i % 2 === 0 && name === "content-type");
    const type = at < 0 ? "" : fields[at + 1] ?? "";
    return /^application\/grpc(\+proto)?($|;)/.test(type) ? undefined : { status: 415, fields: [] };
  }

  #tick(): void {
    const now = performance.now();
    for (const session of this.#sessions.values()) session.tick(now);
  }
}

function callOf({ context }: H2Stream): GrpcCall | undefined {
  return context instanceof GrpcCall ? context : undefined;
}
