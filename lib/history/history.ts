import { dirname, resolve } from "node:path";
import { type ConnectionEvent, describeError, isRefusal, type LogSink } from "../observe/mod.ts";
import { confinedWorker } from "../sqlite/mod.ts";
import { HISTORY_ENTRY_URL } from "./entry_url.ts";
import type {
  FromHistory,
  HistoryPage,
  HistoryQuery,
  HistorySettings,
  PastConnection,
  ToHistory,
  VisitsPage,
} from "./messages.ts";

/** Connections gather for so long; refusals that are alike become one. */
const FLUSH_MS = 1_000;
/** What gathers at most; more in a second are not kept. */
const MAX_BATCH = 5_000;
/** Batches that the thread has not written yet; with more nothing is kept until it has. */
const MAX_IN_FLIGHT = 4;
/** A question about a large history reads all of it. */
const ANSWER_TIMEOUT_MS = 30_000;
/** What is left at the end is given this long. */
const CLOSE_TIMEOUT_MS = 2_000;
/** What is too old goes also when nobody comes. */
const PURGE_MS = 3_600_000;
/** A loss that is longer ago is nobody's warning any more; it goes on to count. */
const DAY_MS = 24 * 3_600_000;
/** How often the log says that something is not kept. */
const COMPLAIN_MS = 60_000;

type Body<M = ToHistory> = M extends ToHistory ? Omit<M, "id"> : never;

/** What a {@link History} is made with. */
export interface HistoryOptions extends HistorySettings {
  readonly log: LogSink;
  /** Milliseconds since 1970. Default: the system's clock. */
  readonly now?: () => number;
}

/** The history cannot answer; the message says why. */
export class HistoryError extends Error {
  override readonly name = "HistoryError";
  readonly code = "history";
}

/**
 * Keeps what connections leave behind, and answers about it. A thread of its own does the work; what
 * it does not keep up with is not kept, and counted.
 */
export class History implements AsyncDisposable {
  readonly #options: HistoryOptions;
  readonly #worker: Worker;
  readonly #pending = new Map<number, (answer: FromHistory) => void>();
  /** By what makes refusals alike, or by their own id. */
  #batch = new Map<string, PastConnection>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #purge = setInterval(() => this.#send([]), PURGE_MS);
  #nextId = 1;
  #inFlight = 0;
  #shed = 0;
  /** When the first and the last were not kept, in milliseconds since 1970. */
  #shedSince: number | undefined;
  #shedLast = 0;
  #problem: string | undefined;
  #complainedAt = -Infinity;
  #dead = false;

