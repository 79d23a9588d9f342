import { randomUUID } from "node:crypto";
import type { ReadFile } from "../certificates/mod.ts";
import type { McnsConfig } from "../config/mod.ts";
import { type DecidedDnsChange, whenFree } from "../db/mod.ts";
import {
  abortChange,
  commitChange,
  DnsRestError,
  prepareChange,
  type PreparedChange,
  type SetDifference,
  waitingChanges,
  type WantedSet,
  type ZoneVersion,
} from "../dns_rest/mod.ts";
import { describeError, type LogSink } from "../observe/mod.ts";
import { invalid } from "../queue/mod.ts";
import type { DnsSet } from "../state/mod.ts";
import type { Difference } from "./difference.ts";
import { dnsDifferences } from "./record_differences.ts";
import { zoneOf } from "./dns_alias.ts";
import { decided } from "./dns_decision.ts";
import { refusalOf } from "./dns_refusal.ts";
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

/** What a {@link DnsChanges} works with. */
export interface DnsChangesOptions {
  readonly config: McnsConfig;
  readonly state: ServedState;
  readonly readFile: ReadFile;
  readonly log: LogSink;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** A change that the name server keeps for us, and what it is in our journal and to our operators. */
export interface KeptChange extends PreparedChange {
  readonly id: string;
  readonly differences: readonly Difference[];
}

/**
 * Changes of records at the name server together with changes of our own: both or neither. We decide
 * (two-phase commit, presumed abort): the name server keeps a change, the decision is a row that is
 * written in the transaction of our own change, and then the name server is told. Whoever starts after
 * a crash tells it again of what is in the journal, and gives up whatever it keeps that is not.
 */
export class DnsChanges implements AsyncDisposable {
  readonly #options: DnsChangesOptions;
  /** Ids that are kept for us, and about to be decided. */
  readonly #open = new Set<string>();
  readonly #problems = new Map<string, string>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #settling: Promise<void> = Promise.resolve();
  #turn: Promise<unknown> = Promise.resolve();
  #failures = 0;
  readonly #closing = new AbortController();

  constructor(options: DnsChangesOptions) {
    this.#options = options;
  }

  /** Begins to look after what was left, by this process or one before it. */
  start(): void {
    void this.settle();
  }

