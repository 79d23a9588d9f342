import { H1_EDGE_LIMITS, type H1ServerStream } from "../h1/mod.ts";
import { EDGE_LIMITS, type H2Stream, OutputPool } from "../h2/mod.ts";
import { H1ServerIo, H2Io, Turns } from "../http_io/mod.ts";
import { GuardedH1Server, GuardedH2Session } from "../l7/mod.ts";
import { describeError } from "../observe/mod.ts";
import {
  ApiExchange,
  type ApiExchangeOptions,
  type ApiRequest,
  type ApiResponse,
  BodyError,
} from "./exchange.ts";
import { type SecureConnection, SecureListener, type SecureListenerOptions } from "./listener.ts";

/** How often sessions look at their deadlines. */
const TICK_MS = 1000;
/** A connection without a request for so long is closed. */
const IDLE_MS = 60_000;
/** What a client of HTTP/2 sends on after its answer is dropped for so long before it is told. */
const REST_MS = 1000;
/** Requests of one connection that are answered at one time. */
const MAX_STREAMS = 32;

/** What an {@link ApiServer} needs. */
export interface ApiServerOptions extends Omit<SecureListenerOptions, "alpn" | "serve"> {
  /** Answers a request; what it throws is answered with 500 and logged. */
  readonly handle: (request: ApiRequest) => Promise<ApiResponse>;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Requests that are answered at one time, over all connections; more get a 503. Default: 256. */
  readonly maxExchanges?: number;
}

/** Each holds its content and what it asks of the state. */
const MAX_EXCHANGES = 256;

/** A connection, whatever it speaks. */
interface Session {
  tick(now: number): void;
  shutdown(): void;
}

/**
 * Requests of HTTP/2 and HTTP/1.1 over TLS, one function to answer them. Bounded: connections, the
 * heads and times of requests, content as much as the function asks for.
 */
export class ApiServer {
  readonly #options: ApiServerOptions;
  readonly #pool = new OutputPool();
  readonly #turns = new Turns();
  readonly #sessions = new Set<Session>();
  readonly #exchanges = new Set<Promise<void>>();
  readonly #ticks: ReturnType<typeof setInterval>;
  #listener!: SecureListener;

  private constructor(options: ApiServerOptions) {
    this.#options = options;
    this.#ticks = setInterval(() => this.#tick(), TICK_MS);
  }

