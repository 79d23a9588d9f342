/**
 * mc-proxy with one worker, in its variants, beside Caddy, nginx and HAProxy with one worker each,
 * in turn, in one run: requests over HTTP/2, TLS handshakes, one large download and upload, and the
 * latency that each adds. Ratios of one run mean something, and CPU time per request more than
 * rates: whoever shares the machine cannot take it away.
 *
 * Usage: `deno run -A bench/l7/main.ts [ROUNDS] [REQUESTS] [ONLY]`; needs h2load, curl and nginx. `ONLY`
 * is a part of the name of what to measure, such as `× 10`, `× 1$`, `handshakes`, `load`, `latency`.
 *
 * @module
 */
import { join } from "node:path";
import { runCommand } from "../../tests/support/commands.ts";
import { unusedPorts } from "../../tests/support/ports.ts";
import type { Target } from "../l4/target.ts";
import {
  curl,
  h2load,
  type Measured,
  median,
  medianOf,
  prepare,
  print,
  quantile,
  row,
  startSink,
} from "./measure.ts";
import {
  HOST,
  startBackend,
  startCaddy,
  startFloor,
  startHaproxy,
  startMcProxy,
  startNginx,
  type Variant,
} from "./targets.ts";

const rounds = Number(Deno.args[0] ?? 3);
const requests = Number(Deno.args[1] ?? 20_000);
const only = new RegExp(Deno.args[2] ?? "");
/** At once: more of one source would displace each other (`Handshakes` in lib/tls). */
const HANDSHAKES = 200;
const LATENCY_REQUESTS = 2000;
const WARM_UPS = 3;

await using cleanup = new AsyncDisposableStack();
const folder = await Deno.makeTempDir({ prefix: "mc-proxy-bench-" });
cleanup.defer(() => Deno.remove(folder, { recursive: true }));
const stage = await prepare(folder);
cleanup.use(await startBackend(stage));
cleanup.use(startSink(stage.sink));

const VARIANTS: readonly Variant[] = [
  { name: "mc-proxy" },
  { name: "+ jemalloc", jemalloc: true },
  { name: "+ access log", jemalloc: true, accessLog: true },
  { name: "+ node:http2", jemalloc: true, transport: "node" },
];
const ours = await startAll(VARIANTS.map((it) => (port: number) => startMcProxy(stage, port, it)));
const [nginx, haproxy, caddy] = await Promise.all(
  [startNginx, startHaproxy, startCaddy].map(async (start) => {
    const [port = 0] = await unusedPorts(1);
    const target = await start(stage, port);
    return target && cleanup.use(target);
  }),
);
const peers = [caddy, nginx, haproxy].filter((target) => target !== undefined);
const [floorPort = 0] = await unusedPorts(1);
/** What the kernel and the runtime's TLS take by themselves. */
const floor = cleanup.use(await startFloor(stage, floorPort));

print(`median of ${rounds} rounds of ${requests} requests; CPU is user + system of the process`);
for (const streams of [10, 1]) {
  await compare(
    `20 × ${streams}`,
    [...ours, ...peers, floor],
    (target) => load(target, 20, streams),
  );
}
await compare("handshakes", [...ours.slice(0, 2), ...peers, floor], handshakes);
await compareLarge();
await compareLatency();

async function compare(
  name: string,
  targets: readonly Target[],
  run: (target: Target) => Promise<Measured>,
): Promise<void> {
  if (!only.test(name)) return;
  const all = new Map<Target, Measured[]>(targets.map((target) => [target, []]));
  // Compilers that learn while they run are measured when they have learnt.
  for (let i = 0; i < WARM_UPS; i++) for (const target of targets) await run(target);
  for (let round = 0; round < rounds; round++) {
    for (const target of targets) all.get(target)?.push(await run(target));
  }
  const medians = new Map([...all].map(([target, measured]) => [target, medianOf(measured)]));
  for (const [target, { rate, cpu }] of medians) {
    const ratios = ours.includes(target)
      ? peers.map((peer) => {
        const other = medians.get(peer);
        const [byRate, byCpu] = [rate / (other?.rate ?? 1), (other?.cpu ?? 0) / cpu];
        return `${byRate.toFixed(2)} (CPU ${byCpu.toFixed(2)}) × ${peer.name}`;
      }).join(", ")
      : "";
    row(name, target.name, `${rate.toFixed(0).padStart(7)}/s`, `${cpu.toFixed(1)} µs each`, ratios);
  }
}

