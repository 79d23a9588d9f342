/**
 * What choosing between several backends costs a new connection: processor time of the proxy for a
 * route with one backend, with one of another checkout (`MC_PROXY_BASE`, a folder) beside it, and for
 * routes with three backends.
 *
 * Usage: `deno run -A bench/l4/balance.ts [ROUNDS] [SECONDS]`
 *
 * @module
 */
import { join } from "node:path";
import { serverFlags } from "../../deploy/runtime.ts";
import { ROOT } from "../../tests/support/module_graph.ts";
import { unusedPorts } from "../../tests/support/ports.ts";
import { newConnections } from "./load.ts";
import { startTarget, type Target } from "./target.ts";

const rounds = Number(Deno.args[0] ?? 5);
const seconds = Number(Deno.args[1] ?? 2);
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
  ["three, round_robin", ROOT, `backends = [${several}]`],
  ["three, least", ROOT, `backends = [${several}]\nbalance = "least"`],
  ["three, source", ROOT, `backends = [${several}]\nbalance = "source"`],
];
const targets: Target[] = [];
for (const [i, entry] of ROUTES.entries()) targets.push(cleanup.use(await start(entry, i)));

const cpus = new Map(targets.map((target) => [target, [] as number[]]));
for (let round = 0; round < rounds; round++) {
  // Each begins a round once: whoever comes after another finds a warmer machine.
  for (let i = 0; i < targets.length; i++) {
    const target = targets[(i + round) % targets.length] as Target;
    const before = target.cpuMicros();
    const { operations } = await newConnections(target.port, seconds);
    cpus.get(target)?.push((target.cpuMicros() - before) / Math.max(1, operations));
  }
}
for (const target of targets) {
  const all = (cpus.get(target) ?? []).sort((x, y) => x - y);
  const [least = 0] = all;
  const median = all[all.length >> 1] ?? 0;
  const line = `${target.name.padEnd(22)} ${median.toFixed(1)} µs each, least ${
    least.toFixed(1)
  }\n`;
  Deno.stdout.writeSync(new TextEncoder().encode(line));
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
