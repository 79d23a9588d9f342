/**
 * mc-proxy beside nginx stream and HAProxy with as many workers each, in turn, in one run. On a noisy
 * machine only ratios mean something, and the steadiest of them is the CPU time per operation: a load
 * generator that shares the cores cannot hide it.
 *
 * Usage: `deno run -A bench/l4/main.ts [ROUNDS] [SECONDS] [WORKERS] [IDLE_CONNECTIONS] [ONLY]`, where
 * `ONLY` is a part of the name of what to measure, such as `new`, `ping`, `bulk`, `blocked`, `idle`.
 *
 * @module
 */
import tls from "node:tls";
import { createAuthority, issueCertificate } from "../../dev/certificates.ts";
import { unusedPorts } from "../../tests/support/ports.ts";
import { blocked, bulk, type Load, newConnections, openIdle, pingPong } from "./load.ts";
import {
  type Backends,
  startFloor,
  startHaproxy,
  startMcProxy,
  startNginx,
  type Target,
} from "./target.ts";

const rounds = Number(Deno.args[0] ?? 3);
const seconds = Number(Deno.args[1] ?? 2);
const workers = Number(Deno.args[2] ?? 1);
/** Each takes two descriptors of the backend and the load together. */
const IDLE_CONNECTIONS = Number(Deno.args[3] ?? 2000);
const only = Deno.args[4] ?? "";
const HANDSHAKES = 200;
const WARM_UPS = 2;

interface Measured {
  /** Operations per second. */
  readonly rate: number;
  /** CPU time of the proxy per operation, in microseconds. */
  readonly cpu: number;
  readonly errors: number;
}

await using cleanup = new AsyncDisposableStack();
const folder = await Deno.makeTempDir({ prefix: "mc-proxy-bench-" });
cleanup.defer(() => Deno.remove(folder, { recursive: true }));
const [echo = 0, bulkPort = 0, tlsPort = 0, ...ports] = await unusedPorts(7);
const backends: Backends = { echo, bulk: bulkPort, tls: tlsPort };
cleanup.use(startBackends(backends));
const ca = await startTlsBackend();
const targets: Target[] = [];
for (const [i, start] of [startMcProxy, startNginx, startHaproxy].entries()) {
  const target = await start({ folder, port: ports[i] ?? 0, to: backends, workers });
  if (target !== undefined) targets.push(cleanup.use(target));
}
/** Where one worker may be compared with one thread of the runtime that does next to nothing. */
const floors = workers === 1 ? [cleanup.use(await startFloor(ports[3] ?? 0, backends))] : [];

print(`median of ${rounds} rounds of ${seconds} s, ${workers} worker(s) each`);
print("CPU is user + system of all its processes");
await compare("new connections", "1/s", newConnections, [...targets, ...floors]);
await compare("ping-pong on 50", "1/s", pingPong, [...targets, ...floors]);
await compare("bulk download", "MB/s", bulk);
await compare("blocked (RST)", "1/s", blocked, targets.filter(({ name }) => name !== "nginx"));
await compareHandshakes();
await compareMemory();

async function compare(name: string, unit: string, load: Load, among = targets): Promise<void> {
  if (!name.includes(only)) return;
  const results = new Map<Target, Measured[]>(among.map((target) => [target, []]));
  // Compilers that learn while they run are measured when they have learnt.
  for (let i = 0; i < WARM_UPS; i++) for (const target of among) await load(target.port, seconds);
  for (let round = 0; round < rounds; round++) {
    for (const target of among) results.get(target)?.push(await measure(target, load));
  }
  const medians = among.map((target) => medianOf(results.get(target) ?? []));
  const peers = medians.filter((_, i) => i > 0 && !floors.includes(among[i] as Target));
  const best = {
    rate: Math.max(...peers.map((m) => m.rate)),
    cpu: Math.min(...peers.map((m) => m.cpu)),
  };
  for (const [i, target] of among.entries()) {
    const { rate, cpu, errors } = medians[i] as Measured;
    const ratio = floors.includes(target)
      ? "  what the kernel and the runtime take"
      : i === 0 && peers.length > 0
      ? `  ${(rate / best.rate).toFixed(2)} of the best peer's rate, ${
        (best.cpu / cpu).toFixed(2)
      } by CPU`
      : "";
    row(
      name,
      target,
      `${rate.toFixed(0).padStart(8)} ${unit}`,
      `${cpu.toFixed(1)} µs each`,
      errors,
      ratio,
    );
  }
}

