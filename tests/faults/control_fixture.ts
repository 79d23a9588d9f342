import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { DatabaseSync } from "node:sqlite";
import { loadConfig } from "../../lib/config/mod.ts";
import { Control, type ControlOptions } from "../../lib/control/mod.ts";
import { type Database, openDatabase } from "../../lib/db/mod.ts";
import type { LogRecord } from "../../lib/observe/mod.ts";
import { copyFiles } from "./durable_state.ts";
import { MirrorPlane } from "./mirror_plane.ts";
import { describe } from "./reference_model.ts";

/** Short: a change that meets a lock is to be refused, and ten thousand steps are many. */
const BUSY_TIMEOUT_MS = 5;

/** In memory where there is such a file system: what is tested is the order of writes, not the disk. */
const PARENT = (() => {
  try {
    return Deno.statSync("/dev/shm").isDirectory ? "/dev/shm" : tmpdir();
  } catch {
    return tmpdir();
  }
})();

/** What the control plane is given from outside, whatever happens to it. */
export interface World {
  /** Milliseconds since 1970. */
  now: number;
  readonly readFile: (path: string) => Promise<Uint8Array>;
  /** The address of the first listener. */
  readonly addr: string;
  /** Default: as in an installation. */
  readonly limits?: ControlOptions["limits"];
}

/** A control plane on a database of its own, without a data plane that serves. */
export class ControlUnderTest implements AsyncDisposable {
  compileFails = false;
  readonly logs: LogRecord[] = [];

  private constructor(
    readonly folder: string,
    readonly world: World,
    readonly database: Database,
    readonly control: Control,
    readonly plane: MirrorPlane,
  ) {}

  static newFolder(): string {
    return mkdtempSync(`${PARENT}/mc-proxy-test-`);
  }

  static async start(folder: string, world: World): Promise<ControlUnderTest> {
    const loaded = loadConfig(`database.path = "${folder}/a.db"
      [[listeners]]
      addr = "${world.addr}"`);
    assert.ok(loaded.ok, JSON.stringify(loaded));
    const { config } = loaded;
    const database = openDatabase(config.database.path, { busyTimeoutMs: BUSY_TIMEOUT_MS });
    database.role?.claim();
    database.seed(config);
    let plane: MirrorPlane | undefined;
    const logs: LogRecord[] = [];
    const control = await Control.start({
      ...world.limits && { limits: world.limits },
      config,
      database,
      log: (record) => logs.push(record),
      onEvent: () => {},
      readFile: world.readFile,
      now: () => world.now,
      // The port may be bound by the control plane before, which is abandoned and not closed.
      takeOver: true,
      startPlane: (snapshot) => Promise.resolve(plane = new MirrorPlane(snapshot)),
      compile: (draft) => {
        if (self.compileFails) throw new Error("compiling fails");
        return draft.compile();
      },
    });
    database.role?.confirm();
    assert.ok(plane);
    const self = new ControlUnderTest(folder, world, database, control, plane);
    return self;
  }

  /** As a process that is killed, and one that is started on what it left. */
  async crash(): Promise<ControlUnderTest> {
    const folder = ControlUnderTest.newFolder();
    copyFiles(this.folder, folder);
    await this[Symbol.asyncDispose]();
    return await ControlUnderTest.start(folder, this.world);
  }

  async restart(): Promise<ControlUnderTest> {
    await this.#stop();
    return await ControlUnderTest.start(this.folder, this.world);
  }

  /** Another program that has begun a transaction. */
  lock(): Disposable {
    const other = new DatabaseSync(this.database.path);
    other.exec("BEGIN IMMEDIATE");
    return { [Symbol.dispose]: () => other.close() };
  }

  removeFiles(): void {
    for (const suffix of ["", "-wal", "-shm"]) {
      rmSync(this.database.path + suffix, { force: true });
    }
  }

  /** What is served, and what the database holds; both as the reference model says it. */
  describe(): { served: string; stored: string } {
    const { state, firewall: { rateLimit } } = this.control;
    const rules = this.database.rules.list();
    const { database } = this;
    return {
      served: describe({ listeners: state.snapshot.listeners, rules, rateLimit }),
      stored: describe({
        listeners: database.listeners().map((listener) => ({
          ...listener,
          routes: database.routes(listener.id).map((route) => ({
            ...route,
            policies: database.policies.list(route.id),
          })),
        })),
        rules,
        rateLimit: database.settings.rateLimit ?? { limit: 0, windowMs: 0 },
      }),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stop();
    rmSync(this.folder, { recursive: true });
  }

  async #stop(): Promise<void> {
    await this.control.drain(0);
    this.database[Symbol.dispose]();
  }
}
