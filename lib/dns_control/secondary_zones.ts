import {
  type Name,
  nameKey,
  nameToText,
  octetsOf,
  type OctetString,
  octetString,
  serialIn,
  timersIn,
  TYPE,
  type ZoneRecord,
} from "../dns/mod.ts";
import type { SecondaryRow, ZoneRow } from "../dns_store/mod.ts";
import { describeError } from "../observe/mod.ts";
import { missing, RefusedError } from "../queue/mod.ts";
import { setOf, unheldZone, type Zone } from "../zones/mod.ts";
import type { RecordChanges } from "./record_changes.ts";
import type { ServedZones } from "./served_zones.ts";
import { netChange, writeWhole, type ZoneStep } from "./transferred.ts";

/** What came of a zone from its primary. */
export type Transferred =
  | { readonly kind: "whole"; readonly records: readonly ZoneRecord[] }
  | { readonly kind: "steps"; readonly steps: readonly ZoneStep[] };

/** What is had of a secondary zone. */
export interface HeldSecondary extends SecondaryRow {
  readonly serial: number;
  /** Seconds (RFC 1035 §3.3.13). */
  readonly timers: { readonly refresh: number; readonly retry: number; readonly expire: number };
}

/** How a secondary zone is followed; times are milliseconds since 1970. */
export interface FollowState {
  readonly isExpired: boolean;
  readonly refreshedAt?: number | undefined;
  readonly expiresAt?: number | undefined;
  /** When its primary is asked next. */
  readonly nextAt?: number | undefined;
  /** In a row. */
  readonly failures: number;
  /** Why the last question failed; empty: it did not. */
  readonly lastError: string;
}

/** Whoever asks the primaries. */
export interface Follower {
  state(origin: Name): FollowState | undefined;
  /** Asks now; as a whole and whatever its serial where that is wanted. @throws {Error} */
  refresh(origin: Name, options: { readonly isWhole: boolean }): Promise<void>;
}

/** Zones that other servers have first: nobody but those changes them. */
export class SecondaryZones {
  readonly #served: ServedZones;
  readonly #records: RecordChanges;
  /** Asks the primaries; absent: nobody does. */
  follower: Follower | undefined;

  constructor(served: ServedZones, records: RecordChanges) {
    this.#served = served;
    this.#records = records;
  }

