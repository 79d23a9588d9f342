/**
 * Applies large states to a running program, over its admin API, and measures how long established
 * streams and questions for its status have to wait meanwhile.
 *
 *     deno run -A bench/large_states.ts [routes] [blocks]
 *
 * Streams and questions are another thread's, since making and encoding the wish takes a second.
 *
 * @module
 */
import { once } from "node:events";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { createClient } from "../lib/client/mod.ts";
import { unusedPort } from "../tests/support/ports.ts";
import { startProxy } from "../tests/support/proxy.ts";
import type { Waits } from "./large_states_sampler.ts";

const TIMEOUT_MS = 600_000;

async function main(routeCount: number, blockCount: number): Promise<void> {
  const echo = new Worker(new URL("large_states_backend.ts", import.meta.url));
  const [address] = await once(echo, "message");
  const backend = { address };
  const port = await unusedPort();
  await using proxy = await startProxy({
    config: (folder) => ({
      server: { workers: 2 },
      grpc: { addr: join(folder, "admin.sock") },
      listeners: [{
        addr: `127.0.0.1:${port}`,
        routes: [{ hostname: "kept.test", backend: backend.address }],
      }],
    }),
  });
  const socketPath = join(proxy.folder, "admin.sock");
  using client = createClient({ socketPath, timeoutMs: TIMEOUT_MS });
  const module = new URL("large_states_sampler.ts", import.meta.url);
  const sampler = new Worker(module, { workerData: { port, socketPath, backend: address } });
  const report = async (): Promise<Waits> => {
    sampler.postMessage("report");
    return (await once(sampler, "message"))[0];
  };
  const run = async (name: string, change: () => Promise<unknown>) => {
    await new Promise((resolve) => setTimeout(resolve, 3000));
    await report();
    const before = performance.now();
    const failure = await change().then(() => "", String);
    const seconds = (performance.now() - before) / 1000;
    await new Promise((resolve) => setTimeout(resolve, 3000));
    const { streamMs, directMs, statusMs, pings } = await report();
    // deno-lint-ignore no-console -- what a bench is for
    console.log(
      `${name}: ${seconds.toFixed(1)} s, longest wait of a stream ${streamMs.toFixed(0)} ms ` +
        `(past the proxy ${directMs.toFixed(0)} ms), of status ${
          statusMs.toFixed(0)
        } ms (${pings} pings) ${failure}`,
    );
  };
  const listener = { addr: `127.0.0.1:${port}` };
  const kept = [{ route: { hostname: "kept.test", backend: backend.address } }];
  const names = Array.from({ length: routeCount }, (_, i) => `h${i}.example`);
  const routes = names.map((hostname) => ({ route: { hostname, backend: "192.0.2.1:443" } }));
  const listeners = { listeners: [{ listener, routes: [...kept, ...routes] }] };
  const rules = Array.from({ length: blockCount }, (_, i) => {
    return { type: "cidr", value: `${16 + (i >>> 16)}.${(i >>> 8) & 255}.${i & 255}.0/24` };
  });
  await run("nothing", () => Promise.resolve());
  if (routeCount > 0) {
    await run(`${routeCount} routes`, () => client.apply({ state: { listeners } }));
    const one = { listenerAddr: listener.addr, hostname: "one.test", backend: "x:1" };
    await run(`a route beside ${routeCount}`, () => client.addRoute(one));
    await run(
      "their removal",
      () => client.apply({ state: { listeners: { listeners: [{ listener, routes: kept }] } } }),
    );
  }
  if (blockCount > 0) {
    await run(`${blockCount} blocks`, () => client.apply({ state: { firewall: { rules } } }));
    const one = { type: "ip", value: "192.0.2.1" };
    await run(`a rule beside ${blockCount}`, () => client.addFirewallRule(one));
  }
  await sampler.terminate();
  await echo.terminate();
}

await main(Number(Deno.args[0] ?? 100_000), Number(Deno.args[1] ?? 300_000));
