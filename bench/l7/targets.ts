/**
 * The proxies of the l7 comparison, with one worker each, and the backend behind all of them.
 *
 * @module
 */
import { join } from "node:path";
import { serverFlags } from "../../deploy/runtime.ts";
import { ROOT } from "../../tests/support/module_graph.ts";
import { exists, startTarget, type Target } from "../l4/target.ts";

const JEMALLOC = "/usr/lib/x86_64-linux-gnu/libjemalloc.so.2";
const NGINX = "/usr/sbin/nginx";
const HAPROXY = "/usr/sbin/haproxy";
const CADDY = "/usr/bin/caddy";

/** The name that every proxy has a certificate for. */
export const HOST = "a.test";

/** Where everything is. */
export interface Stage {
  readonly folder: string;
  /** PEM files of {@link HOST}, and both in one file. */
  readonly cert: string;
  readonly key: string;
  readonly both: string;
  /** Ports of the backend: HTTP/2 with prior knowledge, and HTTP/1.1. */
  readonly h2c: number;
  readonly http1: number;
  /** HTTP/1.1 that swallows uploads. */
  readonly sink: number;
}

/** nginx answers small requests and serves `files/`. */
export async function startBackend({ folder, h2c, http1 }: Stage): Promise<Target> {
  const config = join(folder, "backend.conf");
  const locations = `location / { return 200 "hello from the backend\\n"; }
    location /files/ { alias ${folder}/files/; }`;
  await Deno.writeTextFile(
    config,
    `worker_processes 1; worker_rlimit_nofile 20000; daemon off;
pid ${folder}/backend.pid; error_log ${folder}/backend.err;
events { worker_connections 9000; }
http { access_log off; keepalive_requests 10000000; keepalive_timeout 300s;
  server { listen 127.0.0.1:${h2c} http2; ${locations} }
  server { listen 127.0.0.1:${http1}; ${locations} } }
`,
  );
  return await startTarget("backend", h2c, NGINX, ["-c", config]);
}

/** How a variant of mc-proxy differs. */
export interface Variant {
  readonly name: string;
  readonly jemalloc?: boolean;
  readonly transport?: "own" | "node";
  readonly accessLog?: boolean;
  /** The backend's port; default {@link Stage.h2c}. */
  readonly backend?: number;
  /** The backend speaks HTTP/1.1 only. */
  readonly http1?: boolean;
}

/** Starts the proxy of this checkout, or nothing where it needs a library that is missing. */
export async function startMcProxy(
  stage: Stage,
  port: number,
  variant: Variant,
): Promise<Target | undefined> {
  if (variant.jemalloc && !await exists(JEMALLOC)) return undefined;
  const data = join(stage.folder, `mc-proxy-${port}`);
  await Deno.mkdir(data);
  for (const file of [stage.cert, stage.key]) {
    await Deno.copyFile(file, join(data, file.split("/").at(-1) ?? ""));
  }
  const config = join(data, "mc-proxy.toml");
  await Deno.writeTextFile(
    config,
    `[database]
path = "${data}/mc-proxy.db"
[[listeners]]
addr = "127.0.0.1:${port}"
  [[listeners.routes]]
  hostname = "${HOST}"
  backend = "127.0.0.1:${variant.backend ?? stage.h2c}"
  mode = "l7"
  backend_protocol = "${variant.http1 ? "http1" : "auto"}"
  tls_cert = "${data}/cert.pem"
  tls_key = "${data}/key.pem"
[l7]
h2_transport = "${variant.transport ?? "own"}"
access_log = ${variant.accessLog ?? false}
[log]
level = "${variant.accessLog ? "info" : "warn"}"
[server]
workers = 1
`,
  );
  const flags = serverFlags({ source: ROOT, data });
  const args = ["run", ...flags, join(ROOT, "main.ts"), "server", "-c", config];
  const env = variant.jemalloc ? { LD_PRELOAD: JEMALLOC } : {};
  return await startTarget(variant.name, port, Deno.execPath(), args, env);
}

/** Starts the server that does next to nothing: see `floor.ts`. */
export async function startFloor({ cert, key }: Stage, port: number): Promise<Target> {
  const url = new URL("./floor.ts", import.meta.url);
  const args = ["run", "-A", url.pathname, String(port), cert, key];
  const env = await exists(JEMALLOC) ? { LD_PRELOAD: JEMALLOC } : {};
  return await startTarget("floor", port, Deno.execPath(), args, env);
}

/** nginx cannot speak HTTP/2 to backends; it gets the same answers over HTTP/1.1. */
export async function startNginx(stage: Stage, port: number): Promise<Target | undefined> {
  if (!await exists(NGINX)) return undefined;
  const { folder, cert, key, http1, sink } = stage;
  const config = join(folder, "nginx-l7.conf");
  await Deno.writeTextFile(
    config,
    `worker_processes 1; worker_rlimit_nofile 20000; daemon off;
pid ${folder}/nginx-l7.pid; error_log ${folder}/nginx-l7.err;
events { worker_connections 9000; }
http { access_log off; keepalive_requests 10000000; keepalive_timeout 300s; client_max_body_size 0;
  proxy_http_version 1.1; proxy_set_header Connection ""; proxy_request_buffering off;
  upstream h1 { server 127.0.0.1:${http1}; keepalive 256; }
  server { listen 127.0.0.1:${port} ssl http2; ssl_certificate ${cert}; ssl_certificate_key ${key};
    location / { proxy_pass http://h1; }
    location /upload { proxy_pass http://127.0.0.1:${sink}; } } }
`,
  );
  return await startTarget("nginx", port, NGINX, ["-c", config]);
}

/** `http1`: towards the backend too; nginx knows nothing else. */
export async function startHaproxy(
  stage: Stage,
  port: number,
  { http1 = false } = {},
): Promise<Target | undefined> {
  if (!await exists(HAPROXY)) return undefined;
  const config = join(stage.folder, "haproxy-l7.cfg");
  await Deno.writeTextFile(
    config,
    `global
  nbthread 1
  maxconn 4000
defaults
  mode http
  timeout connect 5s
  timeout client 300s
  timeout server 300s
frontend tls
  bind 127.0.0.1:${port} ssl crt ${stage.both} alpn h2,http/1.1
  default_backend one
backend one
  http-reuse always
  server s1 127.0.0.1:${http1 ? stage.http1 : `${stage.h2c} proto h2`}
`,
  );
  return await startTarget("haproxy", port, HAPROXY, ["-db", "-f", config]);
}

/** `http1`: towards the backend too. */
export async function startCaddy(
  stage: Stage,
  port: number,
  { http1 = false } = {},
): Promise<Target | undefined> {
  if (!await exists(CADDY)) return undefined;
  const config = join(stage.folder, "Caddyfile");
  await Deno.writeTextFile(
    config,
    `{
  admin off
  auto_https off
}
https://${HOST}:${port} {
  tls ${stage.cert} ${stage.key}
  reverse_proxy ${http1 ? `127.0.0.1:${stage.http1}` : `h2c://127.0.0.1:${stage.h2c}`} {
    ${http1 ? "transport http {\n keepalive_idle_conns_per_host 256\n}" : ""}
  }
}
`,
  );
  const args = ["run", "--config", config, "--adapter", "caddyfile"];
  return await startTarget("caddy", port, CADDY, args, { GOMAXPROCS: "1" });
}
