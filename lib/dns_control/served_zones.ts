import {
  foldCase,
  type Name,
  nameKey,
  nameToText,
  octetsOf,
  type OctetString,
  octetString,
  type ZoneRecord,
} from "../dns/mod.ts";
import type { DnsDatabase, ZoneRow } from "../dns_store/mod.ts";
import { DurableWrites } from "../durable/mod.ts";
import type { LogSink } from "../observe/mod.ts";
import { missing, MutationQueue, RefusedError } from "../queue/mod.ts";
import { runInSlices, type Steps } from "../slices/mod.ts";
import {
  applyZoneChange,
  compileZoneInSteps,
  type Zone,
  type ZoneChange,
  ZoneTable,
} from "../zones/mod.ts";
import { DnsMutationError, type DnsOperation } from "./operation.ts";
import type { DnsPlane } from "./plane.ts";

/** What {@link ServedZones} is made of. */
export interface ServedZonesOptions {
  readonly database: DnsDatabase;
  readonly plane: DnsPlane;
  readonly log: LogSink;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** A change that was looked at and fits. */
export interface Prepared<T> {
  /** Writes rows, serial, journal and audit; a step for each row. */
  readonly write: () => Steps<T>;
  /** How many there are, about. */
  readonly rows: number;
  /** What the zones become; absent: nothing that is served changes. */
  readonly change?: ZoneChange;
  /** What takes it back in the plane. */
  readonly back?: ZoneChange;
  /** What other zones become, all of it or nothing. */
  readonly others?: readonly { readonly change: ZoneChange; readonly back: ZoneChange }[];
}

/**
 * The zones that are served, and the one way to change them: looked at first, then rows, serial,
 * journal and audit entry in one transaction, on the disk, in every worker, and last in here. What
 * fails on the way leaves database, workers and this object as they were.
 */
export class ServedZones {
  readonly database: DnsDatabase;
  readonly now: () => number;
  readonly #plane: DnsPlane;
  readonly #log: LogSink;
  readonly #queue = new MutationQueue();
  readonly #writes: DurableWrites;
  #table = new ZoneTable();
  /** Zones of the database that are not served, and why. */
  readonly #broken = new Map<string, string>();
  /** The primaries of zones that other servers have first, by their folded names. */
  readonly secondaries = new Map<OctetString, readonly string[]>();
  /** Zones that are kept as they are for a prepared change, and which. */
  #held: ReadonlyMap<string, string> = new Map();

  private constructor({ database, plane, log, now }: ServedZonesOptions) {
    this.database = database;
    this.#plane = plane;
    this.#log = log;
    this.#writes = new DurableWrites(this.#queue, { database, log });
    this.now = now;
  }

  /**
   * Compiles what the database holds. A zone that breaks a rule, which only an edit by hand can have
   * done, is not served and named by {@link problem}: the others are.
   *
   * @throws {DatabaseError}
   */
  static async open(options: ServedZonesOptions): Promise<ServedZones> {
    const served = new ServedZones(options);
    for (const row of options.database.zones.list()) {
      const secondary = options.database.secondaries.get(row.id);
      if (secondary !== undefined) served.secondaries.set(nameKey(row.origin), [secondary.primary]);
      await served.#load(row);
    }
    return served;
  }

  /** What is served now. */
  get table(): ZoneTable {
    return this.#table;
  }

  /** Why what is served may not be what the database holds; empty while it is. */
  get problem(): string {
    const [first] = this.#broken.values();
    return this.#writes.problem || (first ?? "");
  }

  /**
   * The row and the zone of a name.
   *
   * @throws {RefusedError} `not_found`
   */
  find(origin: Name): { readonly row: ZoneRow; readonly zone: Zone } {
    const row = this.database.zones.find(origin);
    const zone = this.#table.at(octetString(origin));
    if (row !== undefined && zone !== undefined) return { row, zone };
    const text = nameToText(origin);
    const broken = row === undefined ? undefined : this.#broken.get(text);
    if (broken !== undefined) throw new RefusedError("failed_precondition", broken);
    throw missing(`the zone ${text}`);
  }

  /** Why a zone of the database is not served; undefined: it is. */
  brokenBecause(origin: Name): string | undefined {
    return this.#broken.get(nameToText(origin));
  }

  /**
   * Refuses a change of a zone that is not ours to change.
   *
   * @throws {RefusedError} `failed_precondition`
   */
  refuseSecondary(origin: Name): void {
    const primaries = this.secondaries.get(nameKey(origin));
    if (primaries === undefined) return;
    const message = `the zone ${nameToText(origin)} is a secondary one: it is changed at its ` +
      `primary (${primaries.join(", ")})`;
    throw new RefusedError("failed_precondition", message);
  }

