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

/** Waits until a process holds no more sockets than it did at `before`. */
export async function socketsReturnTo(pid: number, before: Usage): Promise<void> {
  await eventually(
    async () => (await readUsage(pid)).sockets <= before.sockets,
    `the process is back to ${before.sockets} sockets`,
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
