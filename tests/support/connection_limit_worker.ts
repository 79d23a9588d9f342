/// <reference lib="deno.worker" />
/**
 * A worker that takes and gives back permits of a shared connection limiter as fast as it can, and
 * tells the most that one source ever had at one time.
 *
 * @module
 */
import { createConnectionLimiter, type SourcePermit } from "../../lib/firewall/mod.ts";

/** What the worker is to do. */
export interface CrowdTask {
  readonly buffer: SharedArrayBuffer;
  readonly limit: number;
  readonly worker: number;
  /** One word; each worker counts it down on arrival and starts when it is 0. */
  readonly gate: SharedArrayBuffer;
  /** Connections of each source over all workers, one word each. */
  readonly open: SharedArrayBuffer;
  readonly rounds: number;
  /** Whether to keep what was taken, as a worker that dies does. */
  readonly keeps: boolean;
}

self.onmessage = ({ data }: MessageEvent<CrowdTask>) => {
  const { worker, rounds, keeps } = data;
  const limiter = createConnectionLimiter(data);
  const open = new Int32Array(data.open);
  const gate = new Int32Array(data.gate);
  Atomics.sub(gate, 0, 1);
  Atomics.notify(gate, 0);
  for (let left = Atomics.load(gate, 0); left > 0; left = Atomics.load(gate, 0)) {
    Atomics.wait(gate, 0, left);
  }
  let most = 0;
  const held: { source: number; permit: SourcePermit }[] = [];
  for (let round = 0; round < rounds; round++) {
    const source = (round * 7 + worker) % open.length;
    const ip = { family: 4, w0: 0, w1: 0, w2: 0, w3: source } as const;
    const permit = limiter.acquire(ip, worker);
    if (permit !== undefined) {
      most = Math.max(most, Atomics.add(open, source, 1) + 1);
      held.push({ source, permit });
    }
    if (keeps || held.length < 8) continue;
    const [oldest] = held.splice(0, 1);
    if (oldest === undefined) continue;
    Atomics.sub(open, oldest.source, 1);
    limiter.release(oldest.permit, worker);
  }
  for (const { source, permit } of keeps ? [] : held) {
    Atomics.sub(open, source, 1);
    limiter.release(permit, worker);
  }
  self.postMessage({ most, held: keeps ? held.length : 0 });
};
