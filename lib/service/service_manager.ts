import { describeError, type LogSink } from "../observe/mod.ts";
import { readVariable } from "./environment.ts";

/** A message that systemd has not taken by then is given up; its queue is drained in microseconds. */
const SEND_TIMEOUT_MS = 1000;
/** Messages waiting for one that is being sent; a stuck manager must not cost memory. */
const MAX_QUEUED = 16;
/** How often the status line is brought up to date where no watchdog sets the pace. */
const STATUS_INTERVAL_MS = 10_000;
/** Added to the time a drain may take, for closing what is then left. */
const STOP_MARGIN_MS = 5000;

/** What systemd passes in the environment. */
export interface ServiceEnvironment {
  /** `NOTIFY_SOCKET`: a path, or `@` and a name in the abstract namespace. Absent: no systemd. */
  readonly notifySocket?: string | undefined;
  /** `WATCHDOG_USEC`: the service is killed when it says nothing for so long. */
  readonly watchdogUsec?: string | undefined;
}

/** What systemd put into our environment. */
export function readServiceEnvironment(): ServiceEnvironment {
  return {
    notifySocket: readVariable("NOTIFY_SOCKET"),
    watchdogUsec: readVariable("WATCHDOG_USEC"),
  };
}

/** What the service says of itself, asked at each beat. */
export interface WatchdogReport {
  /** Whether it does its work; while it does not, the watchdog is left to bite. */
  readonly alive: boolean;
  /** One line for `systemctl status`. */
  readonly status: string;
}

/**
 * Tells systemd how the service is (sd_notify(3)): ready, reloading, stopping, alive. Without
 * `NOTIFY_SOCKET` it does nothing.
 *
 * The datagrams leave from a socket with an abstract name, so that no file has to be made and
 * removed; what others send to that name is never read. Sending to a path needs `--allow-write` for
 * it.
 */
export class ServiceManager implements AsyncDisposable {
  readonly #path: string | undefined;
  readonly #watchdogMs: number | undefined;
  readonly #log: LogSink;
  readonly #encoder = new TextEncoder();
  #socket: Deno.DatagramConn | undefined;
  #queue: string[] = [];
  #sending: Promise<void> | undefined;
  #timer: ReturnType<typeof setInterval> | undefined;
  #lastStatus = "";
  #unreachable = false;

  constructor({ notifySocket, watchdogUsec }: ServiceEnvironment, log: LogSink) {
    this.#path = notifySocket?.replace(/^@/, "\0") || undefined;
    const usec = Number(watchdogUsec);
    // Half of it, as sd_watchdog_enabled(3) recommends: one beat may be lost.
    this.#watchdogMs = usec > 0 && Number.isFinite(usec) ? Math.max(usec / 2000, 1) : undefined;
    this.#log = log;
  }

  /**
   * The start may take up to `timeoutMs`: systemd is asked for that much patience. Resolves when it was,
   * since what takes so long may hold this thread.
   */
  async starting(timeoutMs: number): Promise<void> {
    this.#send(`EXTEND_TIMEOUT_USEC=${Math.ceil(timeoutMs * 1000)}\nSTATUS=starting`);
    await this.#sending;
  }

  /** The service accepts connections; from now on `pulse` is asked regularly. */
  ready(pulse: () => WatchdogReport): void {
    if (this.#path === undefined || this.#timer !== undefined) return;
    this.#send(`READY=1\nSTATUS=${this.#newStatus(pulse().status)}`);
    this.#timer = setInterval(
      () => this.#beat(pulse()),
      this.#watchdogMs ?? STATUS_INTERVAL_MS,
    );
  }

  /** A reload begins; {@link reloaded} ends it. */
  reloading(): void {
    this.#send("RELOADING=1");
  }

  /** The reload is over, whether it changed something or not. */
  reloaded(): void {
    this.#send("READY=1");
  }

  /** The service drains, for up to `timeoutMs`: systemd is asked for that much patience. */
  stopping(timeoutMs: number): void {
    const extension = Math.ceil((timeoutMs + STOP_MARGIN_MS) * 1000);
    this.#send(`STOPPING=1\nEXTEND_TIMEOUT_USEC=${extension}\nSTATUS=draining`);
  }

  /** Waits until what was said is sent, and closes. */
  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    await this.#sending;
    this.#socket?.close();
    this.#socket = undefined;
  }

  #beat({ alive, status }: WatchdogReport): void {
    const lines: string[] = [];
    if (this.#watchdogMs !== undefined && alive) lines.push("WATCHDOG=1");
    if (status !== this.#lastStatus) lines.push(`STATUS=${this.#newStatus(status)}`);
    if (lines.length > 0) this.#send(lines.join("\n"));
  }

  /** A newline would begin another variable. */
  #newStatus(status: string): string {
    this.#lastStatus = status;
    return status.replace(/\s+/g, " ");
  }

  #send(message: string): void {
    if (this.#path === undefined || this.#queue.length >= MAX_QUEUED) return;
    this.#queue.push(message);
    this.#sending ??= this.#sendAll(this.#path).finally(() => this.#sending = undefined);
  }

  async #sendAll(path: string): Promise<void> {
    try {
      for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
        await this.#sendOne(path, next);
      }
      this.#unreachable = false;
    } catch (error) {
      this.#queue = [];
      if (this.#unreachable) return; // Said once, not at every beat.
      this.#unreachable = true;
      const fields = { error: describeError(error) };
      this.#log({ level: "warn", message: "systemd could not be notified", fields });
    }
  }

  async #sendOne(path: string, message: string): Promise<void> {
    this.#socket ??= Deno.listenDatagram({
      transport: "unixpacket",
      path: `\0mc-proxy-${crypto.randomUUID()}`,
    });
    const { promise, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(() => reject(new Error("no answer")), SEND_TIMEOUT_MS);
    try {
      const bytes = this.#encoder.encode(message);
      await Promise.race([this.#socket.send(bytes, { transport: "unixpacket", path }), promise]);
    } finally {
      clearTimeout(timer);
    }
  }
}
