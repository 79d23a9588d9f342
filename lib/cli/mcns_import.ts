import { basename, dirname, join, resolve } from "node:path";
import { mcns } from "../admin/gen/mod.ts";
import { createServiceClient, InvalidArgumentError } from "../client/mod.ts";
import { DnsControl, NO_PLANE, readZoneName } from "../dns_control/mod.ts";
import { openDnsDatabase } from "../dns_store/mod.ts";
import { describeError, type LogSink } from "../observe/mod.ts";
import { RefusedError } from "../queue/mod.ts";
import { answers } from "../service/mod.ts";
import { ServingLock } from "../sqlite/mod.ts";
import { CommandError } from "./command_error.ts";
import { print } from "./command_line.ts";
import { loadMcnsFile } from "./mcns_load.ts";

/** A large zone takes minutes. */
const TIMEOUT_MS = 600_000;

/** Where the socket of a server with this database is: `mcns.sock` beside `mcns.db`. */
export function socketPathOf(database: string): string {
  const path = resolve(database);
  return join(dirname(path), `${basename(path).replace(/\.db$/, "")}.sock`);
}

/** A server has the database and does not answer. */
export class ServerSilentError extends Error {
  override readonly name = "ServerSilentError";
  readonly code = "silent";
}

/**
 * `mcns import`: makes a zone what a zone file says. A running server makes the change, so that it is
 * in effect when this resolves; without one it is made in the database, under the lock that keeps a
 * server from starting meanwhile.
 *
 * @returns what was done, in words.
 * @throws {RefusedError | AdminError} with everything that is wrong with the file; nothing is changed
 * then.
 * @throws {ServerSilentError}
 */
export async function importIntoDatabase(
  database: string,
  { zone, file, actor, log }: {
    readonly zone: string;
    readonly file: Uint8Array;
    /** For the audit log. */
    readonly actor: string;
    readonly log: LogSink;
  },
): Promise<string> {
  const socket = socketPathOf(database);
  // Asked before: gRPC would go on trying.
  if (await answers(socket)) {
    using client = createServiceClient(mcns.ZoneService, {
      target: socket,
      timeoutMs: TIMEOUT_MS,
      metadata: { "mcns-actor": actor },
    });
    const { records, added, removed, changed, done } = await client.importZone({ zone, file });
    return wordsOf(zone, { records, added, removed, changed, serial: done?.serial ?? 0 });
  }
  using lock = ServingLock.take(database, { takeOver: false });
  if (lock === undefined) {
    throw new ServerSilentError(
      `a server has the database ${database} and does not answer on ${socket}`,
    );
  }
  using db = openDnsDatabase(database);
  const control = await DnsControl.open({ database: db, plane: NO_PLANE, log, now: Date.now });
  const operation = { actor, action: "ImportZone" };
  const done = await control.zones.import(readZoneName(zone), file, operation);
  return `${wordsOf(zone, done)}; no server runs`;
}

type Count = number | bigint;

function wordsOf(
  zone: string,
  { records, added, removed, changed, serial }: {
    readonly records: Count;
    readonly added: Count;
    readonly removed: Count;
    readonly changed: Count;
    readonly serial: number;
  },
): string {
  return `imported the zone ${zone}: ${records} records (${added} added, ${removed} removed, ` +
    `${changed} changed), serial ${serial}`;
}

/**
 * `mcns import` with a configuration: {@link importIntoDatabase} of a file.
 *
 * @throws {CommandError} with everything that is wrong, one a line; nothing is changed then.
 */
export async function runMcnsImport(
  configPath: string,
  { zone, file }: { readonly zone: string; readonly file: string },
): Promise<string> {
  const { config } = loadMcnsFile(configPath);
  const actor = "mcns import";
  try {
    // What the program may not read, a shell can give it.
    const octets = file === "-"
      ? new Uint8Array(await new Response(Deno.stdin.readable).arrayBuffer())
      : await Deno.readFile(file);
    const log: LogSink = ({ message }) => print(Deno.stderr, message);
    return await importIntoDatabase(config.database.path, { zone, file: octets, actor, log });
  } catch (error) {
    throw new CommandError(problemsOf(error, file).join("\n"), { cause: error });
  }
}

/** Each problem of a file on a line of its own, with its place. */
function problemsOf(error: unknown, file: string): readonly string[] {
  if (error instanceof RefusedError && error.problems.length > 0) {
    return error.problems.map(({ field, message }) => `${file}: ${field}: ${message}`);
  }
  if (error instanceof InvalidArgumentError && error.problems.length > 0) {
    return error.problems.map(({ field, description }) => `${file}: ${field}: ${description}`);
  }
  return [describeError(error)];
}
