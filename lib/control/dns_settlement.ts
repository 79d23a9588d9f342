import type { ReadFile } from "../certificates/mod.ts";
import type { McnsConfig } from "../config/mod.ts";
import { type DecidedDnsChange, type DnsChangeRows, whenFree } from "../db/mod.ts";
import {
  abortChange,
  commitChange,
  prepareChange,
  waitingChanges,
  type WantedSet,
} from "../dns_rest/mod.ts";
import { describeError, type LogSink } from "../observe/mod.ts";
import type { ServedState } from "./served_state.ts";
import { mcnsOptions } from "./text_writer.ts";

/** How often the name server is asked for changes that wait for us. */
const LOOK_MS = 60_000;
/** After a failure; twice as long each time. */
const FIRST_RETRY_MS = 1000;
const MAX_RETRY_MS = 10_000;

/** A change of records that is decided and that the name server has not confirmed. */
export interface WaitingDnsChange {
  readonly id: string;
  readonly names: readonly string[];
  /** Milliseconds since 1970. */
  readonly decidedAt: number;
  /** What the last attempt came to; empty: there was none. */
  readonly problem: string;
}

/** What a {@link DnsSettlement} works with. */
export interface DnsSettlementOptions {
  readonly config: McnsConfig;
  readonly state: ServedState;
  readonly readFile: ReadFile;
  readonly log: LogSink;
}

/**
 * The second phase of changes at the name server: it is told of what our journal says is decided until
 * it has made that, and gives up whatever it keeps for us that is not. Whoever starts after a crash
 * goes on with the same two lists, ours and the name server's.
 */
export class DnsSettlement implements AsyncDisposable {
  readonly #options: DnsSettlementOptions;
  /** Ids that are kept for us, and about to be decided. */
  readonly #open = new Set<string>();
  readonly #problems = new Map<string, string>();
  readonly #closing = new AbortController();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #settling: Promise<void> = Promise.resolve();
  #failures = 0;

  constructor(options: DnsSettlementOptions) {
    this.#options = options;
  }

  /** Aborted when nothing more is asked. */
  get signal(): AbortSignal {
    return this.#closing.signal;
  }

  /** The journal of what is decided. */
  get rows(): DnsChangeRows {
    return this.#options.state.database.dnsChanges;
  }

  /** Who we are to the name server: the process that goes on with our database. */
  get coordinator(): string {
    return this.#options.state.database.safekeeping?.identity.id ?? "memory";
  }

  /** How the name server is spoken to, by the files as they are now. */
  server(): ReturnType<typeof mcnsOptions> {
    const { config, readFile } = this.#options;
    return mcnsOptions(config, readFile);
  }

  /** Until what it returns is disposed of, a change may be undecided without being given up. */
  hold(id: string): Disposable {
    this.#open.add(id);
    return { [Symbol.dispose]: () => this.#open.delete(id) };
  }

  /** Changes that are decided and not confirmed, the oldest first. */
  waiting(): WaitingDnsChange[] {
    return this.rows.list().map(({ id, content, decidedAt }) => ({
      ...{ id, decidedAt, problem: this.#problems.get(id) ?? "" },
      names: (JSON.parse(content) as WantedSet[]).map(({ name, type }) => `${name} ${type}`),
    }));
  }

  /** Makes the name server do what is decided, and give up what is not. Never fails. */
  settle(): Promise<void> {
    this.#settling = this.#settling.then(() => this.#settleAll());
    return this.#settling;
  }

  /** Writes rows of ours in a transaction, alone. */
  async write<T>(body: () => T): Promise<T> {
    const { database } = this.#options.state;
    const until = performance.now() + database.busyTimeoutMs;
    return await this.#options.state.exclusive(async () => {
      const result = await whenFree(() => database.transaction(body), { until });
      await database.reachDisk();
      return result;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    clearTimeout(this.#timer);
    await this.#settling;
  }

  async #settleAll(): Promise<void> {
    clearTimeout(this.#timer);
    if (this.signal.aborted) return;
    let wait = LOOK_MS;
    try {
      await this.#tell();
      this.#failures = 0;
    } catch (error) {
      if (this.signal.aborted) return;
      wait = Math.min(FIRST_RETRY_MS * 2 ** this.#failures++, MAX_RETRY_MS);
      const fields = { error: describeError(error) };
      const level = this.#failures === 1 ? "warn" : "debug";
      this.#options.log({ level, message: "the name server could not be told", fields });
    }
    if (this.signal.aborted) return;
    this.#timer = setTimeout(() => void this.settle(), wait);
  }

  async #tell(): Promise<void> {
    const server = await this.server();
    const failed = await this.#makeDecided();
    for (const id of await waitingChanges(server, this.coordinator, this.signal)) {
      if (this.#open.has(id)) continue;
      // Read after the name server has said that it keeps it, and by the process that writes alone:
      // what is not decided by now never will be.
      const isDecided = await this.write(() => this.rows.has(id));
      if (!isDecided && !this.#open.has(id)) await abortChange(server, id, this.signal);
    }
    if (failed.length > 0) throw failed[0];
  }

  /** Each by itself: one that fails keeps no other waiting. */
  async #makeDecided(): Promise<unknown[]> {
    const failed: unknown[] = [];
    for (const row of this.rows.list()) {
      try {
        await this.#make(row);
      } catch (error) {
        this.#problems.set(row.id, describeError(error));
        failed.push(error);
        continue;
      }
      this.#problems.delete(row.id);
      await this.write(() => this.rows.remove(row.id));
    }
    return failed;
  }

  /** Whatever the name server still knows of it: what is decided is made. */
  async #make({ id, content }: DecidedDnsChange): Promise<void> {
    const { signal, coordinator } = this;
    const server = await this.server();
    if (await commitChange(server, id, signal) === "made") return;
    // It was given up by hand, or the name server has gone back to a copy of before.
    const sets: WantedSet[] = JSON.parse(content);
    await prepareChange(server, { id, coordinator, sets }, signal);
    await commitChange(server, id, signal);
    const fields = { id, sets: sets.length };
    this.#options.log({ level: "warn", message: "records were changed once more", fields });
  }
}
