import assert from "node:assert/strict";
import { once } from "node:events";
import http from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { join } from "node:path";
import { ATTACKS, startAttack } from "../support/attacks.ts";
import { beHonest, type Service } from "../support/honest.ts";
import { HOST, identity } from "../support/l7.ts";
import { CAN_READ_USAGE, readUsage, socketsReturnTo } from "../support/leaks.ts";
import { startSlowH2cBackend } from "../support/node_backend.ts";
import { type Proxy, startProxy } from "../support/proxy.ts";

/**
 * In seconds: half of it is how long all attacks last at once, over each kind of backend, so that
 * `SOAK_SECONDS=3600` makes an hour; each by itself lasts a tenth of it, 2.5 s at most.
 */
const SECONDS = Number(Deno.env.get("SOAK_SECONDS") ?? 10);
const ATTACK_MS = Math.min(SECONDS * 100, 2500);
/** `SOAK_ATTACK=reset` runs those with that in their names, `SOAK_TELL=1` says what was seen. */
const ONLY = Deno.env.get("SOAK_ATTACK") ?? "";
/**
 * How much longer an answer may take beside an attack. A proxy that works waits for the processor, one
 * that idles does not: on a machine with other work to do the ratio grows with that.
 */
const MAX_RATIO = 20;
/** Below this the first measurement is a matter of luck, in milliseconds. */
const LEAST_P95_MS = 5;
/** Connections to backends that are kept for the next requests. */
const MAX_KEPT_SOCKETS = 64;
/** What resident memory may be above the first measurement, garbage not yet collected included. */
const MEMORY_SLACK_BYTES = 200 * 1024 * 1024;

/** A response that no window holds. */
const LARGE = new Uint8Array(4 * 1024 * 1024);

/** What a backend answers, and after how long. */
function answerTo(path: string): { readonly content: Uint8Array; readonly afterMs: number } {
  if (path === "/large") return { content: LARGE, afterMs: 0 };
  return path === "/slow"
    ? { content: new TextEncoder().encode("slow"), afterMs: 300 }
    : { content: new TextEncoder().encode("ok"), afterMs: 0 };
}

/** A backend over HTTP/1.1 that answers as the one over HTTP/2 does. */
async function startHttp1Target(): Promise<{ address: string } & AsyncDisposable> {
  const sockets = new Set<Socket>();
  const server = http.createServer((request, response) => {
    request.resume();
    const { content, afterMs } = answerTo(request.url ?? "");
    setTimeout(() => response.end(content), afterMs);
  });
  server.on("connection", (socket: Socket) => {
    socket.on("error", () => {});
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      const closed = once(server, "close");
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

/** A proxy in front of such a backend. */
async function startTarget(kind: "http1" | "h2c") {
  const { certPem, keyPem } = await identity();
  const backend = await (kind === "h2c" ? startSlowH2cBackend() : startHttp1Target());
  const proxy = await startProxy({
    files: { "a.pem": certPem, "a.key": keyPem },
    config: (folder) => ({
      listeners: [{
        addr: "127.0.0.1:0",
        routes: [{
          hostname: HOST,
          backend: backend.address,
          mode: "l7",
          tls_cert: join(folder, "a.pem"),
          tls_key: join(folder, "a.key"),
        }],
      }],
      l7: { access_log: false },
    }),
  });
  return {
    proxy,
    async [Symbol.asyncDispose]() {
      await proxy[Symbol.asyncDispose]();
      await backend[Symbol.asyncDispose]();
    },
  };
}

function assertServed(alone: Service, beside: Service): void {
  assert.deepEqual(beside.failed, []);
  assert.ok(beside.asked > 0);
  const [load = 1] = Deno.loadavg();
  const starvation = Math.max(1, load / navigator.hardwareConcurrency);
  const allowed = Math.max(alone.p95, LEAST_P95_MS) * MAX_RATIO * starvation;
  assert.ok(
    beside.p95 <= allowed,
    `19 of 20 answers within ${beside.p95.toFixed(1)} ms, alone ${alone.p95.toFixed(1)} ms`,
  );
}

/** Attacks beside an honest client; the proxy serves it as it did alone, and forgets the attack. */
async function withstand(proxy: Proxy, names: readonly string[], forMs: number): Promise<string> {
  const target = { port: proxy.port(), host: HOST };
  const alone = await beHonest(target.port, 1000);
  assert.deepEqual(alone.failed, []);
  const before = await readUsage(proxy.pid);
  await using running = new AsyncDisposableStack();
  const attacks = await Promise.all(
    names.map(async (name) => running.use(await startAttack(name, target))),
  );
  const beside = await beHonest(target.port, forMs);
  const worst = await readUsage(proxy.pid);
  const done = await Promise.all(attacks.map((attack) => attack.stop()));
  assertServed(alone, beside);
  for (const [i, count] of done.entries()) assert.ok(count > 0, `${names[i]} was done`);
  await socketsReturnTo(proxy.pid, { ...before, sockets: before.sockets + MAX_KEPT_SOCKETS });
  const after = await readUsage(proxy.pid);
  const growth = after.residentBytes - before.residentBytes;
  assert.ok(growth < MEMORY_SLACK_BYTES, `resident memory grew by ${growth} octets`);
  assert.deepEqual(proxy.events().filter(({ level }) => level === "error"), []);
  return `p95 ${alone.p95.toFixed(1)} -> ${beside.p95.toFixed(1)} ms, ${beside.asked} asked, ` +
    `attack done ${done}, sockets ${before.sockets} -> ${worst.sockets} -> ${after.sockets}, ` +
    `memory +${(growth / 1048576).toFixed(0)} MiB`;
}

for (const kind of ["http1", "h2c"] as const) {
  Deno.test({
    name: `honest clients are served beside attackers, over a backend of ${kind}`,
    ignore: !CAN_READ_USAGE,
    // The attackers' processes leave the reading of their output to the collector.
    sanitizeOps: false,
    sanitizeResources: false,
    fn: async (t) => {
      await using target = await startTarget(kind);
      const { proxy } = target;
      await beHonest(proxy.port(), 500);
      // Each by itself, then all at once for as long as is wanted.
      const cases = Object.keys(ATTACKS).map((name) => [name]);
      for (const names of [...cases, Object.keys(ATTACKS)]) {
        const name = names.length > 1 ? "all of them at once" : names.join();
        if (!name.includes(ONLY)) continue;
        const forMs = names.length > 1 ? SECONDS * 500 : ATTACK_MS;
        await t.step(name, async () => {
          const told = await withstand(proxy, names, forMs);
          if (Deno.env.has("SOAK_TELL")) {
            await Deno.stderr.write(new TextEncoder().encode(`\n  ${told}\n`));
          }
        });
      }
    },
  });
}
