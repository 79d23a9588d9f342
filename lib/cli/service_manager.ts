import { join } from "node:path";
import { describeError, type LogSink } from "../observe/mod.ts";

/** The service manager hears at least twice in each interval that it allows (sd_watchdog_enabled). */
const PINGS_PER_INTERVAL = 2;

const MICROSECONDS_PER_MILLISECOND = 1000;

/** Who started us and wants to know how it goes; sd_notify(3). */
export interface ServiceManager extends Disposable {
  /** Every listener accepts. From now on also tells regularly that the process is alive. */
  ready(): Promise<void>;
  /** Draining: the end is wanted, not a failure. */
  stopping(): Promise<void>;
}

/** Nobody wants to know. */
export const noServiceManager: ServiceManager = {
  ready: () => Promise.resolve(),
  stopping: () => Promise.resolve(),
  [Symbol.dispose]() {},
};

/** Settings of {@link connectServiceManager}. */
export interface ServiceManagerOptions {
  /** `NOTIFY_SOCKET`: the path of systemd's socket; undefined when not started by it. */
  readonly socketPath: string | undefined;
  /** `WATCHDOG_USEC`: after how many microseconds of silence systemd restarts the service. */
  readonly watchdogUsec: string | undefined;
  /** A folder where files may be made: a datagram socket needs a name, if only for a moment. */
  readonly folder: string;
  readonly log: LogSink;
}

/** What systemd put into our environment. */
export function readNotifyVariables(): Pick<ServiceManagerOptions, "socketPath" | "watchdogUsec"> {
  return {
    socketPath: readVariable("NOTIFY_SOCKET"),
    watchdogUsec: readVariable("WATCHDOG_USEC"),
  };
}

/**
 * Connects to the service manager. A socket that cannot be used is logged, and the program goes on:
 * it may serve all the same, until systemd loses its patience.
 */
export function connectServiceManager(options: ServiceManagerOptions): ServiceManager {
  const { socketPath, log } = options;
  if (socketPath === undefined) return noServiceManager;
  try {
    return new SystemdManager(openSocket(options.folder), socketPath, options);
  } catch (error) {
    warn(log, error);
    return noServiceManager;
  }
}

class SystemdManager implements ServiceManager {
  readonly #socket: Deno.DatagramConn;
  readonly #path: string;
  readonly #log: LogSink;
  readonly #intervalMs: number;
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(socket: Deno.DatagramConn, path: string, options: ServiceManagerOptions) {
    this.#socket = socket;
    this.#path = path;
    this.#log = options.log;
    this.#intervalMs = Number(options.watchdogUsec ?? 0) / MICROSECONDS_PER_MILLISECOND;
  }

  async ready(): Promise<void> {
    await this.#send("READY=1");
    if (!(this.#intervalMs > 0)) return;
    // Pings come from the control plane's event loop: one that is stuck does not ping.
    this.#timer = setInterval(
      () => this.#send("WATCHDOG=1"),
      this.#intervalMs / PINGS_PER_INTERVAL,
    );
  }

  async stopping(): Promise<void> {
    await this.#send("STOPPING=1");
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#socket.close();
  }

  /** Never rejects. */
  async #send(text: string): Promise<void> {
    try {
      const address = { transport: "unixpacket", path: this.#path } as const;
      await this.#socket.send(new TextEncoder().encode(text), address);
    } catch (error) {
      warn(this.#log, error);
    }
  }
}

/** A datagram socket of our own; its name is removed at once, nobody answers. */
function openSocket(folder: string): Deno.DatagramConn {
  const path = join(folder, `.notify-${crypto.randomUUID()}`);
  const socket = Deno.listenDatagram({ transport: "unixpacket", path });
  Deno.removeSync(path);
  return socket;
}

function warn(log: LogSink, error: unknown): void {
  const fields = { error: describeError(error) };
  log({ level: "warn", message: "cannot notify the service manager", fields });
}

function readVariable(name: string): string | undefined {
  try {
    return Deno.env.get(name) || undefined;
  } catch (error) {
    // Started by hand without --allow-env: then nobody waits for a notification either.
    if (error instanceof Deno.errors.NotCapable) return undefined;
    throw error;
  }
}
