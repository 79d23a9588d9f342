import { createConnection } from "node:net";

/** A local connect takes no time; who has not answered by then is alive and busy. */
const PROBE_TIMEOUT_MS = 1000;

/**
 * Whether a process listens on a Unix socket. Anything but a refusal counts: one that is only slow,
 * or of another user, lives.
 */
export function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(path);
    const finish = (answer: boolean) => {
      clearTimeout(timer);
      socket.destroy();
      resolve(answer);
    };
    socket.on("error", (error: NodeJS.ErrnoException) => {
      finish(error.code !== "ECONNREFUSED" && error.code !== "ENOENT");
    });
    socket.on("connect", () => finish(true));
    const timer = setTimeout(() => finish(true), PROBE_TIMEOUT_MS);
  });
}
