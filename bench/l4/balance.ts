/**
 * What choosing between several backends costs a new connection: processor time of the proxy for a
 * route with one backend, with one of another checkout (`MC_PROXY_BASE`, a folder) beside it, for one
 * that chooses among one, and for routes with three backends.
 *
 * Each gets the same number of connections in turn, in many short slices: whatever else the machine
 * does falls on all of them. What a proxy costs while nobody asks (timers, looks at files) is taken
 * off: divided by the few connections of a short run on a busy machine it would be much.
 *
 * Usage: `deno run -A bench/l4/balance.ts [ROUNDS] [CONNECTIONS]`
 *
 * @module
 */
import { join } from "node:path";
import { serverFlags } from "../../deploy/runtime.ts";
import { ROOT } from "../../tests/support/module_graph.ts";
import { unusedPorts } from "../../tests/support/ports.ts";
import { connections } from "./load.ts";
import { startTarget, type Target } from "./target.ts";

const rounds = Number(Deno.args[0] ?? 20);
const count = Number(Deno.args[1] ?? 500);
/** Of each, before anything is counted. */
const WARM_UP = 2000;
const IDLE_MS = 5000;
/** What is left over of a load (garbage, sockets) is gone by then. */
const REST_MS = 3000;
const base = Deno.env.get("MC_PROXY_BASE");

await using cleanup = new AsyncDisposableStack();
const [a = 0, b = 0, c = 0, ...ports] = await unusedPorts(12);
const echoes = [a, b, c];
for (const [i, echo] of echoes.entries()) startBackend(echo, ports[9 - i - 1] ?? 0);

const several = echoes.map((port) => `{ addr = "127.0.0.1:${port}" }`).join(", ");
const one = `backend = "127.0.0.1:${a}"`;
const ROUTES: readonly (readonly [name: string, root: string, route: string])[] = [
  ...base === undefined ? [] : [["one backend, base", base, one] as const],
  ["one backend", ROOT, one],
  ["a list of one", ROOT, `backends = [{ addr = "127.0.0.1:${a}" }]`],
  ["three, round_robin", ROOT, `backends = [${several}]`],
  ["three, least", ROOT, `backends = [${several}]\nbalance = "least"`],
  ["three, source", ROOT, `backends = [${several}]\nbalance = "source"`],
];
const targets: Target[] = [];
for (const [i, entry] of ROUTES.entries()) targets.push(cleanup.use(await start(entry, i)));

/** Microseconds of processor time that each takes in a second in which nobody asks. */
const idle = new Map<Target, number>();
for (const { port } of targets) await connections(port, WARM_UP);
await pause(REST_MS);
const before = targets.map((target) => target.threadMicros());
await pause(IDLE_MS);
for (const [i, target] of targets.entries()) {
  idle.set(target, (target.threadMicros() - (before[i] as number)) / (IDLE_MS / 1000));
}

const costs = new Map(targets.map((target) => [target, [] as number[]]));
let failed = 0;
for (let round = 0; round < rounds; round++) {
  // Each begins a round once: whoever comes after another finds a warmer machine.
  for (let i = 0; i < targets.length; i++) {
    const target = targets[(i + round) % targets.length] as Target;
    const [micros, startedAt] = [target.threadMicros(), performance.now()];
    failed += (await connections(target.port, count)).errors;
    const seconds = (performance.now() - startedAt) / 1000;
    const busy = target.threadMicros() - micros - seconds * (idle.get(target) ?? 0);
    costs.get(target)?.push(busy / count);
  }
}
const [reference] = targets;
for (const target of targets) {
  const all = costs.get(target) ?? [];
  // Of a round, not of all: what disturbs a round disturbs both.
  const beside = all.map((cost, i) => cost - (costs.get(reference as Target)?.[i] ?? 0));
  const figures = [
    `${target.name.padEnd(22)} ${quantile(all, 0.5)} µs each (${quantile(all, 0)} to ${
      quantile(all, 1)
    })`,
    `beside the first ${quantile(beside, 0.5)} (half of the rounds ${quantile(beside, 0.25)} to ${
      quantile(beside, 0.75)
    })`,
    `idle ${((idle.get(target) ?? 0) / 1000).toFixed(1)} ms/s`,
  ];
  print(figures.join(", "));
}
print(`${failed} of ${rounds * count * targets.length} connections failed`);

function quantile(values: readonly number[], part: number): string {
  const sorted = [...values].sort((x, y) => x - y);
  return (sorted[Math.round((sorted.length - 1) * part)] ?? 0).toFixed(1);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function print(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}

async function start(
  [name, root, route]: typeof ROUTES[number],
  index: number,
): Promise<Target> {
  const folder = await Deno.makeTempDir({ prefix: "mc-proxy-bench-" });
  cleanup.defer(() => Deno.remove(folder, { recursive: true }));
  const port = ports[index] as number;
  const config = join(folder, "mc-proxy.toml");
  await Deno.writeTextFile(
    config,
    `[database]
path = "${folder}/mc-proxy.db"
[[listeners]]
addr = "127.0.0.1:${port}"
[[listeners.routes]]
hostname = "echo.test"
${route}
[log]
level = "warn"
[server]
workers = 1
`,
  );
  const flags = serverFlags({ source: root, data: folder });
  const args = ["run", ...flags, join(root, "main.ts"), "server", "-c", config];
  return await startTarget(name, port, Deno.execPath(), args);
}

function startBackend(echo: number, bulk: number): void {
  const url = new URL("./backend.ts", import.meta.url);
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", "--allow-net", url.pathname, String(echo), String(bulk)],
    stdin: "null",
  }).spawn();
  cleanup.defer(async () => {
    child.kill("SIGTERM");
    await child.status;
  });
}
