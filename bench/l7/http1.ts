/**
 * HTTP/1.1 on both sides: mc-proxy with one worker beside Caddy, nginx and HAProxy with one worker
 * each, in turn, in one run: requests on connections that are kept alive, one large download and
 * upload, and what 1,000 idle connections cost.
 *
 * Usage: `deno run -A bench/l7/http1.ts [ROUNDS] [REQUESTS]`; needs h2load, curl and nginx.
 *
 * @module
 */
import { join } from "node:path";
import { connect, type TLSSocket } from "node:tls";
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
  row,
  startSink,
} from "./measure.ts";
import {
  HOST,
  startBackend,
  startCaddy,
  startHaproxy,
  startMcProxy,
  startNginx,
} from "./targets.ts";

const rounds = Number(Deno.args[0] ?? 3);
const requests = Number(Deno.args[1] ?? 20_000);
const IDLE_CONNECTIONS = 1000;

await using cleanup = new AsyncDisposableStack();
const folder = await Deno.makeTempDir({ prefix: "mc-proxy-bench-" });
cleanup.defer(() => Deno.remove(folder, { recursive: true }));
const stage = await prepare(folder);
cleanup.use(await startBackend(stage));
cleanup.use(startSink(stage.sink));

const own = { http1: true, backend: stage.http1 };
const plain = await start((port) => startMcProxy(stage, port, { name: "mc-proxy", ...own }));
const jemalloc = await start((port) =>
  startMcProxy(stage, port, { name: "+ jemalloc", jemalloc: true, ...own })
);
const toSink = await start((port) =>
  startMcProxy(stage, port, { name: "mc-proxy", http1: true, backend: stage.sink })
);
const caddy = await start((port) => startCaddy(stage, port, { http1: true }));
const nginx = await start((port) => startNginx(stage, port));
const haproxy = await start((port) => startHaproxy(stage, port, { http1: true }));
const ours = [plain, jemalloc].filter((target) => target !== undefined);
const peers = [caddy, nginx, haproxy].filter((target) => target !== undefined);

print(`median of ${rounds} rounds of ${requests} requests; CPU is user + system of the process`);
// First, while no process has room left over from a peak.
for (const target of [...ours, ...peers]) await measureIdle(target);
for (const clients of [20, 200]) await compare(clients);
await compareLarge();

async function start(
  run: (port: number) => Promise<Target | undefined>,
): Promise<Target | undefined> {
  const [port = 0] = await unusedPorts(1);
  const target = await run(port);
  return target && cleanup.use(target);
}

/** Requests one after the other on each of so many connections. */
async function compare(clients: number): Promise<void> {
  const targets = [...ours, ...peers];
  const run = (target: Target) => h2load(target, ["--h1", "-n", `${requests}`, "-c", `${clients}`]);
  const all = new Map<Target, Measured[]>(targets.map((target) => [target, []]));
  // Compilers that learn while they run are measured when they have learnt.
  for (const target of targets) await run(target);
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
      })
      : [];
    const name = `${clients} connections`;
    const each = `${cpu.toFixed(1)} µs each`;
    row(name, target.name, `${rate.toFixed(0).padStart(7)}/s`, each, ratios.join(", "));
  }
}

async function compareLarge(): Promise<void> {
  if (plain === undefined || toSink === undefined || nginx === undefined) return;
  const down = (target: Target) => curl(target, ["--http1.1", "-o", "/dev/null"], "files/large");
  const up = (target: Target) =>
    curl(target, ["--http1.1", "-T", join(folder, "files/large"), "-H", "Expect:"], "upload");
  for (
    const [name, mine, run] of [["1 GiB down", plain, down], ["1 GiB up", toSink, up]] as const
  ) {
    const speeds: [number[], number[]] = [[], []];
    const before = [mine.cpuMicros(), nginx.cpuMicros()] as const;
    for (let round = 0; round < rounds; round++) {
      speeds[0].push(await run(mine));
      speeds[1].push(await run(nginx));
    }
    const cpu = (target: Target, since: number) =>
      `${((target.cpuMicros() - since) / rounds / 1e6).toFixed(2)} s of CPU`;
    const [speed, other] = [median(speeds[0]), median(speeds[1])];
    const megabytes = (octets: number) => `${(octets / 1e6).toFixed(0)} MB/s`;
    const ratio = `${(speed / other).toFixed(2)} × nginx`;
    row(name, mine.name, megabytes(speed), cpu(mine, before[0]), ratio);
    row(name, nginx.name, megabytes(other), cpu(nginx, before[1]), "");
  }
}

/** What connections cost that have asked once and are kept alive, beyond the first few. */
async function measureIdle(target: Target): Promise<void> {
  const first: TLSSocket[] = [];
  for (let i = 0; i < IDLE_CONNECTIONS / 5; i++) first.push(await askOnce(target.port));
  const before = target.residentBytes();
  const sockets: TLSSocket[] = [];
  for (let i = 0; i < IDLE_CONNECTIONS; i++) sockets.push(await askOnce(target.port));
  const each = (target.residentBytes() - before) / IDLE_CONNECTIONS;
  row(`${IDLE_CONNECTIONS} idle`, target.name, `${(each / 1000).toFixed(1)} kB each`, "", "");
  for (const socket of [...first, ...sockets]) socket.destroy();
}

function askOnce(port: number): Promise<TLSSocket> {
  const { promise, resolve, reject } = Promise.withResolvers<TLSSocket>();
  const options = { port, host: "127.0.0.1", servername: HOST, rejectUnauthorized: false };
  const socket = connect({ ...options, ALPNProtocols: ["http/1.1"] });
  socket.once("error", reject);
  socket.once("data", () => resolve(socket));
  socket.write(`GET / HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`);
  return promise;
}
