import type { ReadFile } from "../certificates/mod.ts";
import type { McnsConfig } from "../config/mod.ts";
import type { LogSink } from "../observe/mod.ts";
import { DnsChanges } from "./dns_changes.ts";
import type { WaitingDnsChange } from "./dns_settlement.ts";
import { PublishedRecords } from "./published_records.ts";
import type { ServedState } from "./served_state.ts";

/** What a {@link NameServer} works with. */
export interface NameServerOptions {
  /** Absent: there is none beside us. */
  readonly config: McnsConfig | undefined;
  readonly state: ServedState;
  readonly readFile: ReadFile;
  readonly log: LogSink;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** The name server beside us, as far as its records are our affair. */
export class NameServer implements AsyncDisposable {
  /** Changes of records that are made together with ours; absent: there is no name server. */
  readonly changes: DnsChanges | undefined;
  /** Records that are made of routes; absent: there is no name server. */
  readonly published: PublishedRecords | undefined;
  /** How many sets were made of routes by a start that had a name server. */
  readonly #left: number;

  constructor({ config, ...options }: NameServerOptions) {
    const { state, log } = options;
    this.#left = state.database.published.list().length;
    if (config === undefined) return;
    const { zones, publish } = config;
    this.changes = new DnsChanges({ config, ...options });
    this.published = new PublishedRecords({ changes: this.changes, state, log, zones, publish });
  }

  /** Begins to look after what was left, by this process or one before it, and to follow routes. */
  start(): void {
    this.changes?.start();
    this.published?.start();
  }

  /** Why its records are not what routes say; one sentence each. */
  get warnings(): readonly string[] {
    if (this.published !== undefined) return this.published.warnings;
    if (this.#left === 0) return [];
    return [
      `${this.#left} sets of records stay at the name server, made of routes: [mcns] is gone`,
    ];
  }

  /** Of a database that cannot be read nothing is known: what is served and its problem are told still. */
  get waiting(): readonly WaitingDnsChange[] {
    try {
      return this.changes?.waiting() ?? [];
    } catch {
      return [];
    }
  }

  /** What waits for the name server is given up: whoever comes after goes on. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.changes, this.published].map((it) => it?.[Symbol.asyncDispose]()));
  }
}
