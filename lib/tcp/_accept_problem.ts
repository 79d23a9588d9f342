import { errnoName, type TcpBinding } from "./_binding.ts";

const LOOPBACK = "127.0.0.1";
/** What a socket cannot be made for, whoever makes it. */
const EXHAUSTED = new Set(["EMFILE", "ENFILE", "ENOBUFS", "ENOMEM"]);

/**
 * Why a connection could not be accepted now: the runtime does not say when accept(2) fails, but what
 * it wants for is what any new socket wants for. One is made and let go of (22 µs).
 */
export function acceptProblem({ create }: TcpBinding): string | undefined {
  const handle = create();
  try {
    const status = handle.bind(LOOPBACK, 0);
    const code = status === 0 ? "" : errnoName(status);
    return EXHAUSTED.has(code) ? code : undefined;
  } catch { // What the permissions do not allow.
    return undefined;
  } finally {
    handle.close();
  }
}
