/**
 * `deno task devserver`: a proxy with demo sites behind it and a name server beside it, for trying them
 * out.
 *
 * @module
 */
import { isAbsolute, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { parse as parseToml } from "smol-toml";
import { mcnsFlags } from "../deploy/runtime.ts";
import { findJemalloc } from "./allocator.ts";
import { DEFAULT_PORT, demoCommands, type DemoPorts, demoPorts, DEMOS } from "./demo.ts";
import { type Identity, prepareFolder } from "./folder.ts";
import { ProxyProcess, ProxyStartError } from "./proxy_process.ts";
import { Site } from "./site.ts";
import { runTour, TourError } from "./tour.ts";

const HELP = `Usage: deno task devserver [--dir DIR] [--port PORT] [--tour]

  --dir DIR     where configuration, certificates and database are kept (default: srv)
  --port PORT   the proxy's first port, used when DIR is made (default: ${DEFAULT_PORT})
  --tour        sends real requests, prints what came of them, and ends
`;

/** Highest first port that leaves room for the sites' ports. */
const MAX_FIRST_PORT = 64_000;

/** A problem that the user can solve; printed without a stack trace. */
class DevServerError extends Error {
  override readonly name = "DevServerError";
  readonly code = "DEVSERVER";
}

async function main(): Promise<void> {
  const options = readOptions();
  if (options === undefined) return;
  const stopped = stopSignal();
  const prepared = await prepareFolder(options.folder, options.port);
  const ports = demoPorts(await firstPort(prepared.configPath));
  await using stack = new AsyncDisposableStack();
  for (const site of await startSites(ports, prepared.identities)) stack.use(site);
  if (prepared.hasNames) stack.use(await startNames(options, ports));
  await using proxy = await startProxy(options, prepared.configPath, ports);
  if (options.tour) {
    const ca = await Deno.readTextFile(join(options.folder, "ca.pem"));
    return await runTour({ ports, ca, folder: options.folder, lines: proxy.lines, print });
  }
  await print(welcome(options.folder, prepared.created, ports));
  const outcome = await Promise.race([stopped, proxy.exited]);
  if (typeof outcome === "object") {
    throw new DevServerError(`the proxy ended with code ${outcome.code}`);
  }
  await print(`\n${outcome}: stopping\n`);
}

interface Options {
  readonly folder: string;
  readonly port: number;
  readonly tour: boolean;
}

function readOptions(): Options | undefined {
  const { values } = parseArgs({
    args: Deno.args,
    options: {
      dir: { type: "string", default: "srv" },
      port: { type: "string", default: String(DEFAULT_PORT) },
      tour: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) {
    Deno.stdout.writeSync(new TextEncoder().encode(HELP));
    return undefined;
  }
  const port = Number(values.port);
  if (!Number.isInteger(port) || port < 1 || port > MAX_FIRST_PORT) {
    throw new DevServerError(`--port ${values.port}: not a number from 1 to ${MAX_FIRST_PORT}`);
  }
  return { folder: values.dir.replace(/\/+$/, ""), port, tour: values.tour };
}

/** The folder may have been made with another `--port`: its configuration decides. */
async function firstPort(configPath: string): Promise<number> {
  const config = parseToml(await Deno.readTextFile(configPath)) as {
    listeners?: { addr?: string }[];
  };
  const port = Number(config.listeners?.[0]?.addr?.split(":").at(-1));
  if (port > 0 && port <= MAX_FIRST_PORT) return port;
  throw new DevServerError(`${configPath}: the first listener has no usable port`);
}

async function startSites(
  ports: DemoPorts,
  identities: ReadonlyMap<string, Identity>,
): Promise<Site[]> {
  const sites: Site[] = [];
  for (const [index, { hostname, mode, sendProxyProtocol }] of DEMOS.entries()) {
    const port = ports.sites[index] ?? 0;
    const identity = mode === "l4" ? identities.get(hostname) : undefined;
    try {
      sites.push(
        await Site.start({
          name: hostname,
          port,
          proxyProtocol: sendProxyProtocol,
          textOnly: mode === "mtls",
          ...identity && { identity },
        }),
      );
    } catch (error) {
      for (const site of sites) await site[Symbol.asyncDispose]();
      if ((error as { code?: string }).code !== "EADDRINUSE") throw error;
      throw new DevServerError(`port ${port}, for the demo site ${hostname}, is in use`);
    }
  }
  return sites;
}

/** A tour prints the log lines that it is about, and no others. */
async function startProxy(
  { folder, tour }: Options,
  configPath: string,
  ports: DemoPorts,
): Promise<ProxyProcess> {
  let started = false;
  const early: string[] = [];
  const onLine = (line: string) => {
    if (started && !tour) printSync(`${line}\n`);
    else early.push(line);
  };
  try {
    const library = await findJemalloc();
    const env = library === undefined ? {} : { LD_PRELOAD: library };
    const proxy = await ProxyProcess.start({ configPath, data: folder, onLine, env });
    if (!tour) early.forEach((line) => printSync(`${line}\n`));
    started = true;
    return proxy;
  } catch (error) {
    if (!(error instanceof ProxyStartError)) throw error;
    const reason = early.at(-1) ?? error.message;
    throw new DevServerError(
      `the proxy (ports ${ports.public} and ${ports.proxyProtocol}) did not start: ${reason}`,
    );
  }
}

/** The name server; its log lines are printed beside those of the proxy. */
async function startNames({ folder, tour }: Options, { names }: DemoPorts): Promise<ProxyProcess> {
  const configPath = join(folder, "mcns.toml");
  const early: string[] = [];
  try {
    return await ProxyProcess.start({
      configPath,
      script: fileURLToPath(new URL("../lib/cli/mcns.ts", import.meta.url)),
      flags: mcnsFlags({ source: fileURLToPath(new URL("..", import.meta.url)), data: folder }),
      command: ["server", "--config", configPath],
      onLine: (line) => {
        early.push(line);
        if (!tour) printSync(`${line}\n`);
      },
    });
  } catch (error) {
    if (!(error instanceof ProxyStartError)) throw error;
    const reason = early.at(-1) ?? error.message;
    throw new DevServerError(
      `the name server (ports ${names.dns} to ${names.grpc}) did not start: ${reason}`,
    );
  }
}

function welcome(folder: string, created: boolean, ports: DemoPorts): string {
  const where = isAbsolute(folder) ? folder : join(".", folder);
  const commands = demoCommands(ports, folder)
    .map(({ about, command }) => `# ${about}\n${command}\n`);
  return `
mc-proxy listens on 127.0.0.1:${ports.public}, mcns answers on port ${ports.names.dns}; their files are in ${where}/ (${
    created ? "just made" : "kept from an earlier run"
  }).
Try these in another terminal:

${commands.join("\n")}
Ctrl-C stops everything.

`;
}

/** The first SIGINT, SIGTERM or SIGHUP; those that follow are ignored while everything stops. */
function stopSignal(): Promise<Deno.Signal> {
  return new Promise((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
      Deno.addSignalListener(signal, () => resolve(signal));
    }
  });
}

async function print(text: string): Promise<void> {
  await Deno.stdout.write(new TextEncoder().encode(text));
}

function printSync(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(text));
}

try {
  await main();
  Deno.exit(0);
} catch (error) {
  const known = error instanceof DevServerError || error instanceof TourError ||
    (error as { code?: string }).code?.startsWith("ERR_PARSE_ARGS");
  if (!known) throw error;
  Deno.stderr.writeSync(new TextEncoder().encode(`devserver: ${(error as Error).message}\n`));
  Deno.exit(1);
}