  /**
   * Which zones have which primaries, from now on. Those that are not here yet answer SERVFAIL until
   * they have come; those that are no longer among them are our own.
   *
   * @returns those that are not followed, and why: they are our own already.
   */
  declare(
    zones: ReadonlyMap<OctetString, readonly string[]>,
  ): Promise<{ readonly refused: ReadonlyMap<OctetString, string> }> {
    return this.#served.exclusive(async () => {
      const { database, secondaries } = this.#served;
      const refused = new Map<OctetString, string>();
      for (const row of database.zones.list()) {
        const key = nameKey(row.origin);
        const isMarked = database.secondaries.get(row.id) !== undefined;
        if (isMarked === zones.has(key)) continue;
        const name = nameToText(row.origin);
        if (isMarked) await this.#promote(row);
        else {refused.set(
            key,
            `the zone ${name} is managed here: remove it to follow its primaries`,
          );}
      }
      for (const [key] of secondaries) {
        if (zones.has(key)) continue;
        secondaries.delete(key);
        if (database.zones.find(octetsOf(key)) === undefined) await this.#served.hide(key);
      }
      for (const [key, primaries] of zones) {
        if (refused.has(key)) continue;
        secondaries.set(key, primaries);
        if (this.#served.table.at(key) === undefined) await this.#served.show(unheldZone(key));
      }
      return { refused };
    });
  }

  /** The primaries of a zone; undefined: it is our own, or nobody's. */
  primaries(origin: Name): readonly string[] | undefined {
    return this.#served.secondaries.get(nameKey(origin));
  }

  /** Of those that have never come, too. */
  get origins(): Name[] {
    return Array.from(this.#served.secondaries.keys(), octetsOf);
  }

  /** What is had of a zone; undefined: it has never come. */
  held(origin: Name): HeldSecondary | undefined {
    const { database } = this.#served;
    const row = database.zones.find(origin);
    const state = row && database.secondaries.get(row.id);
    const soa = row && database.records.soa(row.id, row.origin);
    if (state === undefined || soa === undefined) return undefined;
    const data = octetString(soa.data);
    return { ...state, serial: serialIn(data), timers: timersIn(data) };
  }

  /**
   * Makes a zone what its primary says, in one transaction: after a crash it is as it was before, or as
   * it is after.
   *
   * @throws {RefusedError} if it is no zone that can be served, or the steps do not fit what is here.
   */
  async take(
    origin: Name,
    transferred: Transferred,
    { primary }: { readonly primary: string },
  ): Promise<void> {
    const operation = { actor: `primary ${primary}`, action: "Transfer", isTransfer: true };
    const state = { primary, refreshedAt: this.#served.now() };
    if (transferred.kind === "whole") {
      return await this.#served.exclusive(() => {
        this.#refuseOthers(origin);
        const { records } = transferred;
        return writeWhole(this.#served, { origin, records, state, operation });
      });
    }
    const zone = this.#served.table.at(octetString(origin));
    if (zone === undefined) throw missing(`the zone ${nameToText(origin)}`);
    const { removed, added } = netChange(zone, transferred.steps);
    await this.#records.exchange(zone, { removed, added }, operation);
    await this.refreshed(origin, { primary });
  }

  /** A primary has vouched for what is here. */
  async refreshed(origin: Name, { primary }: { readonly primary: string }): Promise<void> {
    const { database } = this.#served;
    const operation = { actor: `primary ${primary}`, action: "Refresh" };
    await this.#served.exclusive(async () => {
      this.#refuseOthers(origin);
      const row = database.zones.find(origin);
      if (row === undefined) return;
      const state = { primary, refreshedAt: this.#served.now() };
      const write = function* () {
        database.secondaries.set(row.id, state);
        yield;
      };
      await this.#served.commit({ write, rows: 1 }, operation);
    });
  }

  /** A zone is too old to be answered from, or is again not. */
  async expire(origin: Name, isExpired: boolean): Promise<void> {
    await this.#served.exclusive(async () => {
      const zone = this.#served.table.at(octetString(origin));
      if (zone === undefined || (zone.isExpired === true) === isExpired) return;
      // Nothing vouches for what has never come.
      if (!isExpired && setOf(zone.apex, TYPE.SOA) === undefined) return;
      await this.#served.expire(zone.origin, isExpired);
    });
  }

  /**
   * Asks the primaries now.
   *
   * @throws {RefusedError}
   */
  async refresh(origin: Name, options: { readonly isWhole: boolean }): Promise<void> {
    if (this.primaries(origin) === undefined || this.follower === undefined) {
      const what = `the zone ${nameToText(origin)} has no primary`;
      throw new RefusedError("failed_precondition", what);
    }
    try {
      await this.follower.refresh(origin, options);
    } catch (cause) {
      if (cause instanceof RefusedError) throw cause;
      const message = `no primary has it: ${describeError(cause)}`;
      throw new RefusedError("failed_precondition", message, { cause });
    }
  }

  /** It is our own from now on: with its records, and changed by whoever may. */
  async #promote(row: ZoneRow): Promise<void> {
    const { database } = this.#served;
    const operation = { actor: "configuration", action: "PromoteZone" };
    const author = { ...operation, time: this.#served.now() };
    const state = database.secondaries.get(row.id);
    const write = function* () {
      database.secondaries.remove(row.id);
      const before = JSON.stringify({ primary: state?.primary });
      database.audit.add({
        ...author,
        subject: `zone ${nameToText(row.origin)}`,
        before,
        after: "",
      });
      yield;
    };
    await this.#served.commit({ write, rows: 1 }, operation);
    const zone: Zone | undefined = this.#served.table.at(octetString(row.origin));
    if (zone?.isExpired === true) await this.#served.expire(zone.origin, false);
  }

  /** While a transfer was under way the zone may have become another's. */
  #refuseOthers(origin: Name): void {
    if (this.primaries(origin) !== undefined) return;
    const message = `the zone ${nameToText(origin)} is not followed any more`;
    throw new RefusedError("failed_precondition", message);
  }
}
