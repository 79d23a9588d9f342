import { isLoopback, parseIp } from "../addr/mod.ts";
import type { DestinationCheck } from "../connector/mod.ts";
import { type Connect, DialError } from "../relay/mod.ts";

/** Keeps a dialler away from where nobody named by a database may lead it. */
export interface DestinationGuard {
  readonly forbids: (address: string) => string | undefined;
  readonly connect: (connect: Connect<Deno.TcpConn>) => Connect<Deno.TcpConn>;
}

/**
 * @param destinations What the operator allows.
 * @param ownPorts The ports of the proxy's own listeners, asked for when a connection is made.
 */
export function createDestinationGuard(
  destinations: DestinationCheck,
  ownPorts: () => Iterable<number>,
): DestinationGuard {
  return {
    forbids(address) {
      const ip = parseIp(address);
      // With a zone identifier, and so link-local.
      return ip.ok ? destinations(ip.value) : "no plain address";
    },
    connect: (connect) => async (address) => {
      const connection = await connect(address);
      const { remoteAddr, localAddr } = connection;
      if (!isThisMachine(remoteAddr, localAddr) || ![...ownPorts()].includes(address.port)) {
        return connection;
      }
      connection.close();
      const { hostname, port } = address;
      throw new DialError("forbidden", `must not connect to ${hostname}:${port}: the proxy itself`);
    },
  };
}

/**
 * Listeners on every address are reached by any that this machine has, and no worker may list those.
 * But a connection to an address of one's own comes from that same address.
 */
function isThisMachine(remote: Deno.Addr, local: Deno.Addr): boolean {
  if (remote.transport !== "tcp" || local.transport !== "tcp") return false;
  const ip = parseIp(remote.hostname);
  return remote.hostname === local.hostname || (ip.ok && isLoopback(ip.value));
}
