import { type Endpoint, endpointsOverlap, parseListenEndpoint } from "../addr/mod.ts";
import net from "node:net";
import type { ListenerSnapshot } from "../plane/mod.ts";
import { invalid } from "../queue/mod.ts";
import { bindProblem, lacksIpv6, tryToReserve } from "../tcp/mod.ts";
import { ControlError } from "./control_error.ts";

/** Binds an address for a moment; the port that it was. Throws the system's error. */
export type TryToBind = (
  host: string,
  port: number,
  options: { readonly reusePort: boolean },
) => Promise<number>;

/** What {@link findBindableEndpoint} compares a new listener with. */
export interface Neighbours {
  /** Names the address in messages. */
  readonly field: string;
  /** Listeners that stay. */
  readonly others: Iterable<ListenerSnapshot>;
  /** Listeners that go in the same change. */
  readonly leaving?: readonly ListenerSnapshot[];
  /** Default: with the system. */
  readonly tryToBind?: TryToBind;
}

/**
 * Where a new listener will be bound: the endpoint with a real port. It is tried before anything is
 * written, so that an address in use is a bad argument and not a failed change.
 *
 * @param addr canonical.
 * @throws {RefusedError} if the address belongs to another listener or cannot be bound.
 */
export async function findBindableEndpoint(
  addr: string,
  { field, others, leaving = [], tryToBind = bindForAMoment }: Neighbours,
): Promise<Endpoint> {
  const parsed = parseListenEndpoint(addr);
  if (!parsed.ok) throw invalid(field, parsed.reason);
  const endpoint = parsed.value;
  for (const other of others) {
    if (endpointsOverlap(endpoint, other)) {
      throw invalid(field, `overlaps the listener ${other.addr}`);
    }
  }
  // A port that one of ours gives up is still bound, by workers that share it.
  const reusePort = leaving.some((listener) => endpointsOverlap(endpoint, listener));
  try {
    return { host: endpoint.host, port: await bindEither(endpoint, { reusePort, tryToBind }) };
  } catch (error) {
    throw invalid(field, problemOf(error));
  }
}

/**
 * Refuses to share a port with another program. Workers bind with SO_REUSEPORT, and the kernel lets
 * every process of this user join: a proxy forgotten in another terminal would silently get half of
 * the connections. Only a bind without that option tells.
 *
 * @throws {ControlError} `port_in_use`
 */
export async function refuseSharedPorts(listeners: Iterable<ListenerSnapshot>): Promise<void> {
  for (const listener of listeners) {
    try {
      await bindEither(listener, { reusePort: false, tryToBind: bindForAMoment });
    } catch (cause) {
      // Anything else is for the workers to meet.
      if (codeOf(cause) !== "EADDRINUSE") continue;
      const message = `cannot listen on ${listener.addr}: ${problemOf(cause)}`;
      throw new ControlError("port_in_use", message, { cause });
    }
  }
}

/**
 * A port that is free now on `host` (`""`: every address). Workers bind with SO_REUSEPORT and have
 * to agree on one, so port 0 is settled once, here.
 */
export async function findFreePort(host: string): Promise<number> {
  return await bindEither({ host, port: 0 }, { reusePort: true, tryToBind: bindForAMoment });
}

/** As the workers bind it: every address is that of IPv4 where the kernel has no IPv6. */
async function bindEither(
  { host, port }: Endpoint,
  { reusePort, tryToBind }: { readonly reusePort: boolean; readonly tryToBind: TryToBind },
): Promise<number> {
  try {
    return await tryToBind(host || "::", port, { reusePort });
  } catch (error) {
    if (host !== "" || !lacksIpv6(error)) throw error;
    return await tryToBind("0.0.0.0", port, { reusePort });
  }
}

async function bindForAMoment(
  host: string,
  port: number,
  { reusePort }: { readonly reusePort: boolean },
): Promise<number> {
  // Who connects in that moment must not be accepted and reset.
  const reserved = reusePort ? undefined : tryToReserve(host, port);
  if (reserved !== undefined) return reserved;
  const server = net.createServer();
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once("error", reject);
  server.listen({ host, port, reusePort }, resolve);
  await promise;
  const bound = server.address() as net.AddressInfo;
  const closed = Promise.withResolvers<void>();
  server.close(() => closed.resolve());
  await closed.promise;
  return bound.port;
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : undefined;
}

/** A bind may fail for reasons of the system's that are not for a client. */
function problemOf(error: unknown): string {
  return bindProblem(error) ?? "the address cannot be bound";
}
