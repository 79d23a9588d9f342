/**
 * What 400 clients see of a proxy that may have 256 descriptors: of mc-proxy, and of nginx and
 * HAProxy, where those are installed.
 *
 *     deno run -A bench/short_of_descriptors.ts
 *
 * @module
 */
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { startEchoBackend } from "../tests/support/backends.ts";
import { commandPath } from "../tests/support/commands.ts";
import { buildClientHello } from "../tests/support/hello.ts";
import { unusedPort } from "../tests/support/ports.ts";
import { startProxy } from "../tests/support/proxy.ts";
import { temporaryFolder } from "../tests/support/temporary_folder.ts";

const DESCRIPTORS = 256;
const CLIENTS = 400;
/** Who has heard nothing by then hangs. */
const PATIENCE_MS = 5000;
const START_MS = 1500;

const hello = buildClientHello({ serverName: "a.test" });

type Fate = "answered" | "reset" | "hangs";

/** Connects, says hello, and stays. */
function visit(port: number): { readonly socket: Socket; readonly fate: Promise<Fate> } {
  const { promise, resolve } = Promise.withResolvers<Fate>();
  const socket = connect({ port, host: "127.0.0.1" }, () => socket.write(hello));
  socket.once("data", () => resolve("answered"));
  socket.on("error", () => resolve("reset"));
  socket.once("end", () => resolve("reset"));
  const timer = setTimeout(resolve, PATIENCE_MS, "hangs");
  return { socket, fate: promise.finally(() => clearTimeout(timer)) };
}

async function measure(name: string, port: number): Promise<void> {
  const visits = Array.from({ length: CLIENTS }, () => visit(port));
  const fates = Object.groupBy(await Promise.all(visits.map(({ fate }) => fate)), (it) => it);
  for (const { socket } of visits.slice(0, CLIENTS / 2)) socket.destroy();
  await new Promise((resolve) => setTimeout(resolve, 1000));
  const late = visit(port);
  const counts = Object.entries(fates).map(([fate, those]) => `${those.length} ${fate}`).join(", ");
  // deno-lint-ignore no-console -- what a bench is for
  console.log(`${name}: ${counts}; when half of them have left, one more: ${await late.fate}`);
  for (const { socket } of [...visits, late]) socket.destroy();
}

async function measurePeer(name: string, args: (port: number) => readonly string[]): Promise<void> {
  if (commandPath(name) === undefined) return;
  const port = await unusedPort();
  const peer = new Deno.Command("sh", {
    args: ["-c", `ulimit -n ${DESCRIPTORS}; exec "$0" "$@"`, name, ...args(port)],
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  await new Promise((resolve) => setTimeout(resolve, START_MS));
  await measure(name, port);
  peer.kill();
  await peer.status;
}

async function main(): Promise<void> {
  await using backend = await startEchoBackend();
  const { address } = backend;
  using folder = temporaryFolder();
  const file = (name: string, text: string) => {
    const path = join(folder.path, name);
    Deno.writeTextFileSync(path, text);
    return path;
  };
  {
    await using proxy = await startProxy({
      maxDescriptors: DESCRIPTORS,
      config: {
        firewall: { rate_limit: 0 },
        listeners: [{
          addr: "127.0.0.1:0",
          routes: [{ hostname: "a.test", backend: address }],
        }],
      },
    });
    await measure("mc-proxy", proxy.port());
  }
  await measurePeer("nginx", (port) => [
    "-c",
    file(
      "nginx.conf",
      `load_module /usr/lib/nginx/modules/ngx_stream_module.so;
daemon off; pid ${folder.path}/pid; error_log ${folder.path}/log; worker_processes 1;
events { worker_connections 1024; }
stream { server { listen 127.0.0.1:${port}; proxy_pass ${address}; } }`,
    ),
  ]);
  await measurePeer("haproxy", (port) => [
    "-db",
    "-f",
    file(
      "haproxy.cfg",
      `global
  nbthread 1
defaults
  mode tcp
  timeout connect 5s
  timeout client 60s
  timeout server 60s
listen l
  bind 127.0.0.1:${port}
  server s ${address}
`,
    ),
  ]);
}

await main();
