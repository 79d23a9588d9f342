import net from "node:net";

/**
 * A port that is free now on `host` (`""`: every address). Workers bind with SO_REUSEPORT and have
 * to agree on one, so port 0 is settled once, here.
 */
export async function findFreePort(host: string): Promise<number> {
  const server = net.createServer();
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once("error", reject);
  server.listen({ host: host || "::", port: 0, reusePort: true }, resolve);
  await promise;
  const { port } = server.address() as net.AddressInfo;
  const closed = Promise.withResolvers<void>();
  server.close(() => closed.resolve());
  await closed.promise;
  return port;
}
