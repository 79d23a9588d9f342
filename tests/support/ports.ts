/**
 * Ports for programs that cannot be told to take any free one. A port that was free a moment ago may
 * be anybody's a moment later, and two programs that listen with SO_REUSEPORT would share it without
 * a word: so every file of tests has some for itself.
 *
 * @module
 */
import { once } from "node:events";
import { createServer } from "node:net";

/** Below are the ports that programs are commonly configured with. */
const FIRST_PORT = 20_000;
/** From here on, ports that are far from each other are looked for. */
const FIRST_OF_FAMILIES = 30_000;
/** Linux takes the local ports of outgoing connections from 32,768 on, unless told otherwise. */
const FIRST_EPHEMERAL_PORT = 32_768;

/** Ports that a file of tests has for itself. */
const OWN_PORTS = 32;

/** Where nobody serves: a socket of UDP at a port of this address says that the block is taken. */
const CLAIMS_HOSTNAME = "127.255.255.254";

/** Held until the file ends; taken before its first test, which would be blamed for leaking it. */
const claim = claimBlock();
let handedOut = 0;

/** A port that nobody listens on, of those that only this file of tests takes. */
export async function unusedPort(): Promise<number> {
  for (let tried = 0; tried < OWN_PORTS; tried++) {
    const port = (claim.addr as Deno.NetAddr).port + handedOut++ % OWN_PORTS;
    if (await canListen(port)) return port;
  }
  throw new Error(`all of ${OWN_PORTS} ports are in use`);
}

/** `count` different ports, see {@link unusedPort}. */
export async function unusedPorts(count: number): Promise<number[]> {
  const ports = new Set<number>();
  while (ports.size < count) ports.add(await unusedPort());
  return [...ports];
}

/** A port such that it and the ports `offsets` above it were free a moment ago. */
export async function unusedPortFamily(offsets: readonly number[]): Promise<number> {
  const span = FIRST_EPHEMERAL_PORT - FIRST_OF_FAMILIES - Math.max(0, ...offsets);
  for (;;) {
    const first = FIRST_OF_FAMILIES + Math.floor(Math.random() * span);
    const free = await Promise.all([0, ...offsets].map((offset) => canListen(first + offset)));
    if (!free.includes(false)) return first;
  }
}

function claimBlock(): Deno.DatagramConn {
  const blocks = Math.floor((FIRST_OF_FAMILIES - FIRST_PORT) / OWN_PORTS);
  const start = Math.floor(Math.random() * blocks);
  for (let i = 0; i < blocks; i++) {
    const port = FIRST_PORT + (start + i) % blocks * OWN_PORTS;
    try {
      return Deno.listenDatagram({ transport: "udp", hostname: CLAIMS_HOSTNAME, port });
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    }
  }
  throw new Error("every block of ports is taken");
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
