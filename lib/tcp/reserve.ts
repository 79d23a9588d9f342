import { errnoName, loadBinding, type NameOut } from "./_binding.ts";
import { StreamError } from "./stream.ts";

/**
 * Binds an address without listening there, and lets it go again: who connects meanwhile is refused,
 * as before and after it, and not accepted and reset.
 *
 * @param host a literal address.
 * @returns the port, or nothing where the runtime's handles are not what they were.
 * @throws {StreamError} with the system's code, such as `EADDRINUSE`.
 */
export function tryToReserve(host: string, port: number): number | undefined {
  let handle;
  try {
    handle = loadBinding().create();
  } catch {
    return undefined;
  }
  if (typeof handle.bind !== "function" || typeof handle.bind6 !== "function") return undefined;
  try {
    const status = host.includes(":") ? handle.bind6(host, port, 0) : handle.bind(host, port);
    if (status !== 0) throw problem(errnoName(status));
    const name: NameOut = {};
    const found = handle.getsockname(name);
    if (found !== 0) throw problem(errnoName(found));
    // As in libuv, an address that is in use shows when one listens; until then there is no port.
    if (!name.port) throw problem("EADDRINUSE");
    return name.port;
  } finally {
    handle.close();
  }
}

function problem(code: string): StreamError {
  return new StreamError(code, `the address cannot be bound: ${code}`);
}
