/**
 * A control plane with its admin API in this process, over real sockets, and a client of it.
 *
 * @module
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { AdminServer } from "../../lib/admin/mod.ts";
import { type AdminClient, createClient } from "../../lib/client/mod.ts";
import { type Config, loadConfig } from "../../lib/config/mod.ts";
import { Control, type ControlOptions } from "../../lib/control/mod.ts";
import { type Database, openDatabase, type OpenOptions } from "../../lib/db/mod.ts";
import { History } from "../../lib/history/mod.ts";
import type { LogRecord } from "../../lib/observe/mod.ts";
import type { Plane } from "../../lib/plane/mod.ts";
import { InlinePlane } from "../../lib/workers/mod.ts";
import { unusedPort } from "./ports.ts";

/** Settings of {@link startAdmin}. */
export interface AdminFixtureOptions {
  /** More of the configuration, as TOML. */
  readonly config?: string | ((folder: string) => string);
  /** A folder that stays. Default: a new one that goes. */
  readonly folder?: string;
  readonly now?: () => number;
  readonly compile?: ControlOptions["compile"];
  /** Replaces the plane in this thread, for planes that fail. */
  readonly wrapPlane?: (plane: Plane) => Plane;
  /** Replaces it altogether. */
  readonly startPlane?: ControlOptions["startPlane"];
  /** How the database is opened. */
  readonly open?: OpenOptions;
}

/** A running control plane. Disposing of it fails the test when it logged an unexpected error. */
export class AdminFixture implements AsyncDisposable {
  readonly logs: LogRecord[] = [];
  /** Errors that the test provokes: log messages that begin with one of these. */
  readonly expectedErrors: string[] = [];

  constructor(
    readonly folder: string,
    readonly database: Database,
    readonly control: Control,
    readonly server: AdminServer,
    readonly client: AdminClient,
    /** The address of the first listener. */
    readonly addr: string,
    readonly removeFolder: boolean,
  ) {}

  get socketPath(): string {
    return this.server.path;
  }

  get port(): number {
    return this.control.listeners[0]?.port ?? 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.client.close();
    await this.server.close();
    await this.control.drain(0);
    await this.control.history?.[Symbol.asyncDispose]();
    this.database[Symbol.dispose]();
    if (this.removeFolder) await Deno.remove(this.folder, { recursive: true });
    const errors = this.logs.filter(({ level, message }) =>
      level === "error" && !this.expectedErrors.some((expected) => message.startsWith(expected))
    );
    assert.deepEqual(errors, []);
  }
}

/** Starts a control plane with one listener on `127.0.0.1`. */
export async function startAdmin(options: AdminFixtureOptions = {}): Promise<AdminFixture> {
  const folder = options.folder ?? await Deno.makeTempDir({ prefix: "mc-proxy-test-" });
  const addr = `127.0.0.1:${await unusedPort()}`;
  const config = configOf(`database.path = "${join(folder, "a.db")}"
${typeof options.config === "function" ? options.config(folder) : options.config ?? ""}
[[listeners]]
addr = "${addr}"
`);
  const { open = {}, now, compile, wrapPlane = (plane: Plane) => plane } = options;
  const database = openDatabase(config.database.path, open);
  if (!open.readOnly) database.seed(config);
  const logs: LogRecord[] = [];
  const log = (record: LogRecord) => logs.push(record);
  const history = config.history && await History.open({ ...config.history, log });
  const control = await Control.start({
    config,
    database,
    log,
    ...history && { history },
    onEvent: () => {},
    startPlane: options.startPlane ??
      (async (snapshot, sinks) =>
        wrapPlane(await InlinePlane.start(snapshot, { ...sinks, idPrefix: "t" }))),
    ...now && { now },
    ...compile && { compile },
  });
  const socketPath = join(folder, "admin.sock");
  const server = await AdminServer.start({ control, socketPath, version: "0.0.0-test", log });
  const client = createClient({ socketPath, actor: "test" });
  const listener = control.listeners[0]?.addr ?? addr;
  const removeFolder = options.folder === undefined;
  const fixture = new AdminFixture(
    folder,
    database,
    control,
    server,
    client,
    listener,
    removeFolder,
  );
  // The same array: what was logged before the fixture existed counts too.
  Object.defineProperty(fixture, "logs", { value: logs });
  return fixture;
}

function configOf(text: string): Config {
  const result = loadConfig(text);
  assert.ok(result.ok, JSON.stringify(result));
  return result.config;
}