  /** Serves a zone that the database does not hold. Only within {@link exclusive}. */
  show(zone: Zone): Promise<void> {
    return this.#make({ kind: "set", zone });
  }

  /** Takes back what {@link show} did. Only within {@link exclusive}. */
  hide(origin: OctetString): Promise<void> {
    return this.#make({ kind: "remove", origin });
  }

  /** A zone is answered SERVFAIL, or again not. Only within {@link exclusive}. */
  expire(origin: OctetString, isExpired: boolean): Promise<void> {
    return this.#make({ kind: "expire", origin, isExpired });
  }

  /** Keeps these zones as they are, but for the change that they are kept for. */
  hold(held: ReadonlyMap<string, string>): void {
    this.#held = held;
  }

  /**
   * Refuses a change of a zone that waits for the decision on another one.
   *
   * @throws {RefusedError} `busy`
   */
  refuseHeld(origin: OctetString, { prepared }: Pick<DnsOperation, "prepared">): void {
    const held = this.#held.get(foldCase(origin));
    if (held === undefined || held === prepared) return;
    const zone = nameToText(octetsOf(origin));
    throw new RefusedError("busy", `the zone ${zone} waits for the decision on the change ${held}`);
  }

  /** Runs `body` alone: between its look at the state and its {@link commit} nobody changes it. */
  exclusive<T>(body: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    return this.#queue.run(body, signal);
  }

  /** Takes no more changes; resolves when those that were asked for are made or refused. */
  close(): Promise<void> {
    return this.#queue.close();
  }

  /**
   * Makes a prepared change, all of it or nothing. Only within {@link exclusive}.
   *
   * @throws {DatabaseError} if the database refuses.
   * @throws {DnsMutationError} if the workers refuse.
   */
  async commit<T>(
    prepared: Prepared<T>,
    operation: DnsOperation,
  ): Promise<{ readonly result: T; readonly pendingWorkers: readonly number[] }> {
    for (const { change } of changesOf(prepared)) {
      this.refuseHeld(change.kind === "set" ? change.zone.origin : change.origin, operation);
    }
    const { result, undo } = await this.#writes.store(prepared.write, prepared.rows, operation);
    const pendingWorkers = await this.#apply(prepared, operation, undo);
    await this.#writes.acknowledge();
    return { result, pendingWorkers };
  }

  async #apply(
    prepared: Prepared<unknown>,
    operation: DnsOperation,
    undo: () => void,
  ): Promise<readonly number[]> {
    const pending = new Set<number>();
    const begun: (ZoneChange | undefined)[] = [];
    try {
      for (const { change, back } of changesOf(prepared)) {
        begun.unshift(back);
        const { pendingWorkers } = await this.#plane.apply(change);
        for (const worker of pendingWorkers) pending.add(worker);
      }
    } catch (cause) {
      await this.#writes.takeBack(undo, operation.action);
      try {
        for (const back of begun) if (back !== undefined) await this.#plane.apply(back);
      } catch (error) {
        this.#writes.noteSplit(operation.action, error);
      }
      throw new DnsMutationError(operation.action, cause);
    }
    for (const { change } of changesOf(prepared)) {
      this.#table = applyZoneChange(this.#table, change);
      // Whatever was wrong with it, it was made anew.
      if (change.kind === "set") this.#broken.clear();
    }
    return [...pending].sort((a, b) => a - b);
  }

  async #make(change: ZoneChange): Promise<void> {
    await this.#plane.apply(change);
    this.#table = applyZoneChange(this.#table, change);
  }

  async #load(row: ZoneRow): Promise<void> {
    const compiled = await compiledInSlices(row.origin, this.database.records.rowsOfZone(row.id));
    if (compiled.ok) {
      this.#table = this.#table.with(compiled.zone);
      return;
    }
    const name = nameToText(row.origin);
    const reason = `the zone ${name} of the database is not served: ${compiled.problems[0]}`;
    this.#broken.set(name, reason);
    this.#log({ level: "error", message: reason });
  }
}

function changesOf({ change, back, others = [] }: Prepared<unknown>) {
  return change === undefined ? others : [{ change, back }, ...others];
}

/** A zone of many records takes seconds, in which others have their turns. */
export function compiledInSlices(origin: Name, records: Iterable<ZoneRecord>) {
  return runInSlices(compileZoneInSteps(origin, records));
}
