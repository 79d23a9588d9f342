/**
 * An honest client, and how well it is served: the measure for what an attack does to others.
 *
 * @module
 */
import { connectHttp2 } from "./l7.ts";

/** How a client was served over some time. */
export interface Service {
  readonly asked: number;
  /** Requests that got no answer, or another than 200. */
  readonly failed: readonly string[];
  /** 19 of 20 answers came within this, in milliseconds. */
  readonly p95: number;
}

/** Asks one request after the other for a while, on a connection that is kept and on new ones. */
export async function beHonest(port: number, forMs: number): Promise<Service> {
  const until = performance.now() + forMs;
  const times: number[] = [];
  const failed: string[] = [];
  await using kept = await connectHttp2({ port });
  while (performance.now() < until) {
    const start = performance.now();
    try {
      const { status, body } = await kept.ask();
      if (status !== 200 || body !== "ok") failed.push(`${status} ${body}`);
    } catch (error) {
      failed.push(String(error));
    }
    times.push(performance.now() - start);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  times.sort((a, b) => a - b);
  return { asked: times.length, failed, p95: times[Math.floor(times.length * 0.95)] ?? Infinity };
}