  /** Changes that are decided and not confirmed, the oldest first. */
  waiting(): WaitingDnsChange[] {
    return this.#rows.list().map(({ id, content, decidedAt }) => ({
      ...{ id, decidedAt, problem: this.#problems.get(id) ?? "" },
      names: (JSON.parse(content) as WantedSet[]).map(({ name, type }) => `${name} ${type}`),
    }));
  }

  /**
   * What sets would become, and the versions of their zones.
   *
   * @throws {RefusedError}
   */
  async plan(sets: readonly DnsSet[], signal?: AbortSignal): Promise<KeptChange> {
    return await this.#prepare(sets, { dryRun: true, ifVersions: [], signal });
  }

  /**
   * Has the name server keep a change while `body` makes ours, with the differences that it is given
   * among its own; then both are made, or neither.
   *
   * @throws {RefusedError} if the name server does not keep it; and whatever `body` throws.
   */
  async together<T>(
    sets: readonly DnsSet[],
    { ifVersions, signal, actor }: {
      readonly ifVersions: readonly ZoneVersion[];
      readonly signal?: AbortSignal | undefined;
      readonly actor: string;
    },
    body: (kept: KeptChange) => Promise<T>,
  ): Promise<T> {
    const kept = await this.#prepare(sets, { dryRun: false, ifVersions, signal });
    const row = {
      ...{ id: kept.id, actor, decidedAt: this.#options.now() },
      content: JSON.stringify(this.#setsOf(sets)),
    };
    try {
      return await body({ ...kept, differences: decided(kept.differences, row) });
    } finally {
      this.#open.delete(kept.id);
    }
  }

  /**
   * Runs `body` while no other change of records is on its way from here: two would be in each other's
   * way at the name server. Whoever needs the state alone, too, takes it within.
   */
  alone<T>(body: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(body);
    this.#turn = turn.catch(() => {}); // Whoever asked hears of it.
    return turn;
  }

  /**
   * What sets would become that nobody has asked for but we.
   *
   * @throws {DnsRestError}
   */
  async look(sets: readonly WantedSet[]): Promise<readonly SetDifference[]> {
    const change = { id: randomUUID(), coordinator: this.#coordinator, sets, dryRun: true };
    return (await prepareChange(await this.#server(), change, this.#closing.signal)).sets;
  }

  /**
   * Changes sets that nobody has asked for but we: `note` writes what comes of it here, in the
   * transaction of the decision. Only within {@link alone}.
   *
   * @param options `isStill` looks whether the change is what it was meant to be.
   * @throws {DnsRestError} also if the change is another one by now.
   */
  async make(
    sets: readonly WantedSet[],
    { note, isStill }: {
      readonly note: () => void;
      readonly isStill: (found: readonly SetDifference[]) => boolean;
    },
  ): Promise<void> {
    const id = randomUUID();
    const [decidedAt, content] = [this.#options.now(), JSON.stringify(sets)];
    this.#open.add(id);
    try {
      const change = { id, coordinator: this.#coordinator, sets };
      const kept = await prepareChange(await this.#server(), change, this.#closing.signal);
      if (!isStill(kept.sets)) {
        throw new DnsRestError("refused", "the records have changed meanwhile");
      }
      await this.write(() => {
        this.#rows.add({ id, content, actor: "mc-proxy", decidedAt });
        note();
      });
    } finally {
      this.#open.delete(id);
      await this.settle();
    }
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

  get #rows() {
    return this.#options.state.database.dnsChanges;
  }

  /** Who we are to the name server: the process that goes on with our database. */
  get #coordinator(): string {
    return this.#options.state.database.safekeeping?.identity.id ?? "memory";
  }

  #setsOf(sets: readonly DnsSet[]): WantedSet[] {
    return sets.map(({ name, ...rest }, i) => {
      const { zones } = this.#options.config;
      const zone = zoneOf(name, zones);
      if (zone !== undefined) return { zone, name: `${name}.`, ...rest };
      throw invalid(`state.records[${i}].name`, "it is in none of mcns.zones");
    });
  }

  async #prepare(
    sets: readonly DnsSet[],
    { signal, ...options }: {
      readonly dryRun: boolean;
      readonly ifVersions: readonly ZoneVersion[];
      readonly signal: AbortSignal | undefined;
    },
  ): Promise<KeptChange> {
    const id = randomUUID();
    const coordinator = this.#coordinator;
    const change = { id, coordinator, sets: this.#setsOf(sets), ...options };
    if (!options.dryRun) this.#open.add(id);
    try {
      const prepared = await prepareChange(await this.#server(), change, signal);
      return { ...prepared, id, differences: dnsDifferences(prepared.sets) };
    } catch (error) {
      this.#open.delete(id);
      // It may be kept for us all the same.
      if (!options.dryRun) void this.settle();
      throw refusalOf(error);
    }
  }

  #server() {
    const { config, readFile } = this.#options;
    return mcnsOptions(config, readFile);
  }

  async #settleAll(): Promise<void> {
    clearTimeout(this.#timer);
    if (this.#closing.signal.aborted) return;
    let wait = LOOK_MS;
    try {
      await this.#tell();
      this.#failures = 0;
    } catch (error) {
      if (this.#closing.signal.aborted) return;
      wait = Math.min(FIRST_RETRY_MS * 2 ** this.#failures++, MAX_RETRY_MS);
      const fields = { error: describeError(error) };
      const level = this.#failures === 1 ? "warn" : "debug";
      this.#options.log({ level, message: "the name server could not be told", fields });
    }
    if (this.#closing.signal.aborted) return;
    this.#timer = setTimeout(() => void this.settle(), wait);
  }

  async #tell(): Promise<void> {
    const server = await this.#server();
    const { signal } = this.#closing;
    const failed: unknown[] = [];
    for (const row of this.#rows.list()) {
      try {
        await this.#make(row);
      } catch (error) {
        this.#problems.set(row.id, describeError(error));
        failed.push(error);
        continue;
      }
      this.#problems.delete(row.id);
      await this.write(() => this.#rows.remove(row.id));
    }
    for (const id of await waitingChanges(server, this.#coordinator, signal)) {
      if (this.#open.has(id)) continue;
      // Read after the name server has said that it keeps it, and by the process that writes alone:
      // what is not decided by now never will be.
      const isDecided = await this.write(() => this.#rows.has(id));
      if (!isDecided && !this.#open.has(id)) await abortChange(server, id, signal);
    }
    if (failed.length > 0) throw failed[0];
  }

  /** Whatever the name server still knows of it: what is decided is made. */
  async #make({ id, content }: DecidedDnsChange): Promise<void> {
    const server = await this.#server();
    const { signal } = this.#closing;
    if (await commitChange(server, id, signal) === "made") return;
    // It was given up by hand, or the name server has gone back to a copy of before.
    const sets: WantedSet[] = JSON.parse(content);
    await prepareChange(server, { id, coordinator: this.#coordinator, sets }, signal);
    await commitChange(server, id, signal);
    const fields = { id, sets: sets.length };
    this.#options.log({ level: "warn", message: "records were changed once more", fields });
  }
}
