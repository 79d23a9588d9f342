import { type Endpoint, formatEndpoint, parseIp } from "../addr/mod.ts";
import { systemClock } from "./clock.ts";
import { type Lookup, systemLookup } from "./lookup.ts";

/** RFC 8305 §8: "Connection Attempt Delay", recommended value. */
const ATTEMPT_DELAY_MS = 250;
/** A name with more addresses than this is tried at the first ones only. */
const MAX_ADDRESSES = 16;

/** Why a backend could not be reached. */
export type DialErrorCode = "timeout" | "unreachable" | "unresolved" | "forbidden";

/** No connection to a backend. The message names the backend; `cause` is the last error. */
export class DialError extends Error {
  override readonly name = "DialError";
  readonly code: DialErrorCode;

  constructor(code: DialErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** Opens one TCP connection to a literal address. */
export type Connect<C> = (
  address: { hostname: string; port: number; signal: AbortSignal },
) => Promise<C>;

/** What {@link dial} needs beside the target. */
export interface DialOptions<C> {
  /** Ends the attempt, for resolving and connecting together; see {@link ConnectDeadlines}. */
  readonly deadline: AbortSignal;
  readonly lookup?: Lookup;
  readonly connect: Connect<C>;
  /**
   * Why a literal address must not be dialled, if it must not. Asked about every address that a name
   * resolves to, and what it was asked about is what is dialled: a name that resolves to something
   * else a moment later gains nothing (DNS rebinding).
   */
  readonly forbids?: (address: string) => string | undefined;
}

/** How many signals are live at once, and so how late one may fire: an eighth of the timeout. */
const SIGNALS_PER_TIMEOUT = 8;
const MAX_SIGNAL_AGE_MS = 1000;

/**
 * Deadlines for dialling, as signals that many attempts share: one is made for all that start
 * within an eighth of the timeout (at most a second) and fires that much late, never early. A
 * controller and a timer for each connection would cost a tenth of relaying it.
 */
export class ConnectDeadlines implements Disposable {
  readonly #timeoutMs: number;
  readonly #now: () => number;
  readonly #live = new Map<AbortController, ReturnType<typeof setTimeout>>();
  #current: AbortController | undefined;
  #validUntil = 0;
  #closed = false;

  constructor(timeoutMs: number, now: () => number = systemClock.now) {
    this.#timeoutMs = timeoutMs;
    this.#now = now;
  }

  /** Signals that have not fired yet. */
  get size(): number {
    return this.#live.size;
  }

  /** A signal that aborts with a {@link DialError} `timeout`, not before the timeout from now. */
  signal(): AbortSignal {
    if (this.#closed) return AbortSignal.abort(closing());
    const now = this.#now();
    if (this.#current === undefined || now >= this.#validUntil) {
      const age = Math.min(this.#timeoutMs / SIGNALS_PER_TIMEOUT, MAX_SIGNAL_AGE_MS);
      this.#current = this.#start(this.#timeoutMs + age);
      this.#validUntil = now + age;
    }
    return this.#current.signal;
  }

  #start(ms: number): AbortController {
    const controller = new AbortController();
    const message = `no connection within ${this.#timeoutMs} ms`;
    const timer = setTimeout(() => {
      this.#live.delete(controller);
      if (this.#current === controller) this.#current = undefined;
      controller.abort(new DialError("timeout", message));
    }, ms);
    this.#live.set(controller, timer);
    return controller;
  }

  /** Ends every attempt under way, and any later one at once. */
  [Symbol.dispose](): void {
    this.#closed = true;
    for (const [controller, timer] of this.#live) {
      clearTimeout(timer);
      controller.abort(closing());
    }
    this.#live.clear();
    this.#current = undefined;
  }
}

function closing(): DialError {
  return new DialError("unreachable", "the proxy is shutting down");
}

/**
 * Connects to a backend. A name is resolved at dial time and its addresses are tried in the order
 * of RFC 8305: families alternate, a new attempt starts when the one before has failed or 250 ms
 * have passed, the first connection wins and the others are closed.
 *
 * @throws {DialError} `timeout` (or the deadline's own reason), `unresolved`, `forbidden` or
 * `unreachable`.
 */
export async function dial<C extends { close(): void }>(
  target: Endpoint,
  { deadline, lookup = systemLookup, connect, forbids }: DialOptions<C>,
): Promise<C> {
  try {
    deadline.throwIfAborted();
    const { host, port } = target;
    if (parseIp(host).ok) {
      permitted([host], target, forbids);
      return await attempt(host, port, deadline, connect);
    }
    const addresses = permitted(await resolve(host, lookup, deadline), target, forbids);
    return await race(addresses, port, deadline, connect);
  } catch (error) {
    const cause = deadline.aborted ? deadline.reason : error;
    if (cause instanceof DialError && PLAIN.has(cause.code)) throw cause;
    const timedOut = cause instanceof DialError && cause.code === "timeout";
    const name = formatEndpoint(target);
    throw new DialError(timedOut ? "timeout" : "unreachable", `cannot connect to ${name}`, {
      cause,
    });
  }
}

/** Errors that need no further words. */
const PLAIN: ReadonlySet<DialErrorCode> = new Set(["unresolved", "forbidden"]);

/** The addresses that may be dialled: one at least. */
function permitted(
  addresses: readonly string[],
  target: Endpoint,
  forbids: DialOptions<never>["forbids"],
): readonly string[] {
  if (forbids === undefined) return addresses;
  const reasons = new Set<string>();
  const allowed = addresses.filter((address) => {
    const reason = forbids(address);
    if (reason !== undefined) reasons.add(`${address} is ${reason}`);
    return reason === undefined;
  });
  if (allowed.length > 0) return allowed;
  const why = [...reasons].join(", ");
  throw new DialError("forbidden", `must not connect to ${formatEndpoint(target)}: ${why}`);
}

/** Families take turns, starting with the resolver's first choice (RFC 8305 §4). */
export function interleaveFamilies(addresses: readonly string[]): string[] {
  const isV6 = (address: string) => address.includes(":");
  const first = addresses.filter((address) => isV6(address) === isV6(addresses[0] ?? ""));
  const second = addresses.filter((address) => !first.includes(address));
  const turns = Math.max(first.length, second.length);
  return Array.from({ length: turns }, (_, i) => [first[i], second[i]])
    .flat()
    .filter((address) => address !== undefined);
}

async function resolve(host: string, lookup: Lookup, signal: AbortSignal): Promise<string[]> {
  try {
    // The resolver cannot be cancelled; its late answer is dropped.
    const addresses = await Promise.race([lookup(host), rejectOnAbort(signal)]);
    if (addresses.length === 0) throw new Error("no addresses");
    return interleaveFamilies(addresses).slice(0, MAX_ADDRESSES);
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    throw new DialError("unresolved", `cannot resolve ${host}`, { cause: error });
  }
}

function race<C extends { close(): void }>(
  addresses: readonly string[],
  port: number,
  signal: AbortSignal,
  connect: Connect<C>,
): Promise<C> {
  const { promise, resolve, reject } = Promise.withResolvers<C>();
  const losers = new AbortController();
  const everyAttempt = AbortSignal.any([signal, losers.signal]);
  let next = 0;
  let pending = 0;
  let settled = false;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const settle = (finish: () => void) => {
    settled = true;
    clearTimeout(timer);
    finish();
    losers.abort();
  };
  const start = () => {
    clearTimeout(timer);
    const address = addresses[next++];
    if (settled || address === undefined) return;
    pending++;
    timer = setTimeout(start, ATTEMPT_DELAY_MS);
    attempt(address, port, everyAttempt, connect).then(
      (connection) => settled ? connection.close() : settle(() => resolve(connection)),
      (error) => {
        pending--;
        if (settled) return;
        if (signal.aborted || (pending === 0 && next >= addresses.length)) {
          settle(() => reject(error));
        } else start();
      },
    );
  };
  start();
  return promise;
}

/** One attempt; a connection that opens although it was aborted is closed, not leaked. */
async function attempt<C extends { close(): void }>(
  hostname: string,
  port: number,
  signal: AbortSignal,
  connect: Connect<C>,
): Promise<C> {
  signal.throwIfAborted();
  const connection = await connect({ hostname, port, signal });
  if (signal.aborted) {
    connection.close();
    throw signal.reason;
  }
  return connection;
}

function rejectOnAbort(signal: AbortSignal): Promise<never> {
  const { promise, reject } = Promise.withResolvers<never>();
  if (signal.aborted) reject(signal.reason);
  signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  return promise;
}
