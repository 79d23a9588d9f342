import {
  isLaterSerial,
  type Name,
  nameToText,
  nextSerial,
  octetString,
  parseZoneFileInSteps,
  serialOfSoa,
  TYPE,
  type ZoneRecord,
  zoneRecordText,
} from "../dns/mod.ts";
import type { DnsDatabase, ZoneRow } from "../dns_store/mod.ts";
import { invalid, invalidFields, present, RefusedError } from "../queue/mod.ts";
import { runInSlices } from "../slices/mod.ts";
import { compare, serialOfFile, tidied, withSerial } from "./comparison.ts";
import { firstRecords, type NewZone } from "./new_zone.ts";
import type { DnsOperation, Done } from "./operation.ts";
import type { ServedZones } from "./served_zones.ts";
import { compiledStrictly } from "./strict_zone.ts";
import { refuseOtherVersion, versionOf } from "./version.ts";

/** What an import did. */
export interface Imported extends Done {
  readonly records: number;
  readonly added: number;
  readonly removed: number;
  readonly changed: number;
  /** Whether the zone was not there before. */
  readonly isNew: boolean;
}

/** How many there may be: what a thread holds in memory, and what a start reads within a minute. */
export const MAX_ZONES = 10_000;
export const MAX_RECORDS = 2_000_000;
/** Zones as a whole. */
export class ZoneChanges {
  readonly #served: ServedZones;

  constructor(served: ServedZones) {
    this.#served = served;
  }