async function measure(target: Target, load: Load): Promise<Measured> {
  const before = target.cpuMicros();
  const { operations, seconds: taken, errors } = await load(target.port, seconds);
  const cpu = (target.cpuMicros() - before) / Math.max(1, operations);
  return { rate: operations / taken, cpu, errors };
}

/** The median by rate, and the median CPU time, which need not be of the same round. */
function medianOf(all: readonly Measured[]): Measured {
  const middle = (values: number[]) => values.sort((a, b) => a - b)[all.length >> 1] ?? 0;
  return {
    rate: middle(all.map(({ rate }) => rate)),
    cpu: middle(all.map(({ cpu }) => cpu)),
    errors: all.reduce((sum, { errors }) => sum + errors, 0),
  };
}

async function compareHandshakes(): Promise<void> {
  if (!"TLS handshake added".includes(only)) return;
  const direct = await handshakeMillis(backends.tls);
  for (const target of targets) {
    const through = await handshakeMillis(target.port);
    const added = (q: number) => `${(quantile(through, q) - quantile(direct, q)).toFixed(2)} ms`;
    row("TLS handshake added", target, `p50 ${added(0.5)}`, `p99 ${added(0.99)}`, 0, "");
  }
}

/** Times of full handshakes to `tls.test`, one after the other. */
async function handshakeMillis(port: number): Promise<number[]> {
  const times: number[] = [];
  for (let i = 0; i < HANDSHAKES; i++) {
    const start = performance.now();
    const socket = tls.connect({ host: "127.0.0.1", port, servername: "tls.test", ca });
    await new Promise((resolve, reject) =>
      socket.once("secureConnect", resolve).once("error", reject)
    );
    times.push(performance.now() - start);
    const closed = new Promise((resolve) => socket.once("close", resolve));
    socket.destroy();
    await closed;
  }
  return times.sort((a, b) => a - b);
}

function quantile(sorted: readonly number[], q: number): number {
  return sorted[Math.floor(sorted.length * q)] ?? 0;
}

async function compareMemory(): Promise<void> {
  if (!"idle connection".includes(only)) return;
  for (const target of targets) {
    const warmUp = await openIdle(target.port, IDLE_CONNECTIONS / 4);
    const before = target.residentBytes();
    const close = await openIdle(target.port, IDLE_CONNECTIONS);
    const each = (target.residentBytes() - before) / IDLE_CONNECTIONS;
    close();
    warmUp();
    row("idle connection", target, `${(each / 1000).toFixed(1)} kB`, "", 0, "");
  }
}

function startBackends({ echo, bulk }: Backends): AsyncDisposable {
  const url = new URL("./backend.ts", import.meta.url);
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", "--allow-net", url.pathname, String(echo), String(bulk)],
    stdin: "null",
  }).spawn();
  return {
    async [Symbol.asyncDispose]() {
      child.kill("SIGTERM");
      await child.status;
    },
  };
}

/** A TLS server in this process; returns the certificate to trust. */
async function startTlsBackend(): Promise<string> {
  const authority = await createAuthority({ commonName: "bench" });
  const { certPem, keyPem } = await issueCertificate(authority, {
    dnsNames: ["tls.test"],
    usages: ["server"],
  });
  const server = tls.createServer({ cert: certPem, key: keyPem }, (socket) => {
    socket.on("error", () => {});
    socket.resume();
  });
  await new Promise<void>((resolve) => server.listen(backends.tls, "127.0.0.1", resolve));
  cleanup.defer(() => new Promise<void>((resolve) => server.close(() => resolve())));
  return authority.certPem;
}

function row(
  name: string,
  target: Target,
  first: string,
  second: string,
  errors: number,
  rest: string,
): void {
  const failures = errors > 0 ? `  ${errors} errors` : "";
  print(
    `${name.padEnd(20)} ${target.name.padEnd(9)} ${first.padEnd(16)} ${second}${failures}${rest}`,
  );
}

function print(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}
