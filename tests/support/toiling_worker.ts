/// <reference lib="deno.worker" />
/**
 * A data-plane worker that never rests once it was told to close the connection `toil`: each turn of
 * its event loop asks for the next one. Meanwhile an octet goes to an echo and back on connections
 * of its own; it logs `echoed` with the number of turns that took.
 *
 * @module
 */
import "../../lib/workers/entry.ts";
import { once } from "node:events";
import { type AddressInfo, connect, createServer } from "node:net";
import type { FromWorker, ToWorker } from "../../lib/plane/mod.ts";

const ECHOES = 20;

const answer = self.onmessage as ((message: MessageEvent<ToWorker>) => void) | null;

self.onmessage = (message: MessageEvent<ToWorker>) => {
  const { data } = message;
  if (data.type === "close_connection" && data.connection === "toil") toil().catch(reportError);
  answer?.(message);
};

async function toil(): Promise<void> {
  const server = createServer((socket) => socket.pipe(socket)).listen(0, "127.0.0.1");
  await once(server, "listening");
  const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
  await once(socket, "connect");
  let turns = 0;
  const turn = () => {
    turns++;
    setImmediate(turn);
  };
  turn();
  for (let i = 0; i < ECHOES; i++) {
    const before = turns;
    socket.write("x");
    await once(socket, "data");
    const record = { level: "info", message: "echoed", fields: { turns: turns - before } } as const;
    self.postMessage({ type: "log", record } satisfies FromWorker);
  }
}
