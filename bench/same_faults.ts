/**
 * The same faults on mc-proxy, and on nginx and HAProxy where those are installed: names whose server
 * never answers, a log on a device that is full, and eight busy loops on the proxy's core.
 *
 *     deno run -A bench/same_faults.ts
 *
 * @module
 */
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { startEchoBackend } from "../tests/support/backends.ts";
import { commandPath } from "../tests/support/commands.ts";
import { DnsServer, respondWith } from "../tests/support/dns_server.ts";
import { buildClientHello } from "../tests/support/hello.ts";
import { unusedPort } from "../tests/support/ports.ts";
import { temporaryFolder } from "../tests/support/temporary_folder.ts";
import { writeConfig } from "../tests/support/proxy.ts";
import { serverFlags } from "../deploy/runtime.ts";
import { ROOT } from "../tests/support/module_graph.ts";

const HANGING = 100;
const VISITS = 20;
const IDLE = 200;
const LOOPS = 8;
const FAULT_MS = 10_000;
const PATIENCE_MS = 10_000;

/** What a proxy is started with. */
interface Start {
  readonly folder: string;
  readonly port: number;
  readonly backendPort: number;
  readonly dnsPort: number;
}

/** How to start one; names are `NAME.test`, and `NAME.back.test` to its resolver. */
type Proxy = (start: Start) => Promise<readonly string[]>;

const write = (folder: string, name: string, text: string) => {
  const path = join(folder, name);
  Deno.writeTextFileSync(path, text);
  return path;
};

const names = ["a", ...Array.from({ length: HANGING }, (_, i) => `hang${i}`)];

const PROXIES: Readonly<Record<string, Proxy>> = {
  async "mc-proxy"({ folder, port, backendPort, dnsPort }) {
    const config = await writeConfig(folder, {
      config: {
        resolver: { servers: [`127.0.0.1:${dnsPort}`] },
        firewall: { rate_limit: 0 },
        listeners: [{
          addr: `127.0.0.1:${port}`,
          routes: names.map((name) => {
            return { hostname: `${name}.test`, backend: `${name}.back.test:${backendPort}` };
          }),
        }],
      },
    });
    const flags = serverFlags({ source: ROOT, data: folder });
    return [Deno.execPath(), "run", ...flags, `${ROOT}/main.ts`, "server", "-c", config];
  },
  nginx({ folder, port, backendPort, dnsPort }) {
    const text = `load_module /usr/lib/nginx/modules/ngx_stream_module.so;
daemon off; pid ${folder}/pid; error_log stderr; worker_processes 1;
events { worker_connections 2048; }
stream {
  log_format f '$remote_addr $ssl_preread_server_name $status';
  access_log /dev/stderr f;
  resolver 127.0.0.1:${dnsPort} ipv6=off;
  map $ssl_preread_server_name $to { ~^(?<n>[a-z0-9]+)\\.test$ $n.back.test:${backendPort}; }
  server { listen 127.0.0.1:${port}; ssl_preread on; proxy_pass $to; }
}`;
    return Promise.resolve(["nginx", "-c", write(folder, "nginx.conf", text)]);
  },
  haproxy({ folder, port, backendPort, dnsPort }) {
    const backends = names.map((name) =>
      `backend ${name}
  server s ${name}.back.test:${backendPort} resolvers r init-addr none resolve-prefer ipv4`
    );
    const text = `global
  nbthread 1
  log stderr format raw local0
resolvers r
  nameserver d 127.0.0.1:${dnsPort}
defaults
  mode tcp
  log global
  option tcplog
  timeout connect 5s
  timeout client 60s
  timeout server 60s
frontend l
  bind 127.0.0.1:${port}
  tcp-request inspect-delay 5s
  tcp-request content accept if { req_ssl_hello_type 1 }
  use_backend %[req_ssl_sni,field(1,.)]
${backends.join("\n")}
`;
    return Promise.resolve(["haproxy", "-db", "-f", write(folder, "haproxy.cfg", text)]);
  },
};

