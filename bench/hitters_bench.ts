/**
 * What it costs a worker to remember whose connection was refused.
 *
 * @module
 */
import { cpuUsage } from "node:process";
import { ipv4, ipv6 } from "../lib/addr/mod.ts";
import { HitterTracker } from "../lib/hitters/mod.ts";

const REFUSALS = 1_000_000;

const SOURCES = {
  "one client": () => ipv4(0x0a000001),
  "200 clients": (i: number) => ipv4(0x0a000001 + i % 200),
  "a million clients": (i: number) => ipv4(Math.imul(i, 2654435761)),
  "a million clients, IPv6": (i: number) => ipv6(0x20010db8, i, 0, Math.imul(i, 2654435761)),
} as const;

for (const [name, ipOf] of Object.entries(SOURCES)) {
  const tracker = new HitterTracker();
  const ips = Array.from({ length: 65_536 }, (_, i) => ipOf(i));
  const run = (count: number) => {
    for (let i = 0; i < count; i++) {
      const visitor = { ip: ips[i & 65_535] as typeof ips[number], country: "NL" };
      tracker.add("connections", visitor, 1);
      tracker.add("refused", visitor, 1);
    }
  };
  run(100_000);
  // Of the processor, whatever else the machine does.
  const before = cpuUsage();
  run(REFUSALS);
  const ns = cpuUsage(before).user * 1000 / REFUSALS;
  const taking = performance.now();
  tracker.take();
  const ms = performance.now() - taking;
  Deno.stdout.writeSync(
    new TextEncoder().encode(
      `${name}: ${ns.toFixed(0)} ns a refusal, taken in ${ms.toFixed(2)} ms\n`,
    ),
  );
}
