import { type Endpoint } from "../addr/mod.ts";
import { ErrorCode, OutputPool } from "../h2/mod.ts";
import type { ResponseHead } from "../http/mod.ts";
import { Turns } from "../http_io/mod.ts";
import { describeError, unlimitedDescriptors } from "../observe/mod.ts";
import type { Connect, Lookup } from "../relay/mod.ts";
import type { TcpStream } from "../tcp/mod.ts";
import {
  type Expectation,
  type Lease,
  Pool,
  type PoolFailure,
  type Waiter,
} from "../upstream/mod.ts";
import type { BackendTls } from "./backend_address.ts";
import { BackendDialer } from "./backend_dialer.ts";
import type {
  BackendConnection,
  BackendFailure,
  BackendStream,
  ResponseHandler,
} from "./message.ts";

/** What is asked of a backend. */
export interface ProbeTarget {
  readonly endpoint: Endpoint;
  /** Absent: plain TCP. */
  readonly tls?: BackendTls | undefined;
  readonly proxyHeader?: Uint8Array | undefined;
  readonly expects: Expectation;
  /** The host that is asked for, and the path. */
  readonly authority: string;
  readonly path: string;
  /** The first and the last status that is good. */
  readonly status: readonly [first: number, last: number];
}

/** What a probe works with. */
export interface ProbeOptions {
  readonly signal: AbortSignal;
  readonly lookup: Lookup;
  readonly connect: Connect<TcpStream>;
  readonly timeoutMs: number;
}

/**
 * Asks a backend by a connection of its own, spoken and framed as those of requests are. Resolves
 * when the head of its answer is good.
 *
 * @throws {Error} saying why it is not.
 */
export async function probeHttp(target: ProbeTarget, options: ProbeOptions): Promise<void> {
  const { signal, lookup, connect, timeoutMs } = options;
  const { endpoint, tls, proxyHeader } = target;
  const now = () => performance.now();
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const pool = new Pool<BackendConnection>({
    dialer: new BackendDialer({
      address: { endpoint, ...tls && { tls } },
      ...proxyHeader && { proxyHeaderOf: () => proxyHeader },
      h2Transport: "own",
      pool: new OutputPool(),
      turns: new Turns(),
      descriptors: unlimitedDescriptors,
      onCrash: reject,
      ...{ lookup, connect, now },
    }),
    timers: {
      now,
      after(ms, fn) {
        const timer = setTimeout(fn, ms);
        return () => clearTimeout(timer);
      },
    },
    expects: target.expects,
    overTls: tls !== undefined,
    connectTimeoutMs: timeoutMs,
  });
  const abort = () => reject(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  try {
    signal.throwIfAborted();
    const affinity = proxyHeader;
    const probe = new Probe(target, { resolve, reject });
    pool.acquire(probe, { client: "", affinity, tunnel: false });
    await promise;
  } finally {
    signal.removeEventListener("abort", abort);
    pool.destroy("the check is over");
  }
}

/** The one request of a probe. */
class Probe implements Waiter<BackendConnection>, ResponseHandler {
  readonly #target: ProbeTarget;
  readonly #end: { resolve(): void; reject(error: Error): void };
  #stream: BackendStream | undefined;

  constructor(target: ProbeTarget, end: { resolve(): void; reject(error: Error): void }) {
    this.#target = target;
    this.#end = end;
  }

  onLease({ link }: Lease<BackendConnection>): void {
    const { authority, path, tls } = this.#target;
    const scheme = tls === undefined ? "http" : "https";
    const fields = ["user-agent", "mc-proxy health check", "accept", "*/*"];
    const head = { method: "GET", scheme, authority, path, fields };
    try {
      this.#stream = link.request(head, true, this);
    } catch (error) {
      this.#end.reject(new Error(describeError(error), { cause: error }));
    }
  }

  onUnavailable({ reason }: PoolFailure): void {
    this.#end.reject(new Error(reason));
  }

  onResponse({ status }: ResponseHead, endStream: boolean): void {
    if (status < 200) return;
    const [first, last] = this.#target.status;
    if (status >= first && status <= last) this.#end.resolve();
    else this.#end.reject(new Error(`it answered ${status}`));
    if (!endStream) this.#stream?.reset(ErrorCode.cancel);
  }

  onFailure({ reason }: BackendFailure): void {
    this.#end.reject(new Error(reason));
  }

  onData(): void {}

  onTrailers(): void {}

  onDrain(): void {}
}
