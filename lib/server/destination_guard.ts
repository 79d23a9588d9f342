import { isLoopback, parseIp } from "../addr/mod.ts";
import type { DestinationCheck } from "../connector/mod.ts";
import { type Connect, DialError } from "../relay/mod.ts";
import type { SocketName, TcpStream } from "../tcp/mod.ts";

/** Keeps a dialler away from where nobody named by a database may lead it. */
export interface DestinationGuard {
  readonly forbids: (address: string) => string | undefined;
  readonly connect: (connect: Connect<TcpStream>) => Connect<TcpStream>;
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
      const stream = await connect(address);
      const isOwnPort = [...ownPorts()].includes(address.port);
      if (!isOwnPort || !isThisMachine(stream.peerName(), stream.localName())) return stream;
      stream.close();
      const { hostname, port } = address;
      throw new DialError("forbidden", `must not connect to ${hostname}:${port}: the proxy itself`);
    },
  };
}

/**
 * Listeners on every address are reached by any that this machine has, and no worker may list those.
 * But a connection to an address of one's own comes from that same address.
 */
function isThisMachine(remote: SocketName | undefined, local: SocketName | undefined): boolean {
  if (remote === undefined || local === undefined) return true; // Gone already: nobody to relay to.
  const ip = parseIp(remote.address);
  return remote.address === local.address || (ip.ok && isLoopback(ip.value));
}
