/**
 * The name server as a process of its own, under the flags of an installation.
 *
 * @module
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { parseZoneFile } from "../../lib/dns/mod.ts";
import { openDnsDatabase } from "../../lib/dns_store/mod.ts";
import { withinDeadline } from "./deadline.ts";
import { nameOf } from "./dns_server.ts";
import { ROOT } from "./module_graph.ts";
import { nameServerProgram, type Program } from "./program.ts";
import { temporaryFolder } from "./temporary_folder.ts";

/** What a test says of a process. */
export interface McnsOptions {
  /** The part of the configuration behind `[database]`. */
  readonly config?: string;
  /** Zones that the database has before: their texts by their names. */
  readonly zones?: Readonly<Record<string, string>>;
  /** Another form of the program, by its folder of data. */
  readonly program?: (data: string) => Program;
  /** The folder of another one, which is used again. */
  readonly folder?: string;
}

/** Writes configuration and database. */
function prepare(folder: string, { config, zones = {} }: McnsOptions): string {
  const path = join(folder, "mcns.toml");
  const defaults = '[dns]\nlisten_addr = "127.0.0.1:0"\n';
  Deno.writeTextFileSync(
    path,
    `[database]\npath = "${join(folder, "mcns.db")}"\n${config ?? defaults}`,
  );
  if (Object.keys(zones).length === 0) return path;
  using database = openDnsDatabase(join(folder, "mcns.db"));
  for (const [name, text] of Object.entries(zones)) {
    const origin = nameOf(name);
    const { records, problems } = parseZoneFile(`$TTL 300\n${text}`, { origin });
    assert.deepEqual(problems, []);
    database.createZone(origin, records, { actor: "test", action: "create", time: 0 });
  }
  return path;
}

/** A running name server and what it has logged. */
export class McnsProcess implements AsyncDisposable {
  readonly folder: string;
  readonly lines: string[] = [];
  readonly #child: Deno.ChildProcess;
  readonly #reading: Promise<void>;
  readonly #waiting = new Set<() => void>();
  readonly #owned: Disposable | undefined;

  private constructor(child: Deno.ChildProcess, folder: string, owned: Disposable | undefined) {
    this.#child = child;
    this.folder = folder;
    this.#owned = owned;
    this.#reading = this.#read();
  }

  /** Starts one; resolves at once, see {@link line}. */
  static spawn(options: McnsOptions = {}, command = "server"): McnsProcess {
    const owned = options.folder === undefined ? temporaryFolder() : undefined;
    const folder = options.folder ?? owned?.path ?? "";
    const { flags, script } = (options.program ?? nameServerProgram)(folder);
    const path = prepare(folder, options);
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", ...flags, script, command, "--config", path],
      env: { NO_COLOR: "1" },
      cwd: ROOT,
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    return new McnsProcess(child, folder, owned);
  }

  /** Starts one and waits until it answers. */
  static async start(options: McnsOptions = {}): Promise<McnsProcess> {
    const process = McnsProcess.spawn(options);
    await process.line(/ msg=ready /);
    return process;
  }

  /** The first line that matches, when it is there. */
  async line(pattern: RegExp): Promise<string> {
    for (;;) {
      const found = this.lines.find((line) => pattern.test(line));
      if (found !== undefined) return found;
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#waiting.add(resolve);
      const what = `a line ${pattern} comes after ${this.lines.join("\n")}`;
      await withinDeadline(promise, what, 60_000);
    }
  }

  /** Where it answers; it listens at one address. */
  get address(): { readonly host: string; readonly port: number } {
    const line = this.lines.find((line) => / msg=listening /.test(line)) ?? "";
    const [, host = "", port = ""] = / host=(\S+) port=(\d+)/.exec(line) ?? [];
    return { host, port: Number(port) };
  }

  kill(signal: Deno.Signal): void {
    this.#child.kill(signal);
  }

  /** Its exit code. */
  async ended(): Promise<number> {
    const { code } = await withinDeadline(this.#child.status, "the process ends", 60_000);
    await this.#reading;
    return code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // It has ended.
    }
    await this.ended();
    this.#owned?.[Symbol.dispose]();
  }

  async #read(): Promise<void> {
    let rest = "";
    for await (const text of this.#child.stderr.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      this.lines.push(...lines);
      for (const resolve of this.#waiting) resolve();
      this.#waiting.clear();
    }
  }
}
