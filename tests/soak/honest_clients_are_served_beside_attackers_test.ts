import assert from "node:assert/strict";
import { join } from "node:path";
import { ATTACKS, startAttack } from "../support/attacks.ts";
import { beHonest, type Service } from "../support/honest.ts";
import { HOST, identity, startHttpBackend } from "../support/l7.ts";
import { CAN_READ_USAGE, readUsage, socketsReturnTo } from "../support/leaks.ts";
import { startSlowH2cBackend } from "../support/node_backend.ts";
import { type Proxy, startProxy } from "../support/proxy.ts";

/** How long each attack lasts, in seconds; `SOAK_SECONDS=3600` for an hour of all at once. */
const SECONDS = Number(Deno.env.get("SOAK_SECONDS") ?? 10);
const ATTACK_MS = Math.min(SECONDS, 10) * 250;
/** An attack takes processor time of its own, on the machine of the proxy and of the client. */
const MAX_RATIO = 20;
/** Below this the first measurement is a matter of luck, in milliseconds. */
const LEAST_P95_MS = 5;
/** Connections to backends that are kept for the next requests. */
const MAX_KEPT_SOCKETS = 64;
/** What resident memory may be above the first measurement, garbage not yet collected included. */
const MEMORY_SLACK_BYTES = 200 * 1024 * 1024;

/** A backend that answers `/slow` after a while. */
async function startSlowHttp1Backend(): Promise<{ address: string } & AsyncDisposable> {
  const waiting = new Set<ReturnType<typeof setTimeout>>();
  const backend = await startHttpBackend("http1", (request, response) => {
    request.resume();
    if (request.url !== "/slow") return void response.end("ok");
    const timer = setTimeout(() => {
      waiting.delete(timer);
      response.end("slow");
    }, 300);
    waiting.add(timer);
  });
  return {
    address: backend.address,
    async [Symbol.asyncDispose]() {
      for (const timer of waiting) clearTimeout(timer);
      await backend[Symbol.asyncDispose]();
    },
  };
}

/** A proxy with a backend of one protocol. */
async function startTarget(kind: "http1" | "h2c") {
  const { certPem, keyPem } = await identity();
  const backend = await (kind === "h2c" ? startSlowH2cBackend() : startSlowHttp1Backend());
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
  const allowed = Math.max(alone.p95, LEAST_P95_MS) * MAX_RATIO;
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
  const attacks = await Promise.all(names.map((name) => startAttack(name, target)));
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
      for (const name of Object.keys(ATTACKS)) {
        await t.step(name, async () => {
          const told = await withstand(proxy, [name], ATTACK_MS);
          if (Deno.env.has("SOAK_TELL")) {
            await Deno.stderr.write(new TextEncoder().encode(`\n  ${told}\n`));
          }
        });
      }
    },
  });
}
