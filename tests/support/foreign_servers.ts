/**
 * HAProxy and nginx as processes of a test, on ports of 127.0.0.1.
 *
 * @module
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { commandPath } from "./commands.ts";
import { eventually } from "./deadline.ts";

/** Debian builds nginx's TCP proxy as a module; elsewhere it may be built in. */
const NGINX_STREAM_MODULE = "/usr/lib/nginx/modules/ngx_stream_module.so";

/** A server of somebody else. Disposing of it ends it. */
export class ForeignServer implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #folder: string;

  constructor(child: Deno.ChildProcess, folder: string) {
    this.#child = child;
    this.#folder = folder;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Not its graceful end, which would wait for connections.
    this.#child.kill("SIGTERM");
    await this.#child.status;
    await Deno.remove(this.#folder, { recursive: true });
  }
}

/** Settings of the two functions below. */
export interface ForeignServerOptions {
  /** The configuration; for nginx without the directives that every test needs. */
  readonly config: string;
  /** The port that it listens on, or all of them: it binds one after the other. */
  readonly port: number | readonly number[];
  /** Files beside the configuration, which it may name by `%DIR%`. */
  readonly files?: Readonly<Record<string, string>>;
}

/** Starts HAProxy. */
export async function startHaproxy(options: ForeignServerOptions): Promise<ForeignServer> {
  const global = "global\n  maxconn 200\ndefaults\n  timeout connect 5s\n" +
    "  timeout client 60s\n  timeout server 60s\n";
  return await start("haproxy", (file) => ["-db", "-q", "-f", file], {
    ...options,
    config: global + options.config,
  });
}

/** Starts nginx with the contexts `stream` or `http` that the configuration has. */
export async function startNginx(options: ForeignServerOptions): Promise<ForeignServer> {
  const module = existsSync(NGINX_STREAM_MODULE) ? `load_module ${NGINX_STREAM_MODULE};\n` : "";
  const main = `${module}daemon off; worker_processes 1; pid %DIR%/nginx.pid;
error_log %DIR%/error.log; events { worker_connections 256; }\n`;
  return await start("nginx", (file) => ["-c", file], {
    ...options,
    config: main + options.config,
  });
}

async function start(
  name: string,
  args: (file: string) => string[],
  { config, port, files = {} }: ForeignServerOptions,
): Promise<ForeignServer> {
  const folder = await Deno.makeTempDir({ prefix: `mc-proxy-${name}-` });
  for (const [file, text] of Object.entries(files)) {
    await Deno.writeTextFile(join(folder, file), text);
  }
  const file = join(folder, `${name}.conf`);
  await Deno.writeTextFile(file, config.replaceAll("%DIR%", folder));
  const child = new Deno.Command(commandPath(name) ?? name, {
    args: args(file),
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  const server = new ForeignServer(child, folder);
  try {
    for (const one of [port].flat()) {
      await eventually(() => answers(one), `${name} answers on port ${one}`);
    }
    return server;
  } catch (error) {
    await server[Symbol.asyncDispose]();
    throw error;
  }
}

async function answers(port: number): Promise<boolean> {
  try {
    (await Deno.connect({ hostname: "127.0.0.1", port })).close();
    return true;
  } catch {
    return false;
  }
}
