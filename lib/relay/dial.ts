import dns from "node:dns";
import { type Endpoint, formatEndpoint, parseIp } from "../addr/mod.ts";

/** RFC 8305 §8: "Connection Attempt Delay", recommended value. */
const ATTEMPT_DELAY_MS = 250;
/** A name with more addresses than this is tried at the first ones only. */
const MAX_ADDRESSES = 16;

/** Why a backend could not be reached. */
export type DialErrorCode = "timeout" | "unreachable" | "unresolved" | "aborted";

/** No connection to a backend. The message names the backend; `cause` is the last error. */
export class DialError extends Error {
  override readonly name = "DialError";
  readonly code: DialErrorCode;

  constructor(code: DialErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** Resolves a name to its addresses in the resolver's order. */
export type Lookup = (host: string) => Promise<string[]>;

/** Opens one TCP connection to a literal address. */
export type Connect<C> = (
  address: { hostname: string; port: number; signal: AbortSignal },
) => Promise<C>;

/** What {@link dial} needs beside the target. */
export interface DialOptions<C> {
  /** For resolving and connecting together. */
  readonly timeoutMs: number;
  /** Aborts the attempt, for example because the client has gone. */
  readonly signal?: AbortSignal;
  readonly lookup?: Lookup;
  readonly connect: Connect<C>;
}

/** The system's resolver: hosts file and DNS, every address, in the system's order (RFC 6724). */
export const systemLookup: Lookup = async (host) => {
  const found = await dns.promises.lookup(host, { all: true, verbatim: true });
  return found.map((entry) => entry.address);
};

/** A plain TCP connection through `Deno.connect`: half the cost of `net.connect`. */
export const connectTcp: Connect<Deno.TcpConn> = (address) => Deno.connect(address);

/**
 * Connects to a backend. A name is resolved at dial time and its addresses are tried in the order
 * of RFC 8305: families alternate, a new attempt starts when the one before has failed or 250 ms
 * have passed, the first connection wins and the others are closed.
 *
 * @throws {DialError} when nothing answered within `timeoutMs`.
 */
export async function dial<C extends { close(): void }>(
  target: Endpoint,
  options: DialOptions<C>,
): Promise<C> {
  const name = formatEndpoint(target);
  const deadline = new AbortController();
  const abort = () => deadline.abort(new DialError("aborted", `connecting to ${name} was aborted`));
  if (options.signal?.aborted) abort();
  options.signal?.addEventListener("abort", abort, { once: true });
  const timer = setTimeout(() => {
    const message = `no connection to ${name} within ${options.timeoutMs} ms`;
    deadline.abort(new DialError("timeout", message));
  }, options.timeoutMs);
  try {
    deadline.signal.throwIfAborted();
    if (parseIp(target.host).ok) {
      return await attempt(target.host, target.port, deadline.signal, options.connect);
    }
    const addresses = await resolve(target.host, options.lookup ?? systemLookup, deadline.signal);
    return await race(addresses, target.port, deadline.signal, options.connect);
  } catch (error) {
    if (deadline.signal.aborted) throw deadline.signal.reason;
    if (error instanceof DialError) throw error;
    throw new DialError("unreachable", `cannot connect to ${name}`, { cause: error });
  } finally {
    clearTimeout(timer);
    options.signal?.removeEventListener("abort", abort);
  }
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
  addresses: string[],
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
