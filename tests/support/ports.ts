/**
 * Ports for programs that cannot be told to take any free one.
 *
 * @module
 */
import { once } from "node:events";
import { createServer } from "node:net";

/** Linux takes the local ports of outgoing connections from 32,768 on, unless told otherwise. */
const FIRST_EPHEMERAL_PORT = 32_768;

/** Below are the ports that programs are commonly configured with. */
const FIRST_CANDIDATE_PORT = 20_000;

/**
 * A port that was free a moment ago, outside of the range from which the kernel takes ports for the
 * connections and listeners of tests that run at the same time.
 */
export function unusedPort(): Promise<number> {
  return unusedPortBlock([]);
}

/** A port such that it and the ports `offsets` above it are free, see {@link unusedPort}. */
export async function unusedPortBlock(offsets: readonly number[]): Promise<number> {
  const span = FIRST_EPHEMERAL_PORT - FIRST_CANDIDATE_PORT - Math.max(0, ...offsets);
  for (;;) {
    const first = FIRST_CANDIDATE_PORT + Math.floor(Math.random() * span);
    const free = await Promise.all(
      [0, ...offsets].map((offset) => canListen(first + offset)),
    );
    if (!free.includes(false)) return first;
  }
}

async function canListen(port: number): Promise<boolean> {
  const server = createServer();
  server.listen(port, "127.0.0.1");
  try {
    await once(server, "listening");
    server.close();
    await once(server, "close");
    return true;
  } catch {
    return false;
  }
}

/** `count` different ports, see {@link unusedPort}. */
export async function unusedPorts(count: number): Promise<number[]> {
  const ports = new Set<number>();
  while (ports.size < count) ports.add(await unusedPort());
  return [...ports];
}
