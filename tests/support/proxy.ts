/**
 * The whole program as a process of its own, under the flags of an installation.
 *
 * @module
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { stringify } from "smol-toml";
import { KEPT_LINES, ProxyProcess } from "../../dev/proxy_process.ts";
import { eventually } from "./deadline.ts";
import { proxyProgram } from "./program.ts";

/** A configuration as a tree; the key names are those of the TOML file. */
export type ConfigTree = Readonly<Record<string, unknown>>;

/** One parsed log line: `message`, `level` and the fields of the event. */
export type LogEvent = Readonly<Record<string, unknown>> & { readonly message?: string };

/** Settings of {@link startProxy}. */
export interface ProxyOptions {
  /**
   * The configuration, or a function of the folder that it and its files are in. Filled in when
   * missing: the database in that folder, one worker, log lines in JSON from `info` on.
   */
  readonly config: ConfigTree | ((folder: string) => ConfigTree);
  /** Files to write first, by their name in the folder. */
  readonly files?: Readonly<Record<string, string | Uint8Array>>;
  /** Runs another command than `server`; a function of the folder and of the configuration. */
  readonly command?: (folder: string, configPath: string) => readonly string[];
  readonly env?: Record<string, string>;
  /** A folder that stays when the proxy stops, to start another one in it. Default: a new one. */
  readonly folder?: string;
  /** Replaces the flags of an installation; a function of the folder, if it has to be in them. */
  readonly flags?: (folder: string) => readonly string[];
  /** Runs another form of the program, from the sources. */
  readonly script?: string;
  /** Starts it with `--take-over`. */
  readonly takeOver?: boolean;
  /** How many descriptors it may have. */
  readonly maxDescriptors?: number;
  /** A command that runs the one that comes behind it. */
  readonly wrapper?: readonly string[];
}

/** A running proxy. Disposing of it stops it with SIGTERM and fails if it does not end with 0. */
export class Proxy implements AsyncDisposable {
  readonly process: ProxyProcess;
  /** Where its configuration and database are. */
  readonly folder: string;
  readonly #removeFolder: boolean;
  /** The events in the first so many lines: tests look often, and there may be many. */
  readonly #events: LogEvent[] = [];
  #linesRead = 0;
  #stopped = false;

  constructor(process: ProxyProcess, folder: string, removeFolder: boolean) {
    this.process = process;
    this.folder = folder;
    this.#removeFolder = removeFolder;
  }

  get pid(): number {
    return this.process.pid;
  }

  /** The port of the listener number `index`, counted from 0, also when it was configured as 0. */
  port(index = 0): number {
    const listening = this.events("listening")[index];
    assert.ok(listening, `listener ${index} is not listening`);
    return Number(listening.port);
  }

  /** What it logged so far, of all messages or of one. */
  events(message?: string): LogEvent[] {
    const { lines } = this.process;
    if (lines.length >= KEPT_LINES) {
      // The first were dropped: which they were is not known.
      this.#events.length = 0;
      this.#linesRead = 0;
    }
    for (; this.#linesRead < lines.length; this.#linesRead++) {
      const line = lines[this.#linesRead] ?? "";
      if (line.startsWith("{")) this.#events.push(JSON.parse(line) as LogEvent);
    }
    return this.#events.filter((event) => message === undefined || event.message === message);
  }

  /** The errors it logged so far; the JSON log writes levels in capitals. */
  errors(): LogEvent[] {
    return this.events().filter(({ level }) => level === "ERROR");
  }

  /** Waits for an event of a connection with this outcome. */
  async outcome(outcome: string, index = 0): Promise<LogEvent> {
    const found = () => this.events("connection").filter((event) => event.outcome === outcome);
    await eventually(() => found().length > index, `outcome ${outcome} number ${index}`);
    const event = found()[index];
    assert.ok(event);
    return event;
  }

  /** Sends a signal and waits for the end; the exit code. */
  async stop(signal: Deno.Signal = "SIGTERM"): Promise<number> {
    this.#stopped = true;
    return (await this.process.stop(signal)).code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      const alreadyStopped = this.#stopped;
      const code = await this.stop();
      if (!alreadyStopped) assert.equal(code, 0, this.process.lines.slice(-20).join("\n"));
    } finally {
      if (this.#removeFolder) await Deno.remove(this.folder, { recursive: true });
    }
  }
}

/**
 * Starts `mc-proxy server` and waits until it is ready.
 *
 * @throws {ProxyStartError} with the program's output when it does not start.
 */
export async function startProxy(options: ProxyOptions): Promise<Proxy> {
  const folder = options.folder ?? await Deno.makeTempDir({ prefix: "mc-proxy-test-" });
  const removeFolder = options.folder === undefined;
  try {
    const configPath = await writeConfig(folder, options);
    const form = options.script === undefined && options.flags === undefined
      ? proxyProgram(folder)
      : {};
    const process = await ProxyProcess.start({
      ...form,
      configPath,
      ...options.command && { command: options.command(folder, configPath) },
      ...options.env && { env: options.env },
      ...options.flags && { flags: options.flags(folder) },
      ...options.script && { script: options.script },
      ...options.takeOver && { takeOver: options.takeOver },
      ...options.maxDescriptors && { maxDescriptors: options.maxDescriptors },
      ...options.wrapper && { wrapper: options.wrapper },
    });
    return new Proxy(process, folder, removeFolder);
  } catch (error) {
    if (removeFolder) await Deno.remove(folder, { recursive: true });
    throw error;
  }
}

/** Writes the files and the configuration that {@link startProxy} would use; its path. */
export async function writeConfig(
  folder: string,
  { config, files = {} }: Pick<ProxyOptions, "config" | "files">,
): Promise<string> {
  for (const [name, content] of Object.entries(files)) {
    const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
    await Deno.writeFile(join(folder, name), bytes);
  }
  const tree = typeof config === "function" ? config(folder) : config;
  const defaults = {
    database: { path: join(folder, "mc-proxy.db") },
    server: { workers: 1 },
    log: { level: "info", format: "json" },
  };
  const path = join(folder, "mc-proxy.toml");
  await Deno.writeTextFile(path, stringify({ ...defaults, ...tree }));
  return path;
}
