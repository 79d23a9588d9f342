import { fileURLToPath } from "node:url";
import type { McnsConfig } from "../dns_config/mod.ts";
import { DNS_ENTRY_URL } from "../dns_server/mod.ts";
import { openDnsDatabase } from "../dns_store/mod.ts";
import { describeError } from "../observe/mod.ts";
import { readServiceEnvironment, ServiceManager } from "../service/mod.ts";
import { confirmRole, lockServing, openClaimed } from "./claim.ts";
import { CommandError } from "./command_error.ts";
import { setUpLogging } from "./logging.ts";
import { McnsManagement } from "./mcns_admin.ts";
import { loadMcnsFile } from "./mcns_load.ts";
import { monitorMcns } from "./mcns_monitoring.ts";
import { Mcns } from "./mcns_plane.ts";
import { McnsReloader } from "./mcns_reloader.ts";
import { serveMcns } from "./mcns_serve.ts";
import { patienceFor } from "./patience.ts";
import { fileNeed, folderNeeds, type Need, requirePermissions } from "./permissions.ts";
import { Signals } from "./signals.ts";

/**
 * `mcns server`: serves until SIGTERM or SIGINT, then drains. Resolves with the exit code.
 *
 * @throws {CommandError} if it cannot start.
 */
export async function runMcnsServer(configPath: string): Promise<number> {
  using signals = new Signals();
  const { config, warnings } = loadMcnsFile(configPath);
  const environment = readServiceEnvironment();
  const excess = requirePermissions(needs(config, environment.notifySocket));
  await using logging = await setUpLogging(config.log, Deno.stderr, { program: "mcns" });
  const { log, lostLines } = logging;
  for (const warning of warnings) log({ level: "warn", message: warning });
  if (excess.length > 0) {
    const fields = { permissions: excess.join(", ") };
    log({ level: "warn", message: "Deno was given permissions that nothing needs", fields });
  }
  await using manager = new ServiceManager(environment, log);
  const { path } = config.database;
  // Before the database is migrated or claimed.
  using _serving = lockServing(path, { takeOver: false, remedy: "stop it first" });
  const patienceMs = patienceFor(path);
  if (patienceMs !== undefined) await manager.starting(patienceMs);
  using database = openClaimed(() => openDnsDatabase(path));
  const stuck = Promise.withResolvers<string>();
  await using mcns = await startServing({ config, database, log, onStuck: stuck.resolve });
  const reloader = new McnsReloader({ path: configPath, config, log });
  await using monitoring = await monitorMcns({ config, mcns, log, lostLines });
  await using management = await McnsManagement.start({
    ...{ config, control: mcns.control, sockets: mcns.sockets, log },
    problem: () => mcns.problems[0] ?? "",
    addresses: () => mcns.addresses,
    reload: () => reloader.reload(),
  });
  reloader.add(mcns);
  reloader.add(management);
  // Until here whoever had the database before gets it back when something fails.
  await confirmRole(database);
  const parts = { mcns, monitoring, management, manager, signals, log };
  const running = { config, reloader, ...parts };
  return await serveMcns({ ...running, stuck: stuck.promise });
}

async function startServing(parts: Parameters<typeof Mcns.start>[0]): Promise<Mcns> {
  try {
    return await Mcns.start(parts);
  } catch (error) {
    throw new CommandError(describeError(error), { cause: error });
  }
}

function* needs(config: McnsConfig, notifySocket: string | undefined): Generator<Need> {
  yield {
    flag: "--allow-net",
    purpose: "questions and their answers",
    descriptor: { name: "net" },
  };
  yield* folderNeeds(config.database.path, "the database");
  const { server, dns, mcias, metrics } = config;
  const files = [server?.tlsCert, server?.tlsKey, dns.dot?.tlsCert, dns.dot?.tlsKey];
  const keys = [
    ...dns.keys.map(({ secretFile }) => secretFile),
    ...dns.zones.map(({ dnssecKeys }) => dnssecKeys),
  ];
  for (const path of [...files, ...keys, mcias?.caCert, dns.cookies.secretFile]) {
    if (path) yield fileNeed("read", path, "certificates and secrets");
  }
  if (metrics?.addr.includes("/")) yield* folderNeeds(metrics.addr, "the metrics socket");
  if ([dns.listenAddr, ...dns.listenAlsoAt].some((addr) => /^(:|0\.0\.0\.0:|\[::\]:)/.test(addr))) {
    const descriptor = { name: "sys", kind: "networkInterfaces" } as const;
    yield { flag: "--allow-sys=networkInterfaces", purpose: "the addresses to serve", descriptor };
  }
  if (notifySocket?.startsWith("/")) yield fileNeed("write", notifySocket, "systemd's socket");
  if (!Deno.build.standalone && DNS_ENTRY_URL.protocol === "file:") {
    yield fileNeed("read", fileURLToPath(DNS_ENTRY_URL), "the program's own workers");
  }
}
