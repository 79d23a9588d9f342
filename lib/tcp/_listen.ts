import type { Server } from "node:net";
import { BACKLOG, type ListenTarget } from "./sockets.ts";

/** Of both families: an IPv6 socket on Linux takes IPv4 connections too. */
const EVERY_ADDRESS = "::";
const EVERY_IPV4_ADDRESS = "0.0.0.0";
/** What binding to IPv6 fails with where the kernel has none. */
const NO_IPV6 = new Set<unknown>(["EAFNOSUPPORT", "EADDRNOTAVAIL", "EINVAL"]);

/** Whether binding `::` failed because the kernel has no IPv6. */
export function lacksIpv6(error: unknown): boolean {
  return error instanceof Error && "code" in error && NO_IPV6.has(error.code);
}

/** Listens; an empty host is every IPv4 and IPv6 address. */
export async function bind(server: Server, target: ListenTarget): Promise<void> {
  if ("fd" in target) return await listen(server, { fd: target.fd, backlog: BACKLOG });
  const { host, port } = target;
  const options = { port, backlog: BACKLOG, reusePort: true };
  try {
    await listen(server, { ...options, host: host || EVERY_ADDRESS });
  } catch (error) {
    if (host !== "" || !lacksIpv6(error)) throw error;
    await listen(server, { ...options, host: EVERY_IPV4_ADDRESS });
  }
}

async function listen(server: Server, options: object): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once("error", reject);
  server.listen(options, resolve);
  try {
    await promise;
  } finally {
    server.off("error", reject);
  }
}
