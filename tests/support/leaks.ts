/**
 * What another process holds, read from `/proc`. Not for the test's own process: test files run
 * side by side in it.
 *
 * @module
 */
import { eventually } from "./deadline.ts";

/** Resources of one process at one moment. */
export interface Usage {
  /** Open descriptors of every kind. */
  readonly descriptors: number;
  /** Open sockets: connections and listeners. */
  readonly sockets: number;
  /** Resident memory, octets. */
  readonly residentBytes: number;
}

/** Whether this machine has `/proc`. */
export const CAN_READ_USAGE = Deno.build.os === "linux";

/** Reads what a process of ours holds. */
export async function readUsage(pid: number): Promise<Usage> {
  let descriptors = 0;
  let sockets = 0;
  for await (const { name } of Deno.readDir(`/proc/${pid}/fd`)) {
    descriptors++;
    if ((await linkTarget(`/proc/${pid}/fd/${name}`)).startsWith("socket:")) sockets++;
  }
  const status = await Deno.readTextFile(`/proc/${pid}/status`);
  const residentKib = Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]);
  return { descriptors, sockets, residentBytes: residentKib * 1024 };
}

/** What the busiest thread of a process had of the processor, and what it waited for it, in ms. */
interface ProcessorTime {
  readonly ran: number;
  readonly waited: number;
}

/** Reads the scheduler's account of a process, of each of its threads. */
async function readProcessorTimes(pid: number): Promise<Map<string, ProcessorTime>> {
  const times = new Map<string, ProcessorTime>();
  for await (const { name } of Deno.readDir(`/proc/${pid}/task`)) {
    const text = await Deno.readTextFile(`/proc/${pid}/task/${name}/schedstat`).catch(() => "0 0");
    const [ran = 0, waited = 0] = text.split(" ").map((value) => Number(value) / 1e6);
    times.set(name, { ran, waited });
  }
  return times;
}

/**
 * Begins to measure how much longer everything takes these processes because the processor is
 * somebody else's: the answer asks for it, for the worst of them. 1 on a machine that is their own.
 */
export async function watchStarvation(pids: readonly number[]): Promise<() => Promise<number>> {
  const before = await Promise.all(pids.map(readProcessorTimes));
  return async () => {
    const after = await Promise.all(pids.map(readProcessorTimes));
    return Math.max(...after.map((times, i) => starvationOf(before[i], times)));
  };
}

/** That of the busiest thread. */
function starvationOf(
  before: ReadonlyMap<string, ProcessorTime> | undefined,
  after: ReadonlyMap<string, ProcessorTime>,
): number {
  let busiest = { ran: 0, waited: 0 };
  for (const [name, now] of after) {
    const { ran, waited } = before?.get(name) ?? { ran: 0, waited: 0 };
    const since = { ran: now.ran - ran, waited: now.waited - waited };
    if (since.ran > busiest.ran) busiest = since;
  }
  return busiest.ran === 0 ? 1 : 1 + busiest.waited / busiest.ran;
}

/** Waits until a process holds no more sockets than it did at `before`. */
export async function socketsReturnTo(pid: number, before: Usage, ms?: number): Promise<void> {
  await eventually(
    async () => (await readUsage(pid)).sockets <= before.sockets,
    `the process is back to ${before.sockets} sockets`,
    ms,
  );
}

/** A descriptor may be closed between the listing and the look. */
async function linkTarget(path: string): Promise<string> {
  try {
    return await Deno.readLink(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "";
    throw error;
  }
}
