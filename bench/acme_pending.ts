/**
 * What `[acme]` costs connections that have nothing to do with it: processor time of the program for
 * each l4 connection, without the section, with it, and while names are being proved, in turns.
 *
 *     deno run -A bench/acme_pending.ts
 *
 * @module
 */
import { startIssuingCa } from "../tests/support/issuing_ca.ts";
import { startEchoBackend } from "../tests/support/backends.ts";
import { buildClientHello } from "../tests/support/hello.ts";
import { unusedPorts } from "../tests/support/ports.ts";
import { type Proxy, startProxy } from "../tests/support/proxy.ts";

const CONNECTIONS = 1500;
const ROUNDS = 5;
const AT_ONCE = 16;
/** Of Linux, everywhere. */
const TICKS_PER_SECOND = 100;

const hello = buildClientHello({ serverName: "a.example", alpn: ["h2", "http/1.1"] });

/** Of one process, all threads, in milliseconds. */
async function processorTime(pid: number): Promise<number> {
  const stat = await Deno.readTextFile(`/proc/${pid}/stat`);
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * 1000 / TICKS_PER_SECOND;
}

async function visit(port: number): Promise<void> {
  using connection = await Deno.connect({ hostname: "127.0.0.1", port });
  await connection.write(hello);
  const read = new Uint8Array(hello.length);
  for (let at = 0; at < read.length;) at += await connection.read(read.subarray(at)) ?? read.length;
}

async function visitAll(port: number): Promise<void> {
  let left = CONNECTIONS;
  await Promise.all(Array.from({ length: AT_ONCE }, async () => {
    while (left-- > 0) await visit(port);
  }));
}

await using backend = await startEchoBackend();
// Its validators never come to an end: the proofs stay pending.
await using ca = await startIssuingCa((step) =>
  step === "challenge" ? new Promise(() => {}) : undefined
);
await using idle = await startIssuingCa();
const routes = [{ hostname: "a.example", backend: backend.address, mode: "l4" }];
const pending = Array.from({ length: 16 }, (_, i) => {
  return { hostname: `p${i}.example`, backend: "127.0.0.1:9", mode: "l7", tls_cert: "acme" };
});

async function start(acme?: { directory: string; caPem: string }, more: object[] = []) {
  const [port] = await unusedPorts(1) as [number];
  const proxy: Proxy = await startProxy({
    config: (folder) => ({
      listeners: [{ addr: `127.0.0.1:${port}`, routes: [...routes, ...more] }],
      ...acme && {
        acme: { directory: acme.directory, agree_tos: true, ca_cert: `${folder}/ca.pem` },
      },
    }),
    files: { "ca.pem": acme?.caPem ?? "" },
  });
  return { port, proxy, spent: 0 };
}

const programs = {
  "without [acme]": await start(),
  "with [acme]": await start(idle),
  "16 names pending": await start(ca, pending),
};
await new Promise((resolve) => setTimeout(resolve, 5000));
try {
  for (const { port } of Object.values(programs)) await visitAll(port);
  for (let round = 0; round < ROUNDS; round++) {
    for (const program of Object.values(programs)) {
      const before = await processorTime(program.proxy.process.pid);
      await visitAll(program.port);
      program.spent += await processorTime(program.proxy.process.pid) - before;
    }
  }
} finally {
  for (const { proxy } of Object.values(programs)) await proxy[Symbol.asyncDispose]();
}
for (const [name, { spent }] of Object.entries(programs)) {
  const each = spent * 1000 / (CONNECTIONS * ROUNDS);
  // deno-lint-ignore no-console -- what a bench is for
  console.log(`${name.padEnd(18)} ${each.toFixed(0)} µs a connection`);
}
Deno.exit(0);
