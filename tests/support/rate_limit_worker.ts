/// <reference lib="deno.worker" />
/**
 * A worker that asks a shared rate limiter as fast as it can and tells how often it was admitted.
 *
 * @module
 */
import { createRateLimiter } from "../../lib/firewall/mod.ts";

/** What the worker is to do. */
export interface HammerTask {
  readonly buffer: SharedArrayBuffer;
  readonly limit: number;
  readonly windowMs: number;
  /** One word; each worker counts it down on arrival and starts when it is 0. */
  readonly gate: SharedArrayBuffer;
  /** IPv4 addresses, asked for in turn. */
  readonly sources: readonly number[];
  readonly attempts: number;
  readonly nowMs: number;
}

self.onmessage = ({ data }: MessageEvent<HammerTask>) => {
  const limiter = createRateLimiter(data);
  const admitted = data.sources.map(() => 0);
  const gate = new Int32Array(data.gate);
  Atomics.sub(gate, 0, 1);
  Atomics.notify(gate, 0);
  for (let left = Atomics.load(gate, 0); left > 0; left = Atomics.load(gate, 0)) {
    Atomics.wait(gate, 0, left);
  }
  for (let i = 0; i < data.attempts; i++) {
    data.sources.forEach((w3, n) => {
      const ip = { family: 4, w0: 0, w1: 0, w2: 0, w3 } as const;
      if (limiter.admit(ip, data.nowMs)) admitted[n] = (admitted[n] ?? 0) + 1;
    });
  }
  self.postMessage(admitted);
};
