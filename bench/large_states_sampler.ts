/**
 * The thread of `large_states.ts` that has established streams and asks for the status, and notes how
 * long each had to wait at most.
 *
 * @module
 */
import { connect } from "node:net";
import { once } from "node:events";
import { parentPort, workerData } from "node:worker_threads";
import { createClient } from "../lib/client/mod.ts";
import { buildClientHello } from "../tests/support/hello.ts";

const STREAMS = 8;
const PING_MS = 5;
const STATUS_MS = 50;
const TIMEOUT_MS = 600_000;

/** The longest waits since the last report, in milliseconds. */
export interface Waits {
  streamMs: number;
  /** Of a stream that goes past the proxy: what the machine adds. */
  directMs: number;
  statusMs: number;
  pings: number;
}

interface Samples {
  readonly port: number;
  readonly socketPath: string;
  readonly backend: string;
}

/** The sampler's side: pings until it is told to report, then begins anew. */
async function sample({ port, socketPath, backend }: Samples): Promise<void> {
  const none = { streamMs: 0, directMs: 0, statusMs: 0, pings: 0 };
  let waits: Waits = { ...none };
  const hello = buildClientHello({ serverName: "kept.test" });
  const ping = async (port: number, wait: "streamMs" | "directMs") => {
    const socket = connect({ port, host: "127.0.0.1", noDelay: true });
    await once(socket, "connect");
    socket.write(hello);
    for (let left = hello.length; left > 0;) left -= (await once(socket, "data"))[0].length;
    for (;;) {
      const before = performance.now();
      const answer = once(socket, "data");
      socket.write("p");
      await answer;
      waits[wait] = Math.max(waits[wait], performance.now() - before);
      waits.pings++;
      await new Promise((resolve) => setTimeout(resolve, PING_MS));
    }
  };
  const ask = async () => {
    const client = createClient({ socketPath, timeoutMs: TIMEOUT_MS });
    for (;;) {
      const before = performance.now();
      await client.getStatus({});
      waits.statusMs = Math.max(waits.statusMs, performance.now() - before);
      await new Promise((resolve) => setTimeout(resolve, STATUS_MS));
    }
  };
  parentPort?.on("message", () => {
    parentPort?.postMessage(waits);
    waits = { ...none };
  });
  const streams = Array.from({ length: STREAMS }, () => ping(port, "streamMs"));
  const direct = ping(Number(backend.split(":")[1]), "directMs");
  await Promise.all([ask(), direct, ...streams]);
}

await sample(workerData);
