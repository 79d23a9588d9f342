import { connect, type Socket } from "node:net";
import { eventually } from "./deadline.ts";

/** What a queue of length 1 holds when it takes no more. */
const FULL = 2;
const LISTENS = "0A";

/**
 * A backend that hangs as a machine does that has lost its way: its queue is full, and whatever
 * comes is dropped without an answer.
 */
export class DeafBackend implements Disposable {
  readonly port: number;
  readonly #worker: Worker;
  readonly #queued: readonly Socket[];

  private constructor(worker: Worker, port: number, queued: readonly Socket[]) {
    this.#worker = worker;
    this.port = port;
    this.#queued = queued;
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  static async start(): Promise<DeafBackend> {
    const worker = new Worker(new URL("./deaf_worker.ts", import.meta.url), { type: "module" });
    const port = await new Promise<number>((resolve) => {
      worker.onmessage = ({ data }: MessageEvent<number>) => resolve(data);
    });
    const queued: Socket[] = [];
    await eventually(async () => {
      if (await queueOf(port) >= FULL) return true;
      const socket = connect(port, "127.0.0.1");
      socket.on("error", () => {});
      queued.push(socket);
      return false;
    }, "the queue is full");
    return new DeafBackend(worker, port, queued);
  }

  [Symbol.dispose](): void {
    for (const socket of this.#queued) socket.destroy();
    this.#worker.terminate();
  }
}

/** How many connections a listening port holds that nobody has accepted: proc(5), `rx_queue`. */
async function queueOf(port: number): Promise<number> {
  const local = `0100007F:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  for (const line of (await Deno.readTextFile("/proc/net/tcp")).split("\n")) {
    const [, address, , state, queues = ""] = line.trim().split(/\s+/);
    if (address === local && state === LISTENS) return parseInt(queues.split(":")[1] ?? "", 16);
  }
  return 0;
}