  private constructor(options: HistoryOptions) {
    this.#options = options;
    this.#worker = confinedWorker(HISTORY_ENTRY_URL, {
      name: "history",
      folder: dirname(resolve(options.path)),
    });
    this.#worker.onmessage = ({ data }: MessageEvent<FromHistory>) => {
      this.#pending.get(data.id)?.(data);
    };
    this.#worker.onerror = (event) => {
      event.preventDefault(); // Or the error would end the whole process.
      this.#die(event.message);
    };
  }

  /** Opens it. What fails is a problem of the history and of nothing else: it keeps nothing then. */
  static async open(options: HistoryOptions): Promise<History> {
    const history = new History(options);
    const { path, days, megabytes, log } = options;
    const settings = { path: resolve(path), days, megabytes };
    try {
      const aside = await history.#ask<string | undefined>({ type: "open", settings });
      if (aside !== undefined) {
        const message = "the history is broken and was moved aside, a new one begins";
        log({ level: "warn", message, fields: { path, aside } });
      }
    } catch (error) {
      history.#die(describeError(error));
    }
    return history;
  }

  /** Notes a connection that has ended; costs a look into a map. */
  noteConnection(event: ConnectionEvent): void {
    if (this.#dead) return this.#lose(1);
    const past = toPast(event, this.#now());
    const key = isRefusal(event.outcome) ? likeness(past) : event.id;
    const before = this.#batch.get(key);
    if (before !== undefined) {
      this.#batch.set(key, { ...before, count: before.count + 1 });
    } else if (this.#batch.size < MAX_BATCH) this.#batch.set(key, past);
    else this.#lose(1);
    this.#timer ??= setTimeout(() => this.flush(), FLUSH_MS);
  }

  /** Sends what has gathered. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#batch.size === 0) return;
    const connections = [...this.#batch.values()];
    this.#batch = new Map();
    this.#send(connections);
  }

  #send(connections: readonly PastConnection[]): void {
    const lose = () => this.#lose(connections.reduce((sum, { count }) => sum + count, 0));
    if (this.#inFlight >= MAX_IN_FLIGHT || this.#dead) {
      lose();
      return this.#complain("it does not keep up");
    }
    this.#inFlight++;
    this.#ask({ type: "add", connections }, Infinity).then(
      () => this.#problem = undefined,
      (error) => {
        lose();
        this.#problem = describeError(error);
        this.#complain(this.#problem);
      },
    ).finally(() => this.#inFlight--);
  }

  #lose(count: number): void {
    if (count === 0) return;
    this.#shed += count;
    this.#shedLast = this.#now();
    this.#shedSince ??= this.#shedLast;
  }

  #now(): number {
    return this.#options.now?.() ?? Date.now();
  }

  /** Connections that are not kept, since the start. */
  get missing(): number {
    return this.#shed;
  }

  /** What an operator should know of it; one sentence each. */
  get warnings(): readonly string[] {
    const { path } = this.#options;
    return [
      ...this.#problem === undefined ? [] : [`the history ${path} is not kept: ${this.#problem}`],
      ...this.#shedSince === undefined || this.#now() - this.#shedLast > DAY_MS ? [] : [
        `${this.#shed} connections are missing in the history, of ${
          timeText(this.#shedSince)
        } to ` +
        timeText(this.#shedLast),
      ],
    ];
  }

  /**
   * Past connections, the latest first.
   *
   * @throws {HistoryError}
   */
  find(query: HistoryQuery): Promise<HistoryPage> {
    this.flush();
    return this.#ask({ type: "find", query });
  }

  /**
   * Who asked for what since a time, client by client.
   *
   * @throws {HistoryError}
   */
  visits(
    sinceMs: number,
    { after, limit }: { readonly after?: string | undefined; readonly limit: number },
  ): Promise<VisitsPage> {
    this.flush();
    return this.#ask({ type: "visits", sinceMs, after, limit });
  }

  /** Writes what is left, as far as the disk takes it in time. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.flush();
    if (!this.#dead) await this.#ask({ type: "close" }, CLOSE_TIMEOUT_MS).catch(() => {});
    clearTimeout(this.#timer);
    clearInterval(this.#purge);
    this.#dead = true;
    this.#worker.terminate();
  }

  #ask<T>(body: Body, timeoutMs = ANSWER_TIMEOUT_MS): Promise<T> {
    if (this.#dead) {
      return Promise.reject(new HistoryError(this.#problem ?? "the history is closed"));
    }
    const id = this.#nextId++;
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const timer = timeoutMs === Infinity ? undefined : setTimeout(() => {
      this.#pending.delete(id);
      reject(new HistoryError("the history does not answer in time"));
    }, timeoutMs);
    this.#pending.set(id, ({ value, error }) => {
      clearTimeout(timer);
      this.#pending.delete(id);
      if (error === undefined) resolve(value as T);
      else reject(new HistoryError(error));
    });
    this.#worker.postMessage({ ...body, id });
    return promise;
  }

  #die(reason: string): void {
    this.#dead = true;
    this.#problem = reason;
    for (const [id, settle] of [...this.#pending]) settle({ id, error: reason });
    this.#complain(reason);
  }

  #complain(reason: string): void {
    const now = performance.now();
    if (now - this.#complainedAt < COMPLAIN_MS) return;
    this.#complainedAt = now;
    const { path, log } = this.#options;
    const fields = { path, reason, missing: this.#shed };
    log({ level: "warn", message: "connections are missing in the history", fields });
  }
}

/** To the second. */
function timeText(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}

/** What refusals of one second have in common that are kept as one. */
function likeness({ client, listener, sni, rule, outcome }: PastConnection): string {
  return `${client} ${listener} ${outcome} ${sni} ${rule}`;
}

function toPast(event: ConnectionEvent, time: number): PastConnection {
  const { client, sni = "", route = "", backend = "", rule = "", identity = "" } = event;
  const { listener, outcome, reason = "", bytesIn, bytesOut, durationMs } = event;
  const host = client.slice(0, client.lastIndexOf(":"));
  return {
    ...{ time, listener, sni, route, backend, rule, identity, outcome, reason },
    ...{ bytesIn, bytesOut, durationMs, count: 1 },
    client: host.startsWith("[") ? host.slice(1, -1) : host,
  };
}
