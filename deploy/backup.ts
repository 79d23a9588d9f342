/**
 * Copies the database of a running mc-proxy, or of a running name server, checks the copy by opening it,
 * and removes the oldest copies. Started every night by `mc-proxy-backup.timer` and
 * `mcns-backup.timer`.
 *
 * @module
 */
import { isAbsolute, join } from "node:path";
import { parseArgs } from "node:util";
import { parse as parseToml } from "smol-toml";
import { openDatabase } from "../lib/db/mod.ts";
import { openDnsDatabase } from "../lib/dns_store/mod.ts";

const USAGE = "Usage: backup.ts [--of mcns] --config FILE --folder FOLDER [--keep N]";

/** Two weeks of nights. */
const DEFAULT_KEEP = 14;

/** Names of copies: they sort by time, and nothing else in the folder looks like them. */
const copyName = (program: string) => new RegExp(`^${program}-\\d{8}T\\d{6}Z\\.db$`);

/** Copies hold who may reach what. */
const FOLDER_MODE = 0o700;

/** Settings of {@link backUp}. */
export interface BackupOptions {
  /** The live database. */
  readonly database: string;
  /** Where the copies go; made when missing. */
  readonly folder: string;
  /** How many copies stay, the newest ones; at least 1. */
  readonly keep: number;
  /** The time that names the copy. Default: now. */
  readonly now?: Date;
}

/** What {@link backUp} did. */
export interface BackupResult {
  readonly path: string;
  readonly listeners: number;
  readonly routes: number;
  readonly firewallRules: number;
  readonly removed: readonly string[];
}

/**
 * Makes one copy and prunes the old ones. A copy that does not open is no reason to remove a good
 * one: pruning comes last.
 *
 * @throws {DatabaseError} if the database cannot be read, or the copy not be written or opened.
 */
export async function backUp(options: BackupOptions): Promise<BackupResult> {
  const { database, folder, keep, now = new Date() } = options;
  const path = await pathOfCopy(folder, "mc-proxy", now);
  {
    using live = openDatabase(database, { readOnly: true });
    await live.snapshot(path);
  }
  const counts = readCounts(path);
  return { path, ...counts, removed: await prune(folder, "mc-proxy", keep) };
}

/** What {@link backUpZones} did. */
export interface ZonesBackupResult {
  readonly path: string;
  readonly zones: number;
  readonly records: number;
  readonly removed: readonly string[];
}

/**
 * {@link backUp} of a name server's database.
 *
 * @throws {DatabaseError} if the database cannot be read, or the copy not be written or opened.
 */
export async function backUpZones(options: BackupOptions): Promise<ZonesBackupResult> {
  const { database, folder, keep, now = new Date() } = options;
  const path = await pathOfCopy(folder, "mcns", now);
  {
    using live = openDnsDatabase(database, { readOnly: true });
    await live.snapshot(path);
  }
  using copy = openDnsDatabase(path, { readOnly: true });
  const zones = copy.zones.list();
  const records = zones.reduce((sum, { id }) => sum + copy.records.ofZone(id).length, 0);
  return { path, zones: zones.length, records, removed: await prune(folder, "mcns", keep) };
}

async function pathOfCopy(folder: string, program: string, now: Date): Promise<string> {
  await Deno.mkdir(folder, { recursive: true, mode: FOLDER_MODE });
  const time = now.toISOString().replace(/[-:]|\.\d+/g, "");
  return join(folder, `${program}-${time}.db`);
}

/** Opens a copy and reads every row of it. */
function readCounts(path: string) {
  using copy = openDatabase(path, { readOnly: true });
  const listeners = copy.listeners();
  return {
    listeners: listeners.length,
    routes: listeners.reduce((sum, { id }) => sum + copy.routes(id).length, 0),
    firewallRules: copy.firewallRules().length,
  };
}

async function prune(folder: string, program: string, keep: number): Promise<string[]> {
  const isCopy = copyName(program);
  const copies: string[] = [];
  for await (const { name, isFile } of Deno.readDir(folder)) {
    if (isFile && isCopy.test(name)) copies.push(name);
  }
  const old = copies.sort().slice(0, -keep);
  for (const name of old) await Deno.remove(join(folder, name));
  return old;
}

/** The path of the database, without judging the rest: a backup must not depend on it. */
async function databaseOf(configPath: string): Promise<string> {
  const config = parseToml(await Deno.readTextFile(configPath)) as {
    database?: { path?: unknown };
  };
  const path = config.database?.path;
  if (typeof path !== "string") throw new Error(`${configPath}: database.path is missing`);
  if (!isAbsolute(path)) throw new Error(`${configPath}: database.path is not absolute`);
  return path;
}

async function main(args: string[]): Promise<string> {
  const { values } = parseArgs({
    args,
    options: {
      config: { type: "string" },
      folder: { type: "string" },
      keep: { type: "string", default: String(DEFAULT_KEEP) },
      of: { type: "string", default: "mc-proxy" },
    },
  });
  const { config, folder } = values;
  const keep = Number(values.keep);
  if (config === undefined || folder === undefined) throw new Error(USAGE);
  if (!Number.isInteger(keep) || keep < 1) throw new Error(`--keep ${values.keep}: not 1 or more`);
  if (values.of !== "mc-proxy" && values.of !== "mcns") throw new Error(USAGE);
  const what = { database: await databaseOf(config), folder, keep };
  if (values.of === "mcns") {
    const { path, zones, records, removed } = await backUpZones(what);
    return `${path}: ${zones} zones, ${records} records; ${removed.length} old copies removed`;
  }
  const { path, listeners, routes, firewallRules, removed } = await backUp(what);
  return `${path}: ${listeners} listeners, ${routes} routes, ${firewallRules} firewall rules; ` +
    `${removed.length} old copies removed`;
}

if (import.meta.main) {
  const print = (target: typeof Deno.stdout, text: string) =>
    target.writeSync(new TextEncoder().encode(`${text}\n`));
  try {
    print(Deno.stdout, await main(Deno.args));
  } catch (error) {
    print(Deno.stderr, `backup: ${error instanceof Error ? error.message : String(error)}`);
    Deno.exit(1);
  }
}
