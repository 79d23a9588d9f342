import { join } from "node:path";
import { serverFlags } from "../../deploy/runtime.ts";
import { ROOT } from "../../tests/support/module_graph.ts";

/** Clock ticks of `/proc/PID/stat` per second; 100 on every Linux that Deno runs on. */
const TICKS_PER_SECOND = 100;
const READY_TIMEOUT_MS = 60_000;

/** Where the backends are. */
export interface Backends {
  readonly echo: number;
  readonly bulk: number;
  readonly tls: number;
}

/** Blocked by the firewall of each proxy that has one. */
export const BLOCKED_SOURCE = "127.0.0.2";

/** How a proxy under measurement is started. */
export interface StartOptions {
  /** For its configuration and state. */
  readonly folder: string;
  readonly port: number;
  readonly to: Backends;
  readonly workers: number;
  /** Further sections of mc-proxy's configuration. */
  readonly more?: string;
}

/** A proxy under measurement. */
export interface Target extends AsyncDisposable {
  readonly name: string;
  readonly port: number;
  /** User and system time of all its processes so far, in microseconds. */
  cpuMicros(): number;
  /** The same of the threads that there are now, to the nanosecond instead of to 10 ms. */
  threadMicros(): number;
  /** Resident memory of all its processes, in bytes. */
  residentBytes(): number;
}

/** Starts the proxy of this checkout, under its real permissions. */
export async function startMcProxy(
  { folder, port, to, workers, more = "" }: StartOptions,
): Promise<Target> {
  const config = join(folder, "mc-proxy.toml");
  await Deno.writeTextFile(
    config,
    `[database]
path = "${folder}/mc-proxy.db"
[[listeners]]
addr = "127.0.0.1:${port}"
  [[listeners.routes]]
  hostname = "echo.test"
  backend = "127.0.0.1:${to.echo}"
  [[listeners.routes]]
  hostname = "bulk.test"
  backend = "127.0.0.1:${to.bulk}"
  [[listeners.routes]]
  hostname = "tls.test"
  backend = "127.0.0.1:${to.tls}"
[firewall]
blocked_ips = ["${BLOCKED_SOURCE}"]
[server]
workers = ${workers}
${more}
`,
  );
  const flags = serverFlags({ source: ROOT, data: folder });
  const args = ["run", ...flags, join(ROOT, "main.ts"), "server", "-c", config];
  return await startTarget("mc-proxy", port, Deno.execPath(), args);
}

/** Starts the relay that does next to nothing: see `floor.ts`. */
export async function startFloor(port: number, { echo }: Backends): Promise<Target> {
  const args = ["run", "-A", new URL("./floor.ts", import.meta.url).pathname, `${port}`, `${echo}`];
  return await startTarget("floor", port, Deno.execPath(), args);
}

/** Starts nginx's stream proxy, or nothing where it is not installed. */
export async function startNginx(
  { folder, port, to, workers }: StartOptions,
): Promise<Target | undefined> {
  const module = "/usr/lib/nginx/modules/ngx_stream_module.so";
  if (!await exists(module) || !await exists("/usr/sbin/nginx")) return undefined;
  const config = join(folder, "nginx.conf");
  await Deno.writeTextFile(
    config,
    `load_module ${module};
worker_processes ${workers}; worker_rlimit_nofile 20000; daemon off;
pid ${folder}/nginx.pid; error_log ${folder}/nginx.err;
events { worker_connections 19000; }
stream {
  map $ssl_preread_server_name $backend {
    echo.test 127.0.0.1:${to.echo}; bulk.test 127.0.0.1:${to.bulk}; tls.test 127.0.0.1:${to.tls};
  }
  server { listen 127.0.0.1:${port} reuseport; ssl_preread on; proxy_pass $backend; }
}
`,
  );
  return await startTarget("nginx", port, "/usr/sbin/nginx", ["-c", config]);
}

/** Starts HAProxy in TCP mode, or nothing where it is not installed. */
export async function startHaproxy(
  { folder, port, to, workers }: StartOptions,
): Promise<Target | undefined> {
  if (!await exists("/usr/sbin/haproxy")) return undefined;
  const config = join(folder, "haproxy.cfg");
  const names = ["echo", "bulk", "tls"] as const;
  await Deno.writeTextFile(
    config,
    `global
  nbthread ${workers}
  maxconn 7000
defaults
  mode tcp
  timeout connect 5s
  timeout client 300s
  timeout server 300s
  option splice-auto
frontend tls
  bind 127.0.0.1:${port}
  tcp-request connection reject if { src ${BLOCKED_SOURCE} }
  tcp-request inspect-delay 5s
  tcp-request content accept if { req_ssl_hello_type 1 }
${names.map((name) => `  use_backend ${name} if { req_ssl_sni -i ${name}.test }`).join("\n")}
${names.map((name) => `backend ${name}\n  server s1 127.0.0.1:${to[name]}`).join("\n")}
`,
  );
  return await startTarget("haproxy", port, "/usr/sbin/haproxy", ["-db", "-f", config]);
}

/** Starts a proxy and waits until it accepts connections. */
export async function startTarget(
  name: string,
  port: number,
  command: string,
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<Target> {
  const child = new Deno.Command(command, {
    args: [...args],
    env,
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  await answers(port, name);
  const processes = () => [child.pid, ...childrenOf(child.pid)];
  const sum = (read: (pid: number) => number) =>
    processes().reduce((total, pid) => total + read(pid), 0);
  return {
    name,
    port,
    cpuMicros: () => sum(cpuOf),
    threadMicros: () => sum(threadsOf),
    residentBytes: () => sum(residentOf),
    async [Symbol.asyncDispose]() {
      child.kill("SIGTERM");
      await child.status;
    },
  };
}

async function answers(port: number, name: string): Promise<void> {
  const end = performance.now() + READY_TIMEOUT_MS;
  for (;;) {
    try {
      (await Deno.connect({ hostname: "127.0.0.1", port })).close();
      return;
    } catch (error) {
      if (performance.now() > end) throw new Error(`${name} does not answer`, { cause: error });
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

function childrenOf(pid: number): number[] {
  const text = Deno.readTextFileSync(`/proc/${pid}/task/${pid}/children`).trim();
  return text === "" ? [] : text.split(" ").map(Number);
}

function cpuOf(pid: number): number {
  // The command's name may hold spaces; the fields after its ")" do not.
  const [, fields = ""] = Deno.readTextFileSync(`/proc/${pid}/stat`).split(") ");
  const [utime = "0", stime = "0"] = fields.split(" ").slice(11, 13);
  return (Number(utime) + Number(stime)) * (1e6 / TICKS_PER_SECOND);
}

function threadsOf(pid: number): number {
  let nanos = 0;
  for (const { name } of Deno.readDirSync(`/proc/${pid}/task`)) {
    try {
      const text = Deno.readTextFileSync(`/proc/${pid}/task/${name}/schedstat`);
      nanos += Number(text.split(" ", 1)[0]);
    } catch {
      // It has ended.
    }
  }
  return nanos / 1000;
}

function residentOf(pid: number): number {
  const kib = /VmRSS:\s+(\d+)/.exec(Deno.readTextFileSync(`/proc/${pid}/status`))?.[1];
  return Number(kib ?? 0) * 1024;
}

/** Whether there is such a file. */
export async function exists(path: string): Promise<boolean> {
  try {
    await Deno.stat(path);
    return true;
  } catch {
    return false;
  }
}
