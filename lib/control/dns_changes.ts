import { randomUUID } from "node:crypto";
import {
  DnsRestError,
  prepareChange,
  type PreparedChange,
  type SetDifference,
  type WantedSet,
  type ZoneVersion,
} from "../dns_rest/mod.ts";
import { invalid } from "../queue/mod.ts";
import type { DnsSet } from "../state/mod.ts";
import type { Difference } from "./difference.ts";
import { zoneOf } from "./dns_alias.ts";
import { decided } from "./dns_decision.ts";
import { refusalOf } from "./dns_refusal.ts";
import {
  DnsSettlement,
  type DnsSettlementOptions,
  type WaitingDnsChange,
} from "./dns_settlement.ts";
import { dnsDifferences } from "./record_differences.ts";

/** What a {@link DnsChanges} works with. */
export interface DnsChangesOptions extends DnsSettlementOptions {
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** A change that the name server keeps for us, and what it is in our journal and to our operators. */
export interface KeptChange extends PreparedChange {
  readonly id: string;
  readonly differences: readonly Difference[];
}

/** What the name server is asked to keep, or with `dryRun` only to look at. */
interface Change {
  readonly id: string;
  readonly sets: readonly WantedSet[];
  readonly dryRun?: boolean;
  readonly ifVersions?: readonly ZoneVersion[];
}

/**
 * Changes of records at the name server together with changes of our own: both or neither. We decide
 * (two-phase commit, presumed abort): the name server keeps a change, the decision is a row that is
 * written in the transaction of our own change, and then the name server is told, which is
 * {@link DnsSettlement}'s.
 */
export class DnsChanges implements AsyncDisposable {
  readonly #options: DnsChangesOptions;
  readonly #settlement: DnsSettlement;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(options: DnsChangesOptions) {
    this.#options = options;
    this.#settlement = new DnsSettlement(options);
  }

  /** Begins to look after what was left, by this process or one before it. */
  start(): void {
    void this.settle();
  }

  /** Changes that are decided and not confirmed, the oldest first. */
  waiting(): WaitingDnsChange[] {
    return this.#settlement.waiting();
  }

  /** Makes the name server do what is decided, and give up what is not. Never fails. */
  settle(): Promise<void> {
    return this.#settlement.settle();
  }

  /** Writes rows of ours in a transaction, alone. */
  write<T>(body: () => T): Promise<T> {
    return this.#settlement.write(body);
  }

  /**
   * What sets would become, and the versions of their zones.
   *
   * @throws {RefusedError}
   */
  async plan(sets: readonly DnsSet[], signal?: AbortSignal): Promise<KeptChange> {
    const change = { id: randomUUID(), sets: this.#setsOf(sets), dryRun: true };
    return await this.#prepareAsked(change, signal);
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
    const change = { id: randomUUID(), sets: this.#setsOf(sets), ifVersions };
    let isKept = false;
    try {
      using _held = this.#settlement.hold(change.id);
      const kept = await this.#prepareAsked(change, signal);
      isKept = true;
      const content = JSON.stringify(change.sets);
      const row = { id: kept.id, actor, decidedAt: this.#options.now(), content };
      return await body({ ...kept, differences: decided(kept.differences, row) });
    } finally {
      // It may be kept for us all the same.
      if (!isKept) void this.settle();
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
    return (await this.#prepare({ id: randomUUID(), sets, dryRun: true }, this.#settlement.signal))
      .sets;
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
    try {
      using _held = this.#settlement.hold(id);
      const kept = await this.#prepare({ id, sets }, this.#settlement.signal);
      if (!isStill(kept.sets)) {
        throw new DnsRestError("refused", "the records have changed meanwhile");
      }
      await this.write(() => {
        this.#settlement.rows.add({ id, content, actor: "mc-proxy", decidedAt });
        note();
      });
    } finally {
      await this.settle();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#settlement[Symbol.asyncDispose]();
  }

  /** With the zone of each name, which only we have to guess. */
  #setsOf(sets: readonly DnsSet[]): WantedSet[] {
    return sets.map(({ name, ...rest }, i) => {
      const zone = zoneOf(name, this.#options.config.zones);
      if (zone !== undefined) return { zone, name: `${name}.`, ...rest };
      throw invalid(`state.records[${i}].name`, "it is in none of mcns.zones");
    });
  }

  /** A change that somebody has asked for: a refusal is told in the words of the request. */
  async #prepareAsked(change: Change, signal: AbortSignal | undefined): Promise<KeptChange> {
    try {
      const prepared = await this.#prepare(change, signal);
      return { ...prepared, id: change.id, differences: dnsDifferences(prepared.sets) };
    } catch (error) {
      throw refusalOf(error);
    }
  }

  async #prepare(change: Change, signal: AbortSignal | undefined): Promise<PreparedChange> {
    const { coordinator } = this.#settlement;
    return await prepareChange(await this.#settlement.server(), { coordinator, ...change }, signal);
  }
}
