/**
 * How many connections a change of processes costs: five times a new process takes over the port
 * (SO_REUSEPORT) and the old one drains, while clients open connections without a pause.
 *
 *     deno run -A bench/restart.ts [connections]
 *
 * The kernel's part in it is `net.ipv4.tcp_migrate_req`; run it with the setting on and off.
 *
 * @module
 */
import { startEchoBackend } from "../tests/support/backends.ts";
import { buildClientHello } from "../tests/support/hello.ts";
import { unusedPort } from "../tests/support/ports.ts";
import { startProxy } from "../tests/support/proxy.ts";

const RESTARTS = 5;
const CLIENTS = 100;
/** Longer than a lost SYN takes to be sent again, three times. */
const CLIENT_TIMEOUT_MS = 10_000;

const payload = new Uint8Array([...buildClientHello({ serverName: "a.test" }), 1, 2, 3, 4]);

/** What became of the connections. */
export interface RestartResult {
  readonly connections: number;
  /** Connections that were refused, reset or not answered in full, by what the client saw. */
  readonly lost: Readonly<Record<string, number>>;
  /** Connections that took over half a second: a SYN was dropped and sent again. */
  readonly slow: number;
}

/** Runs clients against `port` until `enough` says so; each connection is one exchange. */
async function load(port: number, enough: (done: number) => boolean): Promise<RestartResult> {
  const lost: Record<string, number> = {};
  let connections = 0;
  let slow = 0;
  await Promise.all(Array.from({ length: CLIENTS }, async () => {
    while (!enough(connections)) {
      const start = performance.now();
      const outcome = await exchange(port);
      connections++;
      if (performance.now() - start > 500) slow++;
      if (outcome !== "ok") lost[outcome] = (lost[outcome] ?? 0) + 1;
    }
  }));
  return { connections, lost, slow };
}

async function exchange(port: number): Promise<string> {
  const signal = AbortSignal.timeout(CLIENT_TIMEOUT_MS);
  try {
    using connection = await Deno.connect({ hostname: "127.0.0.1", port, signal });
    await connection.write(payload);
    await connection.closeWrite();
    const buffer = new Uint8Array(4096);
    let received = 0;
    for (;;) {
      const count = await connection.read(buffer);
      if (count === null) break;
      received += count;
    }
    return received === payload.length ? "ok" : `short answer`;
  } catch (error) {
    return (error as { code?: string }).code ?? String(error);
  }
}

/** Five restarts under load. */
export async function measureRestarts(total: number, workers: number): Promise<RestartResult> {
  await using backend = await startEchoBackend();
  const folder = await Deno.realPath(await Deno.makeTempDir());
  const config = {
    server: { workers },
    listeners: [{
      addr: `127.0.0.1:${await unusedPort()}`,
      routes: [{ hostname: "a.test", backend: backend.address }],
    }],
  };
  try {
    let proxy = await startProxy({ folder, config });
    let done = 0;
    let restarted = 0;
    const loading = load(proxy.port(), (connections) => {
      done = connections;
      return connections >= total && restarted === RESTARTS;
    });
    for (; restarted < RESTARTS; restarted++) {
      const due = total * (restarted + 0.5) / RESTARTS;
      while (done < due) await new Promise((resolve) => setTimeout(resolve, 10));
      const next = await startProxy({ folder, config, takeOver: true });
      const code = await proxy.stop();
      if (code !== 0) throw new Error(`the old process ended with ${code}`);
      proxy = next;
    }
    const result = await loading;
    await proxy.stop();
    return result;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

if (import.meta.main) {
  const [total = "10000", workers = "1"] = Deno.args;
  const migrate = await Deno.readTextFile("/proc/sys/net/ipv4/tcp_migrate_req").catch(() => "?");
  const result = await measureRestarts(Number(total), Number(workers));
  // deno-lint-ignore no-console -- this is a command
  console.log(JSON.stringify({ tcp_migrate_req: migrate.trim(), workers, ...result }));
}
