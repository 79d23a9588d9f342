/**
 * What the kernel holds of connections over loopback.
 *
 * @module
 */

/** Octets that the kernel holds for every connection with one of these ports at either end. */
export async function kernelOctets(...ports: number[]): Promise<number> {
  const hex = ports.map((port) => `:${port.toString(16).toUpperCase().padStart(4, "0")}`);
  let sum = 0;
  for (const line of (await Deno.readTextFile("/proc/net/tcp")).split("\n").slice(1)) {
    const [, local = "", remote = "", , queues = ""] = line.trim().split(/\s+/);
    if (!hex.some((end) => local.endsWith(end) || remote.endsWith(end))) continue;
    for (const queue of queues.split(":")) sum += parseInt(queue, 16);
  }
  return sum;
}
