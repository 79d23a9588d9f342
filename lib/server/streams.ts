import { type Endpoint, formatEndpoint } from "../addr/mod.ts";
import { describeError } from "../observe/mod.ts";
import { type Clock, type Connect, dial, DialError, type Lookup } from "../relay/mod.ts";
import type { TcpStream } from "../tcp/mod.ts";
import {
  type AttemptEvents,
  type Dialer,
  type Lease,
  type Link,
  Pool,
  type PoolFailure,
  STREAM_LIMITS,
  type Timers,
} from "../upstream/mod.ts";
import type { DestinationGuard } from "./destination_guard.ts";

/** How often pools without a connection are let go of. */
const SWEEP_MS = 1000;

/** A connection to an l4 or mtls backend: one client's, from its start to its end. */
export class StreamLink implements Link {
  readonly protocol = "tcp";
  readonly greeted = true;
  readonly capacity = 1;
  /** Whatever has passed on it makes it useless for anybody else. */
  readonly settled = false;
  readonly stream: TcpStream;
  readonly #events: AttemptEvents<StreamLink>;
  #closed = false;

  constructor(stream: TcpStream, events: AttemptEvents<StreamLink>) {
    this.stream = stream;
    this.#events = events;
  }

  get available(): boolean {
    return !this.stream.closed;
  }

  tick(): void {}

  shutdown(): void {
    this.destroy("shutdown");
  }

  destroy(reason: string): void {
    if (this.#closed) return;
    this.#closed = true;
    this.stream.close();
    this.#events.onClosed({ reason, heard: "nothing", byUs: true });
  }
}

/** How streams are dialled. */
export interface StreamsOptions {
  readonly clock: Clock;
  readonly connect: Connect<TcpStream>;
  readonly lookup: Lookup;
  /** A signal for each attempt: see `ConnectDeadlines`. */
  readonly deadline: () => AbortSignal;
  readonly connectTimeoutMs: () => number;
}

/** A stream to a backend could not be had. */
export class StreamUnavailable extends Error {
  override readonly name = "StreamUnavailable";
  /** The dialler's, or the pool's own. */
  readonly code: DialError["code"];

  constructor({ kind, reason, cause }: PoolFailure) {
    super(reason);
    this.code = cause instanceof DialError
      ? cause.code
      : kind === "timeout"
      ? "timeout"
      : "unreachable";
  }
}

/** Connections to the backends of l4 and mtls routes of one worker, by where they go. */
export class Streams {
  readonly #options: StreamsOptions;
  readonly #timers: Timers;
  readonly #pools = new Map<string, Pool<StreamLink>>();
  #stopSweeping: (() => void) | undefined;

  constructor(options: StreamsOptions) {
    this.#options = options;
    this.#timers = {
      now: () => options.clock.now(),
      after(ms, fn) {
        const timer = setTimeout(fn, ms);
        return () => clearTimeout(timer);
      },
    };
  }

  /** Connections that are open or being opened, by backend. */
  get size(): number {
    let size = 0;
    for (const pool of this.#pools.values()) size += pool.size;
    return size;
  }

  /**
   * A connection of one's own; give it back when the relay has ended. `guard` is of one client: what
   * it lets through is for nobody else.
   *
   * @throws {StreamUnavailable}
   */
  acquire(target: Endpoint, guard: DestinationGuard | undefined): Promise<Lease<StreamLink>> {
    const { promise, resolve, reject } = Promise.withResolvers<Lease<StreamLink>>();
    const pool = this.#poolOf(target);
    const waiter = {
      onLease: (lease: Lease<StreamLink>) => {
        resolve(
          guard === undefined ? lease : {
            link: lease.link,
            release() {
              lease.release();
              pool.forget(guard);
            },
          },
        );
      },
      onUnavailable: (failure: PoolFailure) => {
        if (guard !== undefined) pool.forget(guard);
        reject(new StreamUnavailable(failure));
      },
    };
    pool.acquire(waiter, { client: "", affinity: guard, tunnel: false });
    return promise;
  }

  /** Closes what is open and fails who waits. */
  close(): void {
    this.#stopSweeping?.();
    this.#stopSweeping = undefined;
    for (const pool of this.#pools.values()) pool.destroy("shutdown");
    this.#pools.clear();
  }

  #poolOf(target: Endpoint): Pool<StreamLink> {
    const timeoutMs = this.#options.connectTimeoutMs();
    const key = `${timeoutMs} ${formatEndpoint(target)}`;
    let pool = this.#pools.get(key);
    if (pool === undefined) {
      pool = new Pool({
        dialer: new StreamDialer(target, this.#options),
        timers: this.#timers,
        expects: "tcp",
        overTls: false,
        connectTimeoutMs: timeoutMs,
        limits: STREAM_LIMITS,
      });
      this.#pools.set(key, pool);
      this.#stopSweeping ??= this.#options.clock.every(SWEEP_MS, () => this.#sweep());
    }
    return pool;
  }

  #sweep(): void {
    const now = this.#timers.now();
    for (const [key, pool] of this.#pools) {
      pool.tick(now);
      if (!pool.isEmpty) continue;
      pool.destroy("unused");
      this.#pools.delete(key);
    }
    if (this.#pools.size > 0) return;
    this.#stopSweeping?.();
    this.#stopSweeping = undefined;
  }
}

/** Dials one backend. */
class StreamDialer implements Dialer<StreamLink> {
  readonly #target: Endpoint;
  readonly #options: StreamsOptions;

  constructor(target: Endpoint, options: StreamsOptions) {
    this.#target = target;
    this.#options = options;
  }

  open(
    { affinity }: { readonly affinity: object | undefined },
    events: AttemptEvents<StreamLink>,
  ): () => void {
    const { connect, lookup, deadline } = this.#options;
    const guard = affinity as DestinationGuard | undefined;
    const options = guard === undefined
      ? { deadline: deadline(), lookup, connect }
      : { deadline: deadline(), lookup, connect: guard.connect(connect), forbids: guard.forbids };
    dial(this.#target, options).then(
      (stream) => events.onOpened(new StreamLink(stream, events)),
      (cause) => {
        const isLate = cause instanceof DialError && cause.code === "timeout";
        const kind = isLate ? "timeout" : "unreachable";
        events.onFailed({ kind, reason: describeError(cause), cause });
      },
    );
    // The shared deadline ends it; a connection that opens all the same is closed by the pool.
    return () => {};
  }
}