  /** @throws {Error} if the address cannot be bound, or the certificate not be used. */
  static async listen(options: ApiServerOptions): Promise<ApiServer> {
    const server = new ApiServer(options);
    try {
      server.#listener = await SecureListener.listen({
        ...options,
        alpn: ["h2", "http/1.1"],
        serve: (connection) => server.#serve(connection),
      });
    } catch (error) {
      clearInterval(server.#ticks);
      throw error;
    }
    return server;
  }

  /** Where it listens; also shows another certificate. */
  get listener(): SecureListener {
    return this.#listener;
  }

  /** Takes no new connections and requests, waits for those that are answered, and closes. */
  async close(graceMs: number): Promise<void> {
    this.#listener.stop();
    for (const session of this.#sessions) session.shutdown();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<void>((resolve) => timer = setTimeout(resolve, graceMs));
    await Promise.race([Promise.all(this.#exchanges), late]);
    clearTimeout(timer);
    // What was answered goes out with this turn.
    await new Promise((resolve) => setTimeout(resolve, 0));
    this.#listener.cut();
    clearInterval(this.#ticks);
  }

  async #serve(connection: SecureConnection): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const onCrash = (error: unknown) => {
      this.#log("a connection to the API ended", error);
      connection.stream.reset();
      resolve();
    };
    const means = { onCrash, onGone: resolve };
    const session = connection.alpn === "h2"
      ? this.#h2(connection, means)
      : this.#h1(connection, means);
    this.#sessions.add(session);
    await promise;
    this.#sessions.delete(session);
  }

  #h2({ stream, address }: SecureConnection, { onCrash, onGone }: Means): Session {
    const now = () => performance.now();
    const session: GuardedH2Session = new GuardedH2Session({
      role: "server",
      limits: { ...EDGE_LIMITS, maxConcurrentStreams: MAX_STREAMS },
      pool: this.#pool,
      now: now(),
      onCrash,
      handler: {
        onOutput: () => io?.schedule(),
        onClose: () => io?.close(),
        onRequest: (own, head, isWhole) =>
          this.#begin(own, { head, isWhole, address, restMs: REST_MS }),
        onData: (own, bytes, end) => exchangeOf(own).receive(bytes, end),
        onTrailers: (own) => exchangeOf(own).receive(NOTHING, true),
        onReset: (own) => exchangeOf(own).gone(),
        onDrain: (own) => exchangeOf(own).resume(),
      },
    });
    const io: H2Io | undefined = new H2Io(stream, session, {
      ...{ now, turns: this.#turns, peer: "client", onGone: () => onGone() },
      onLost: () => {},
    });
    io.schedule();
    return {
      shutdown: () => session.shutdown(),
      tick: (at) => {
        session.tick(at);
        const { idleSince } = session;
        if (idleSince >= 0 && at - idleSince > IDLE_MS) session.shutdown();
      },
    };
  }

  #h1({ stream, address }: SecureConnection, { onCrash, onGone }: Means): Session {
    const now = () => performance.now();
    const session: GuardedH1Server = new GuardedH1Server({
      limits: { ...H1_EDGE_LIMITS, idleTimeoutMs: IDLE_MS },
      pool: this.#pool,
      now: now(),
      ignoresUpgrades: true,
      onCrash,
      handler: {
        onOutput: () => io?.schedule(),
        onClose: ({ abrupt }) => {
          if (!abrupt) return io?.close();
          stream.reset();
          onGone();
        },
        // The session itself reads on for a moment when it closes.
        onRequest: (own, head, isWhole) => this.#begin(own, { head, isWhole, address, restMs: 0 }),
        onData: (own, bytes, end) => exchangeOf(own).receive(bytes, end),
        onTrailers: (own) => exchangeOf(own).receive(NOTHING, true),
        onReset: (own) => exchangeOf(own).gone(),
        onDrain: (own) => exchangeOf(own).resume(),
        onInvalid: (own) => exchangeOf(own).invalid(),
      },
    });
    const io: H1ServerIo | undefined = new H1ServerIo(stream, session, {
      ...{ now, turns: this.#turns, onGone: () => onGone() },
    });
    return {
      shutdown: () => session.shutdown(),
      tick: (at) => {
        session.tick(at);
        io.tick(at, IDLE_MS);
      },
    };
  }

  #begin(stream: H1ServerStream | H2Stream, request: ApiExchangeOptions): void {
    const exchange = new ApiExchange(stream, request);
    stream.context = exchange;
    if (this.#exchanges.size >= (this.#options.maxExchanges ?? MAX_EXCHANGES)) {
      const busy = { status: 503, fields: ["retry-after", "1"] };
      exchange.answer(busy, this.#options.now()).catch(() => exchange.fail());
      return;
    }
    const answered = this.#answer(exchange).finally(() => this.#exchanges.delete(answered));
    this.#exchanges.add(answered);
  }

  async #answer(exchange: ApiExchange): Promise<void> {
    const { handle, now } = this.#options;
    try {
      await exchange.answer(await handle(exchange), now());
    } catch (error) {
      if (exchange.signal.aborted) return;
      if (error instanceof BodyError) {
        return await exchange.answer({ status: error.status }, now()).catch(() => exchange.fail());
      }
      this.#log("a request to the API failed", error);
      // An answer may have begun.
      await exchange.answer({ status: 500 }, now()).catch(() => exchange.fail());
    }
  }

  #tick(): void {
    const now = performance.now();
    for (const session of this.#sessions) session.tick(now);
  }

  #log(message: string, error: unknown): void {
    this.#options.log({ level: "error", message, fields: { error: describeError(error) } });
  }
}

interface Means {
  readonly onCrash: (error: unknown) => void;
  readonly onGone: () => void;
}

const NOTHING = new Uint8Array(0);

function exchangeOf({ context }: { readonly context: unknown }): ApiExchange {
  return context as ApiExchange;
}
