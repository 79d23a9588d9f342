import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { serverFlags } from "../deploy/runtime.ts";

/** The root of the checkout. */
const SOURCE = fileURLToPath(new URL("..", import.meta.url)).replace(/\/$/, "");

/** Starting means loading modules, opening the database and starting workers, on a slow machine. */
const READY_TIMEOUT_MS = 30_000;

/** Longer than any `shutdown_timeout` that a development or test configuration sets. */
const STOP_TIMEOUT_MS = 30_000;

/** What the program logs when every listener accepts, as logfmt and as JSON. */
const READY = / msg=ready |"message":"ready"/;

/** Log lines that are kept for error messages and tests; older ones are dropped. */
export const KEPT_LINES = 100_000;

/** Settings of {@link ProxyProcess.start}. */
export interface ProxyProcessOptions {
  readonly configPath: string;
  /** The command and its flags; default: `server -c` and the configuration. */
  readonly command?: readonly string[];
  /** The folder that it may read and write; default: the one of the configuration. */
  readonly data?: string;
  /** Called with each line that the program prints, on whichever stream. */
  readonly onLine?: (line: string) => void;
  readonly env?: Record<string, string>;
  /** Replaces the flags of an installation. */
  readonly flags?: readonly string[];
  /** Runs another form of the program than `main.ts`. */
  readonly script?: string;
  /** Shares its ports with a proxy that runs already. */
  readonly takeOver?: boolean;
  /** How many descriptors it may have; default: as many as this process. */
  readonly maxDescriptors?: number;
  /** A command that runs the one that comes behind it. */
  readonly wrapper?: readonly string[];
}

/** The program ended before it was ready, or was not ready in time. */
export class ProxyStartError extends Error {
  override readonly name = "ProxyStartError";
  readonly code = "PROXY_START";
}

/** `main.ts server`, or another program that says when it is ready, as a process of its own, under the flags of an installation. */
export class ProxyProcess implements AsyncDisposable {
  /** What it printed so far, one line each. */
  readonly lines: string[] = [];
  readonly #child: Deno.ChildProcess;
  readonly #onLine: (line: string) => void;
  readonly #ready = Promise.withResolvers<void>();
  readonly #output: Promise<unknown>;

  private constructor(options: ProxyProcessOptions) {
    this.#onLine = options.onLine ?? (() => {});
    const data = options.data ?? dirname(options.configPath);
    const { maxDescriptors, wrapper = [] } = options;
    const limited = maxDescriptors === undefined
      ? []
      : ["sh", "-c", 'ulimit -n "$0"; exec "$@"', String(maxDescriptors)];
    const [program = "", ...before] = [...wrapper, ...limited, Deno.execPath()];
    this.#child = new Deno.Command(program, {
      args: [
        ...before,
        "run",
        ...options.flags ?? serverFlags({ source: SOURCE, data }),
        options.script ?? `${SOURCE}/main.ts`,
        ...options.command ?? ["server", "-c", options.configPath],
        ...options.takeOver ? ["--take-over"] : [],
      ],
      env: { NO_COLOR: "1", ...options.env },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
      // Its own process group: Ctrl-C reaches us alone, and it gets one signal, not two.
      detached: true,
    }).spawn();
    this.#output = Promise.all([
      this.#readLines(this.#child.stdout),
      this.#readLines(this.#child.stderr),
    ]);
  }

  /** Starts the program and waits until it accepts connections. */
  static async start(options: ProxyProcessOptions): Promise<ProxyProcess> {
    const proxy = new ProxyProcess(options);
    const timeout = Promise.withResolvers<"timeout">();
    const timer = setTimeout(() => timeout.resolve("timeout"), READY_TIMEOUT_MS);
    try {
      const outcome = await Promise.race([
        proxy.#ready.promise.then(() => "ready" as const),
        proxy.exited,
        timeout.promise,
      ]);
      if (outcome === "ready") return proxy;
      const why = outcome === "timeout"
        ? `was not ready within ${READY_TIMEOUT_MS} ms`
        : `ended with code ${outcome.code}`;
      throw new ProxyStartError(`the proxy ${why}: ${proxy.lines.join("\n")}`);
    } catch (error) {
      await proxy.stop("SIGKILL");
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** Settles when the process has ended and all its output was read. */
  get exited(): Promise<Deno.CommandStatus> {
    return this.#child.status.then(async (status) => {
      await this.#output;
      return status;
    });
  }

  /** Sends a signal; one to a process that has ended does nothing. */
  signal(signal: Deno.Signal): void {
    try {
      this.#child.kill(signal);
    } catch (error) {
      if (!(error instanceof TypeError) && !(error instanceof Deno.errors.NotFound)) throw error;
    }
  }

  /** Sends a signal and waits for the end; kills the process if that does not come in time. */
  async stop(signal: Deno.Signal = "SIGTERM"): Promise<Deno.CommandStatus> {
    this.signal(signal);
    const timer = setTimeout(() => this.signal("SIGKILL"), STOP_TIMEOUT_MS);
    try {
      return await this.exited;
    } finally {
      clearTimeout(timer);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #readLines(stream: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<void> {
    let rest = "";
    for await (const text of stream.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) this.#take(line);
    }
    if (rest !== "") this.#take(rest);
  }

  #take(line: string): void {
    this.lines.push(line);
    if (this.lines.length > KEPT_LINES) this.lines.shift();
    if (READY.test(line)) this.#ready.resolve();
    this.#onLine(line);
  }
}
