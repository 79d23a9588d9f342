import net from "node:net";
import { type Endpoint, endpointsOverlap, parseListenEndpoint } from "../addr/mod.ts";
import type { ListenerSnapshot } from "../server/mod.ts";
import { findFreePort } from "./free_port.ts";
import { ControlError } from "./control_error.ts";
import { invalid } from "./refused.ts";

/**
 * Where a new listener will be bound: the endpoint with a real port. It is tried before anything is
 * written, so that an address in use is a bad argument and not a failed change.
 *
 * @param addr canonical; `field` names it in messages.
 * @throws {RefusedError} if the address belongs to another listener or cannot be bound.
 */
export async function settleEndpoint(
  addr: string,
  { field, others }: { field: string; others: Iterable<ListenerSnapshot> },
): Promise<Endpoint> {
  const parsed = parseListenEndpoint(addr);
  if (!parsed.ok) throw invalid(field, parsed.reason);
  const endpoint = parsed.value;
  for (const other of others) {
    if (endpointsOverlap(endpoint, other)) {
      throw invalid(field, `overlaps the listener ${other.addr}`);
    }
  }
  const { host } = endpoint;
  try {
    if (endpoint.port === 0) return { host, port: await findFreePort(host) };
    await tryToBind(endpoint);
    return endpoint;
  } catch (error) {
    throw invalid(field, bindProblem(error));
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
      await tryToBind(listener);
    } catch (cause) {
      // Anything else is for the workers to meet, who know what to do without IPv6.
      if (codeOf(cause) !== "EADDRINUSE") continue;
      const message = `cannot listen on ${listener.addr}: ${bindProblem(cause)}`;
      throw new ControlError("port_in_use", message, { cause });
    }
  }
}

async function tryToBind({ host, port }: Endpoint): Promise<void> {
  const server = net.createServer();
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once("error", reject);
  server.listen({ host: host || "::", port }, resolve);
  await promise;
  const closed = Promise.withResolvers<void>();
  server.close(() => closed.resolve());
  await closed.promise;
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : undefined;
}

function bindProblem(error: unknown): string {
  switch (codeOf(error)) {
    case "EADDRINUSE":
      return "the port is in use by another program";
    case "EACCES":
      return "ports below 1024 need CAP_NET_BIND_SERVICE";
    case "EADDRNOTAVAIL":
      return "this machine does not have the address";
    default:
      return "the address cannot be bound";
  }
}
