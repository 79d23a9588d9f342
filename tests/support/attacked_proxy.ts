/**
 * The proxies that {@link ATTACKS_ON} are for.
 *
 * @module
 */
import { join } from "node:path";
import { type AttackTarget, BLOCKED_ADDRESS, type Place } from "./attacks/mod.ts";
import { directoryOf, DOMAIN, ISSUER, root, server } from "./connector.ts";
import { writeDirectory } from "./connector_process.ts";
import { HOST, identity } from "./l7.ts";
import { startSlowBackend } from "./node_backend.ts";
import { type ConfigTree, type Proxy, startProxy } from "./proxy.ts";

/** The allocator of an installation, where it is installed: the C library's gives little back. */
const JEMALLOC = "/usr/lib/x86_64-linux-gnu/libjemalloc.so.2";
/** For the program itself and some hundred connections. */
const FEW_DESCRIPTORS = 512;

/** A proxy with everything that is attacked, and its backend. */
export interface AttackedProxy extends AsyncDisposable {
  readonly proxy: Proxy;
  /** The processes that an honest client waits for. */
  readonly pids: readonly number[];
  readonly target: AttackTarget;
}

/** Starts one. */
export async function startAttackedProxy(place: Place): Promise<AttackedProxy> {
  const { certPem, keyPem } = await identity();
  const backend = await startSlowBackend(place === "http1" ? "http1" : "h2c");
  const folder = await Deno.makeTempDir({ prefix: "mc-proxy-attacked-" });
  writeDirectory(join(folder, "directory.db"), directoryOf(backend.address));
  const proxy = await startProxy({
    folder,
    files: {
      "a.pem": certPem,
      "a.key": keyPem,
      "ca.pem": root.certPem,
      "server.pem": server.certPem,
      "server.key": server.keyPem,
    },
    ...await isFile(JEMALLOC) && { env: { LD_PRELOAD: JEMALLOC } },
    ...place === "limited" && { maxDescriptors: FEW_DESCRIPTORS },
    config: () => configOf(place, folder, backend.address),
  });
  const [port, proxyPort] = [proxy.port(0), proxy.port(1)];
  return {
    proxy,
    pids: [Deno.pid, proxy.pid, backend.pid],
    target: { port, proxyPort, host: HOST, mtlsHost: `web.${DOMAIN}` },
    async [Symbol.asyncDispose]() {
      await proxy[Symbol.asyncDispose]();
      await Deno.remove(folder, { recursive: true });
      await backend[Symbol.asyncDispose]();
    },
  };
}

async function isFile(path: string): Promise<boolean> {
  return await Deno.stat(path).then((it) => it.isFile, () => false);
}

function configOf(place: Place, folder: string, backend: string): ConfigTree {
  const path = (name: string) => join(folder, name);
  const l7 = {
    hostname: HOST,
    backend,
    mode: "l7",
    "tls_cert": path("a.pem"),
    "tls_key": path("a.key"),
  };
  const addr = "127.0.0.1:0";
  return {
    listeners: [
      { addr, routes: [l7, { hostname: `*.${DOMAIN}`, mode: "mtls" }] },
      { addr: "127.0.0.2:0", proxy_protocol: true, routes: [l7] },
    ],
    connector: {
      ca_certs: [path("ca.pem")],
      server_cert: path("server.pem"),
      server_key: path("server.key"),
      issuer: ISSUER,
      domain: DOMAIN,
      db: `sqlite:${path("directory.db")}`,
    },
    firewall: {
      blocked_ips: [BLOCKED_ADDRESS],
      ...place === "limited" && {
        rate_limit: 100,
        rate_window: "1s",
        ipv6_site_factor: 4,
        max_connections_per_source: 80,
      },
    },
    // Less than it takes by itself.
    ...place === "short of memory" && { server: { workers: 1, memory_limit_mib: 16 } },
    l7: { access_log: false },
    // Whoever goes away while the backend takes nothing of his upload is not read, nor noticed.
    proxy: { idle_timeout: "6s" },
  };
}
