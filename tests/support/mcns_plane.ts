/**
 * A name server in this process, as its configuration says: database, writer, workers, and whom it
 * follows. What a process has beside it (management, monitoring) is not there.
 *
 * @module
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { Mcns } from "../../lib/cli/mcns_plane.ts";
import { typeFromText } from "../../lib/dns/mod.ts";
import { exchange } from "../../lib/dns_client/mod.ts";
import { loadMcnsConfig, type McnsConfig } from "../../lib/dns_config/mod.ts";
import { type DnsDatabase, openDnsDatabase } from "../../lib/dns_store/mod.ts";
import type { LogRecord } from "../../lib/observe/mod.ts";
import { eventually } from "./deadline.ts";
import { nameOf } from "./dns_server.ts";
import { temporaryFolder } from "./temporary_folder.ts";
import { type ReadAnswer, readAnswer } from "./zone_samples.ts";

const SIGNAL = new AbortController().signal;

/** A configuration of one address; what follows is in `[dns]`. */
export function mcnsConfig(folder: string, text: string, port = 0): McnsConfig {
  const path = join(folder, "mcns.db");
  const result = loadMcnsConfig(
    `[database]\npath = "${path}"\n[dns]\nlisten_addr = "127.0.0.1:${port}"\n${text}`,
  );
  assert(result.ok, JSON.stringify(result));
  return result.config;
}

/** What a test says of a server. */
export interface McnsPlaneOptions {
  readonly config: string | ((folder: string) => string);
  /** Of an earlier one, which is used again. */
  readonly folder?: string;
  readonly port?: number;
}

/** A name server without its management. */
export class McnsPlane implements AsyncDisposable {
  readonly mcns: Mcns;
  readonly database: DnsDatabase;
  readonly folder: string;
  readonly config: McnsConfig;
  readonly logged: LogRecord[];
  readonly #owned: Disposable | undefined;

  private constructor(
    mcns: Mcns,
    { config, database, folder, logged, owned }: {
      readonly config: McnsConfig;
      readonly database: DnsDatabase;
      readonly folder: string;
      readonly logged: LogRecord[];
      readonly owned: Disposable | undefined;
    },
  ) {
    this.mcns = mcns;
    this.config = config;
    this.database = database;
    this.folder = folder;
    this.logged = logged;
    this.#owned = owned;
  }

  static async start({ config, folder: given, port = 0 }: McnsPlaneOptions): Promise<McnsPlane> {
    const owned = given === undefined ? temporaryFolder() : undefined;
    const folder = given ?? owned?.path ?? "";
    const text = typeof config === "string" ? config : config(folder);
    const parsed = mcnsConfig(folder, text, port);
    const database = openDnsDatabase(parsed.database.path);
    const logged: LogRecord[] = [];
    const log = (record: LogRecord) => void logged.push(record);
    const onStuck = () => {};
    const mcns = await Mcns.start({ config: parsed, database, log, onStuck });
    return new McnsPlane(mcns, { config: parsed, database, folder, logged, owned });
  }

  get port(): number {
    return this.mcns.status[0]?.port ?? 0;
  }

  /** What it answers. */
  async ask(name: string, type: string): Promise<ReadAnswer> {
    const number = typeFromText(type);
    assert(number.ok);
    const question = { name: nameOf(name), type: number.value, class: 1 };
    const server = { hostname: "127.0.0.1", port: this.port };
    const options = { timeoutMs: 10_000, signal: SIGNAL, edns: true };
    return readAnswer((await exchange(server, question, options)).bytes);
  }

  /** Waits until a question is answered with a record that ends so. */
  async says(name: string, type: string, end: string): Promise<void> {
    await eventually(
      async () => (await this.ask(name, type)).answer.some((line) => line.endsWith(end)),
      `${name} ${type} is ${end}`,
    );
  }

  /** Waits until something was logged. */
  async logs(message: string | RegExp): Promise<LogRecord> {
    const found = () =>
      this.logged.find((record) =>
        typeof message === "string" ? record.message === message : message.test(record.message)
      );
    await eventually(() => found() !== undefined, `${message} is logged`);
    return found() as LogRecord;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.mcns[Symbol.asyncDispose]();
    this.database[Symbol.dispose]();
    this.#owned?.[Symbol.dispose]();
  }
}
