/**
 * Ports for programs that cannot be told to take any free one.
 *
 * @module
 */
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";

/**
 * A port that was free a moment ago: nobody listens on it, and the kernel hands out others first.
 */
export async function unusedPort(host = "127.0.0.1"): Promise<number> {
  const server = createServer();
  server.listen(0, host);
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

/** `count` different ports, see {@link unusedPort}. */
export async function unusedPorts(count: number): Promise<number[]> {
  const ports = new Set<number>();
  while (ports.size < count) ports.add(await unusedPort());
  return [...ports];
}