/** Requests over HTTP/2 on `clients` connections with `streams` at once on each. */
async function load(target: Target, clients: number, streams: number): Promise<Measured> {
  return await h2load(target, ["-n", `${requests}`, "-c", `${clients}`, "-m", `${streams}`]);
}

/** One connection and one request each, a few times all at once. */
async function handshakes(target: Target): Promise<Measured> {
  const all: Measured[] = [];
  for (let i = 0; i < 5; i++) {
    all.push(await h2load(target, ["-n", `${HANDSHAKES}`, "-c", `${HANDSHAKES}`, "-m", "1"]));
  }
  return medianOf(all);
}

async function compareLarge(): Promise<void> {
  const [main] = ours;
  if (main === undefined || nginx === undefined || !only.test("load")) return;
  const [uploads = 0] = await unusedPorts(1);
  const toSink = await startMcProxy(stage, uploads, { name: "mc-proxy", backend: stage.sink });
  if (toSink === undefined) return;
  cleanup.use(toSink);
  for (const version of ["--http1.1", "--http2"]) {
    const down = async (target: Target) =>
      await curl(target, [version, "-o", "/dev/null"], "files/large");
    const up = async (target: Target) =>
      await curl(target, [version, "-T", join(folder, "files/large"), "-H", "Expect:"], "upload");
    await compareTwo(`download ${version}`, [main, nginx], down);
    await compareTwo(`upload ${version}`, [toSink, nginx], up);
  }
}

async function compareTwo(
  name: string,
  [own, other]: readonly [Target, Target],
  run: (target: Target) => Promise<number>,
): Promise<void> {
  const speeds: [number[], number[]] = [[], []];
  for (let round = 0; round < rounds; round++) {
    speeds[0].push(await run(own));
    speeds[1].push(await run(other));
  }
  const [ours, theirs] = [median(speeds[0]), median(speeds[1])];
  const megabytes = (speed: number) => `${(speed / 1e6).toFixed(0)} MB/s`;
  row(name, own.name, megabytes(ours), "", `${(ours / theirs).toFixed(2)} × ${other.name}`);
  row(name, other.name, megabytes(theirs), "", "");
}

/** One request at a time on one connection; what the backend takes by itself is subtracted. */
async function compareLatency(): Promise<void> {
  if (!only.test("latency")) return;
  const direct = await latencies(`http://127.0.0.1:${stage.h2c}/`, stage.h2c);
  for (const target of [...ours.slice(0, 2), ...peers]) {
    const through = await latencies(`https://${HOST}:${target.port}/`, target.port);
    const added = (q: number) => `${(quantile(through, q) - quantile(direct, q)).toFixed(0)} µs`;
    row("latency added", target.name, `p50 ${added(0.5)}`, `p99 ${added(0.99)}`, "");
  }
}

/** Microseconds, sorted. */
async function latencies(url: string, port: number): Promise<number[]> {
  const file = join(folder, "latency.tsv");
  await runCommand("h2load", [
    "-n",
    `${LATENCY_REQUESTS}`,
    "-c1",
    "-m1",
    `--connect-to=127.0.0.1:${port}`,
    `--log-file=${file}`,
    url,
  ]);
  const lines = (await Deno.readTextFile(file)).trim().split("\n");
  await Deno.remove(file);
  return lines.map((line) => Number(line.split("\t")[2])).sort((a, b) => a - b);
}

async function startAll(
  starts: readonly ((port: number) => Promise<Target | undefined>)[],
): Promise<Target[]> {
  const ports = await unusedPorts(starts.length);
  const targets: Target[] = [];
  for (const [i, start] of starts.entries()) {
    const target = await start(ports[i] ?? 0);
    if (target !== undefined) targets.push(cleanup.use(target));
  }
  return targets;
}
