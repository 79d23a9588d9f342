import { type Name, nameToText, octetString, type ZoneRecord } from "../dns/mod.ts";
import type { DnsDatabase, ZoneRow } from "../dns_store/mod.ts";
import { describeError, type LogSink } from "../observe/mod.ts";
import { missing, MutationQueue, RefusedError } from "../queue/mod.ts";
import { runAtOnce, runInSlices, type Steps } from "../slices/mod.ts";
import { whenFree } from "../sqlite/mod.ts";
import {
  applyZoneChange,
  compileZoneInSteps,
  type Zone,
  type ZoneChange,
  ZoneTable,
} from "../zones/mod.ts";
import { DnsMutationError, type DnsOperation } from "./operation.ts";
import type { DnsPlane } from "./plane.ts";

/** So many rows are written in one go: a few milliseconds. */
const AT_ONCE = 64;

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
  #table = new ZoneTable();
  #problem = "";
  /** Zones of the database that are not served, and why. */
  readonly #broken = new Map<string, string>();

  private constructor({ database, plane, log, now }: ServedZonesOptions) {
    this.database = database;
    this.#plane = plane;
    this.#log = log;
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
    for (const row of options.database.zones.list()) await served.#load(row);
    return served;
  }

  /** What is served now. */
  get table(): ZoneTable {
    return this.#table;
  }

  /** Why what is served may not be what the database holds; empty while it is. */
  get problem(): string {
    const [first] = this.#broken.values();
    return this.#problem || (first ?? "");
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
    const { result, undo } = await this.#store(prepared, operation);
    try {
      await this.database.reachDisk();
    } catch (error) {
      await this.#takeBack(undo, operation);
      throw error;
    }
    const pendingWorkers = await this.#apply(prepared, operation, undo);
    await this.#acknowledge();
    return { result, pendingWorkers };
  }

  async #store<T>({ write, rows }: Prepared<T>, operation: DnsOperation) {
    const { database } = this;
    const body = () =>
      rows <= AT_ONCE
        ? Promise.resolve(database.undoable(() => runAtOnce(write())))
        : database.undoableInSlices(write());
    const until = this.#queue.askedAt + database.busyTimeoutMs;
    const { signal } = operation;
    const signals = [this.#queue.closing, ...signal === undefined ? [] : [signal]];
    try {
      return await whenFree(body, { until, signals });
    } catch (error) {
      if (!signal?.aborted || error !== signal.reason) throw error;
      throw new RefusedError("cancelled", "the call ended before the database was free");
    }
  }

  async #apply(
    { change, back }: Prepared<unknown>,
    operation: DnsOperation,
    undo: () => void,
  ): Promise<readonly number[]> {
    if (change === undefined) return [];
    try {
      const { pendingWorkers } = await this.#plane.apply(change);
      this.#table = applyZoneChange(this.#table, change);
      // Whatever was wrong with it, it was made anew.
      if (change.kind === "set") this.#broken.clear();
      return pendingWorkers;
    } catch (cause) {
      await this.#takeBack(undo, operation);
      try {
        if (back !== undefined) await this.#plane.apply(back);
      } catch (error) {
        this.#fail(
          `${operation.action} was refused, and what was served cannot be restored`,
          error,
        );
      }
      throw new DnsMutationError(operation.action, cause);
    }
  }

  /** From here on a start that finds less than this refuses to run. */
  async #acknowledge(): Promise<void> {
    try {
      await this.database.safekeeping?.acknowledgeMeanwhile();
    } catch (error) {
      // The change is on disk and in effect: refusing it now would be the lie.
      const message = "a change is stored, but a later loss of it would not be noticed";
      this.#log({ level: "error", message, fields: { error: describeError(error) } });
    }
  }

  async #takeBack(undo: () => void, { action }: DnsOperation): Promise<void> {
    try {
      await whenFree(undo, { until: performance.now() + this.database.busyTimeoutMs });
    } catch (error) {
      this.#fail(`${action} is in the database but not in effect until a restart`, error);
    }
    // A disk that refuses this too has refused the change itself.
    await this.database.reachDisk().catch(() => {});
  }

  #fail(problem: string, error: unknown): void {
    this.#problem = problem;
    this.#log({ level: "error", message: problem, fields: { error: describeError(error) } });
  }

  async #load(row: ZoneRow): Promise<void> {
    const compiled = await compiledInSlices(row.origin, this.database.records.ofZone(row.id));
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

/** A zone of many records takes seconds, in which others have their turns. */
export function compiledInSlices(origin: Name, records: readonly ZoneRecord[]) {
  return runInSlices(compileZoneInSteps(origin, records));
}
