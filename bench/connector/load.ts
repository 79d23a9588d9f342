import { connect, type TLSSocket } from "node:tls";
import { inParallel, type LoadResult } from "../l4/load.ts";
import { DOMAIN } from "./target.ts";

/** Certificate and key of the client, and whom it trusts. */
export interface Client {
  readonly cert: string;
  readonly key: string;
  readonly ca: string;
}

const AT_ONCE = 20;
const BULK_AT_ONCE = 4;
const PING = new Uint8Array(64);

/** New sessions: a full handshake with certificates, one round trip, close. */
export function newSessions(port: number, seconds: number, client: Client): Promise<LoadResult> {
  return inParallel(AT_ONCE, seconds, async () => {
    const socket = await open(port, "echo", client);
    try {
      await new Promise((resolve, reject) => {
        socket.once("data", resolve).once("close", reject);
        socket.write(PING);
      });
    } finally {
      socket.destroy();
    }
    return 1;
  });
}

/** Megabytes downloaded over four sessions. */
export async function bulk(port: number, seconds: number, client: Client): Promise<LoadResult> {
  const sockets = await Promise.all(
    Array.from({ length: BULK_AT_ONCE }, () => open(port, "bulk", client)),
  );
  let bytes = 0;
  for (const socket of sockets) {
    socket.on("data", (chunk) => bytes += chunk.length);
    socket.write(PING);
  }
  const start = performance.now();
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  const taken = (performance.now() - start) / 1000;
  for (const socket of sockets) socket.destroy();
  return { operations: bytes / 1e6, seconds: taken, errors: 0 };
}

async function open(port: number, host: string, client: Client): Promise<TLSSocket> {
  const servername = `${host}.${DOMAIN}`;
  const socket = connect({ host: "127.0.0.1", port, servername, ...client });
  await new Promise((resolve, reject) => {
    socket.on("error", reject);
    socket.once("secureConnect", resolve).once("close", reject);
  });
  return socket;
}
