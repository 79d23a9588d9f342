import { createConnection, type Socket } from "node:net";

/** A local connect takes no time. */
const PROBE_TIMEOUT_MS = 1000;

/** gRPC reports every failed connection alike: a connect of our own finds out which it was. */
export async function whyUnreachable(socketPath: string): Promise<string> {
  const ended = Promise.withResolvers<string>();
  const timer = setTimeout(() => ended.resolve("the proxy does not accept"), PROBE_TIMEOUT_MS);
  try {
    using socket = openSocket(socketPath);
    socket.on("error", (error) => ended.resolve(reasonOf(error)));
    socket.on("connect", () => ended.resolve("the connection was lost"));
    return await ended.promise;
  } catch (error) {
    return reasonOf(error);
  } finally {
    clearTimeout(timer);
  }
}

/** A missing permission is thrown at once, every other failure is an event. */
function openSocket(path: string): Socket & Disposable {
  const socket = createConnection(path);
  return Object.assign(socket, { [Symbol.dispose]: () => void socket.destroy() });
}

function reasonOf(error: unknown): string {
  if (error instanceof Deno.errors.NotCapable) return "Deno was not given the permission";
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  switch (code) {
    case "ENOENT":
      return "there is no such socket";
    case "ECONNREFUSED":
      return "the proxy does not run";
    case "EACCES":
      return "only the proxy's user and root may open it";
    default:
      return typeof code === "string" ? code : "it cannot be opened";
  }
}