/** Connects and says hello; the milliseconds to the first octet of the echo. */
function visit(port: number, name: string): { socket: Socket; ms: Promise<number | undefined> } {
  const before = performance.now();
  const { promise, resolve } = Promise.withResolvers<number | undefined>();
  const hello = buildClientHello({ serverName: `${name}.test` });
  const socket = connect({ port, host: "127.0.0.1", noDelay: true }, () => socket.write(hello));
  socket.once("data", () => resolve(performance.now() - before));
  for (const event of ["error", "close"]) socket.on(event, () => resolve(undefined));
  const timer = setTimeout(resolve, PATIENCE_MS, undefined);
  return { socket, ms: promise.finally(() => clearTimeout(timer)) };
}

async function visits(port: number): Promise<string> {
  let worst = 0;
  let answered = 0;
  for (let i = 0; i < VISITS; i++) {
    const { socket, ms } = visit(port, "a");
    const took = await ms;
    socket.destroy();
    if (took === undefined) continue;
    answered++;
    worst = Math.max(worst, took);
  }
  return `${answered} of ${VISITS} answered, the slowest after ${worst.toFixed(0)} ms`;
}

/** Waits for those that hang, and for others. */
async function hangingNames(port: number): Promise<string> {
  const waiting = names.slice(1).map((name) => visit(port, name));
  await new Promise((resolve) => setTimeout(resolve, 200));
  const said = await visits(port);
  for (const { socket } of waiting) socket.destroy();
  return said;
}

/** Idle streams, and one that is used, while loops take the core. */
async function busyLoops(port: number): Promise<string> {
  const idle = Array.from({ length: IDLE }, () => visit(port, "a"));
  await Promise.all(idle.map(({ ms }) => ms));
  let lost = 0;
  for (const { socket } of idle) socket.on("close", () => lost++);
  const loops = Array.from({ length: LOOPS }, () => {
    const args = ["-c", "0", "sh", "-c", "while :; do :; done"];
    return new Deno.Command("taskset", { args }).spawn();
  });
  const until = performance.now() + FAULT_MS;
  let worst = 0;
  let turns = 0;
  const [first] = idle;
  for (; first !== undefined && performance.now() < until; turns++) {
    const before = performance.now();
    const answer = new Promise((resolve) => first.socket.once("data", resolve));
    first.socket.write("p");
    await Promise.race([answer, new Promise((resolve) => setTimeout(resolve, PATIENCE_MS))]);
    worst = Math.max(worst, performance.now() - before);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const fresh = await visits(port);
  for (const loop of loops) {
    loop.kill("SIGKILL");
    await loop.status;
  }
  for (const { socket } of idle) socket.destroy();
  return `${lost} of ${IDLE} idle streams lost, an octet took ${worst.toFixed(0)} ms at most; ` +
    `new: ${fresh}`;
}

const FAULTS: Readonly<Record<string, (port: number) => Promise<string>>> = {
  "names that hang": hangingNames,
  "a full log": visits,
  "eight busy loops": busyLoops,
};

async function main(): Promise<void> {
  await using backend = await startEchoBackend();
  await using dns = DnsServer.start((asked) => {
    return asked.name.startsWith("hang") ? [] : respondWith(asked, "127.0.0.1");
  });
  for (const [fault, run] of Object.entries(FAULTS)) {
    for (const [name, prepare] of Object.entries(PROXIES)) {
      if (name !== "mc-proxy" && commandPath(name) === undefined) continue;
      using folder = temporaryFolder();
      const port = await unusedPort();
      const { path } = folder;
      const start = { folder: path, port, backendPort: backend.port, dnsPort: dns.port };
      const command = await prepare(start);
      const shell = fault === "a full log" ? 'exec "$0" "$@" 2>/dev/full' : 'exec "$0" "$@"';
      const pinned = fault === "eight busy loops" ? ["taskset", "-c", "0"] : [];
      const child = new Deno.Command("sh", {
        args: ["-c", shell, ...pinned, ...command],
        ...{ stdin: "null", stdout: "null", stderr: fault === "a full log" ? "inherit" : "null" },
      }).spawn();
      for (let i = 0; i < 100; i++) {
        const { socket, ms } = visit(port, "a");
        const took = await ms;
        socket.destroy();
        if (took !== undefined) break;
        await new Promise((resolve) => setTimeout(resolve, 200));
      }
      // deno-lint-ignore no-console -- what a bench is for
      console.log(`${fault}, ${name}: ${await run(port)}`);
      child.kill("SIGTERM");
      await child.status;
    }
  }
}

await main();