  /**
   * Makes a zone of an SOA record and its name servers.
   *
   * @throws {RefusedError} `already_exists`, `invalid_argument`
   */
  async create(origin: Name, wanted: NewZone, operation: DnsOperation): Promise<Done> {
    const records = firstRecords(origin, wanted);
    return await this.#served.exclusive(async () => {
      this.#served.refuseSecondary(origin);
      if (this.#served.database.zones.find(origin) !== undefined) {
        throw present(`the zone ${nameToText(origin)}`);
      }
      return await this.#create(origin, records, operation);
    }, operation.signal);
  }

  /** Removes a zone with everything in it, also one that is not served. */
  remove(
    origin: Name,
    operation: DnsOperation,
  ): Promise<{ readonly pendingWorkers: readonly number[] }> {
    const { database } = this.#served;
    return this.#served.exclusive(async () => {
      this.#served.refuseSecondary(origin);
      const broken = this.#served.brokenBecause(origin);
      const row = database.zones.find(origin);
      const place = broken === undefined || row === undefined
        ? this.#served.find(origin)
        : { row, zone: undefined };
      if (place.zone !== undefined) refuseOtherVersion({ ...place, zone: place.zone }, operation);
      const author = { ...operation, time: this.#served.now() };
      const { pendingWorkers } = await this.#served.commit({
        write: function* () {
          database.removeZone(place.row, author);
          yield;
        },
        rows: 1,
        change: { kind: "remove", origin: octetString(origin) },
        ...place.zone !== undefined && { back: { kind: "set", zone: place.zone } },
      }, operation);
      return { pendingWorkers };
    }, operation.signal);
  }

  /**
   * Makes a zone what a zone file says; one that is not there is made. Records that stay keep their
   * ids. The serial is the file's if that is later than the zone's, else the next one; a file that
   * says what the zone has changes nothing.
   *
   * @param octets the file.
   * @throws {RefusedError} `invalid_argument` with the lines in `problems`.
   */
  async import(origin: Name, octets: Uint8Array, operation: DnsOperation): Promise<Imported> {
    const { signal } = operation;
    const parsing = parseZoneFileInSteps(octetString(octets), { origin });
    const { records, problems } = await runInSlices(parsing, { signal });
    if (problems.length > 0) {
      throw invalidFields(problems.map(({ line, column, message }) => {
        return { field: `line ${line}, column ${column}`, message };
      }));
    }
    if (records.length > MAX_RECORDS) throw invalid("file", `over ${MAX_RECORDS} records`);
    const wanted = await runInSlices(tidied(records), { signal });
    return await this.#served.exclusive(() => this.#replace(origin, wanted, operation), signal);
  }

  /**
   * A zone file that says the zone as it is now, its SOA record first; some thousand lines at a time.
   *
   * @throws {RefusedError} `not_found`, before the first of them.
   */
  export(origin: Name): AsyncGenerator<string> {
    const { row } = this.#served.find(origin);
    return lines(this.#served.database, row);
  }

  async #create(
    origin: Name,
    records: readonly ZoneRecord[],
    operation: DnsOperation,
  ): Promise<Done> {
    const { database } = this.#served;
    if (database.zones.list().length >= MAX_ZONES) {
      throw new RefusedError("failed_precondition", `there are ${MAX_ZONES} zones already`);
    }
    if (database.records.count() + records.length > MAX_RECORDS) {
      throw new RefusedError("failed_precondition", `there would be over ${MAX_RECORDS} records`);
    }
    const zone = await compiledStrictly(origin, records);
    const author = { ...operation, time: this.#served.now() };
    const { result: row, pendingWorkers } = await this.#served.commit({
      write: () => database.createZoneInSteps(origin, records, author),
      rows: records.length,
      change: { kind: "set", zone },
      back: { kind: "remove", origin: zone.origin },
    }, operation);
    return { version: versionOf(row, zone), serial: zone.serial, pendingWorkers };
  }

  async #replace(
    origin: Name,
    wanted: readonly ZoneRecord[],
    operation: DnsOperation,
  ): Promise<Imported> {
    this.#served.refuseSecondary(origin);
    const { database } = this.#served;
    const row = database.zones.find(origin);
    if (row === undefined) {
      if (operation.ifVersion !== undefined) refuseOtherVersion(NOWHERE, operation);
      const done = await this.#create(origin, wanted, operation);
      const records = wanted.length;
      return { ...done, records, added: records, removed: 0, changed: 0, isNew: true };
    }
    const before = this.#served.table.at(octetString(origin));
    const there = await runInSlices(database.records.ofZoneInSteps(row.id));
    const soa = there.find(({ type }) => type === TYPE.SOA);
    const serial = soa === undefined ? 0 : serialOfSoa(soa.data);
    refuseOtherVersion({ row, zone: { serial } }, operation);
    const others = database.records.count() - there.length;
    if (others + wanted.length > MAX_RECORDS) {
      throw new RefusedError("failed_precondition", `there would be over ${MAX_RECORDS} records`);
    }
    const edit = await runInSlices(compare(there, wanted));
    const asked = serialOfFile(wanted);
    const isLater = asked !== undefined && isLaterSerial(asked, serial);
    const counts = {
      records: wanted.length,
      added: edit.added.length,
      removed: edit.removed.length,
      changed: edit.changed.length,
      isNew: false,
    };
    const rows = counts.added + counts.removed + counts.changed;
    if (rows === 0 && !isLater && before !== undefined) {
      return { version: versionOf(row, { serial }), serial, pendingWorkers: [], ...counts };
    }
    const next = isLater ? asked : nextSerial(serial);
    const zone = await compiledStrictly(origin, withSerial(wanted, next));
    const author = { ...operation, time: this.#served.now() };
    const { pendingWorkers } = await this.#served.commit({
      write: () => database.changeInSteps(row, { ...edit, serial: next }, author),
      rows,
      change: { kind: "set", zone },
      ...before !== undefined && { back: { kind: "set", zone: before } },
    }, operation);
    return { version: versionOf(row, zone), serial: next, pendingWorkers, ...counts };
  }
}

/** No zone has this version. */
const NOWHERE = { row: { id: 0, origin: new Uint8Array(1) }, zone: { serial: 0 } };
/** Rows between two turns of the thread. */
const EXPORT_PAGE = 1000;

async function* lines(database: DnsDatabase, { id, origin }: ZoneRow): AsyncGenerator<string> {
  using frozen = database.frozen();
  const { records } = frozen ?? database;
  const soa = records.soa(id, origin);
  if (soa !== undefined) yield `${zoneRecordText(soa)}\n`;
  for (let afterId = 0;;) {
    const page = records.page(id, { afterId, limit: EXPORT_PAGE });
    if (page.length === 0) return;
    afterId = page.at(-1)?.id ?? Infinity;
    const others = page.filter((record) => record.id !== soa?.id);
    yield others.map((record) => `${zoneRecordText(record)}\n`).join("");
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
}
