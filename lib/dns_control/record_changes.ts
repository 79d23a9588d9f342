import {
  isLaterSerial,
  type Name,
  nameEquals,
  nameKey,
  nameToText,
  octetsOf,
  rdataKey,
  serialOfSoa,
  TYPE,
  typeToText,
  type ZoneRecord,
} from "../dns/mod.ts";
import type { StoredRecord, ZoneEdit } from "../dns_store/mod.ts";
import { type FieldProblem, invalidFields, missing, RefusedError } from "../queue/mod.ts";
import type { RuleProblem, Zone } from "../zones/mod.ts";
import {
  type ReadRecord,
  readRecord,
  type RecordInput,
  type RecordView,
  viewOf,
} from "./parse_requests.ts";
import type { DnsOperation, Done } from "./operation.ts";
import { fieldOfRecord, fieldOfSet, refuseSame, ttlFor } from "./record_rules.ts";
import { type ServedZones } from "./served_zones.ts";
import { compareSets, readSet, readSetName, type SetInput, type SetName } from "./set_input.ts";
import { type WantedSet } from "./set_changes.ts";
import { refuseOtherVersion, versionOf } from "./version.ts";
import { type Place, planEdit } from "./zone_edit.ts";

/** Changes of the records of zones. */
export class RecordChanges {
  readonly #served: ServedZones;

  constructor(served: ServedZones) {
    this.#served = served;
  }

  /**
   * Adds a record.
   *
   * @throws {RefusedError} `invalid_argument` with the fields; `already_exists`; `aborted`.
   */
  add(
    origin: Name,
    input: RecordInput,
    operation: DnsOperation,
  ): Promise<Done & { readonly record: RecordView }> {
    return this.#exclusive(origin, operation, async (place) => {
      const read = this.#read(place, input);
      const there = this.#records.set(place.row.id, read.name, read.type);
      const record = { ...read, ttl: ttlFor(read, there) };
      refuseSame(record, there);
      const sets = [{ ...record, records: [...there, record] }];
      const { added, ...done } = await this.#edit(place, { added: [record] }, {
        sets,
        operation,
        fieldOf: fieldOfRecord,
      });
      return { ...done, record: viewOf(added[0] as StoredRecord) };
    });
  }

  /** Replaces a record; it keeps its id. */
  replace(
    origin: Name,
    id: number,
    input: RecordInput,
    operation: DnsOperation,
  ): Promise<Done & { readonly record: RecordView }> {
    return this.#exclusive(origin, operation, async (place) => {
      const before = this.#get(place, id);
      const read = this.#read(place, input);
      const isSameSet = nameEquals(read.name, before.name) && read.type === before.type;
      const others = this.#records.set(place.row.id, read.name, read.type)
        .filter((other) => other.id !== id);
      const ttl = read.ttl ?? (others[0]?.ttl ?? before.ttl);
      const after = { id, ...read, ttl: ttlFor({ ...read, ttl }, others) };
      refuseSame(after, others);
      const left = isSameSet ? [] : [{
        ...before,
        records: this.#records.set(place.row.id, before.name, before.type)
          .filter((other) => other.id !== id),
      }];
      const edit = { changed: [{ before, after }], ...this.#serialOf(place, after) };
      const sets = [...left, { ...after, records: [...others, after] }];
      const done = await this.#edit(place, edit, { sets, operation, fieldOf: fieldOfRecord });
      const stored = this.#records.get(place.row.id, id) ?? after;
      return { ...done, record: viewOf(stored) };
    });
  }

  /** Removes a record. */
  remove(origin: Name, id: number, operation: DnsOperation): Promise<Done> {
    return this.#exclusive(origin, operation, async (place) => {
      const record = this.#get(place, id);
      const records = this.#records.set(place.row.id, record.name, record.type)
        .filter((other) => other.id !== id);
      const sets = [{ ...record, records }];
      return await this.#edit(place, { removed: [record] }, {
        sets,
        operation,
        fieldOf: () => "id",
      });
    });
  }

  /** Makes a set what it is to be; records that stay keep their ids. */
  replaceSet(
    origin: Name,
    named: SetName,
    input: SetInput,
    operation: DnsOperation,
  ): Promise<Done & { readonly records: readonly RecordView[] }> {
    return this.#exclusive(origin, operation, async (place) => {
      const { name, type } = readSetName(place.row.origin, named);
      const there = this.#records.set(place.row.id, name, type);
      const wanted = readSet(place.row.origin, { name, type, there }, input);
      const { edit, records } = compareSets(there, wanted);
      const soa = type === TYPE.SOA ? wanted[0] : undefined;
      const sets = [{ name, type, records }];
      const done = await this.#edit(
        place,
        { ...edit, ...soa !== undefined && this.#serialOf(place, soa) },
        { sets, operation, fieldOf: fieldOfSet },
      );
      return { ...done, records: this.#records.set(place.row.id, name, type).map(viewOf) };
    });
  }

  /** Removes a set. */
  removeSet(origin: Name, named: SetName, operation: DnsOperation): Promise<Done> {
    return this.#exclusive(origin, operation, async (place) => {
      const { name, type } = readSetName(place.row.origin, named);
      const removed = this.#records.set(place.row.id, name, type);
      if (removed.length === 0) {
        throw missing(`the set ${nameToText(name)} ${typeToText(type)}`);
      }
      const sets = [{ name, type, records: [] }];
      return await this.#edit(place, { removed }, { sets, operation, fieldOf: () => "type" });
    });
  }

  /**
   * Takes records out of a zone and puts others in, in one change; the zone is still the one that they
   * were looked up in. Records that stay keep their ids.
   *
   * @throws {RefusedError} `aborted` if it is another one by now.
   */
  exchange(
    zone: Zone,
    { removed, added }: {
      readonly removed: readonly ZoneRecord[];
      readonly added: readonly ZoneRecord[];
    },
    operation: DnsOperation,
  ): Promise<Done> {
    return this.#exclusive(octetsOf(zone.origin), operation, async (place) => {
      if (place.zone !== zone) throw new RefusedError("aborted", "the zone has changed meanwhile");
      const sets = [...setsOf([...removed, ...added]).values()].map(({ name, type }) => {
        const isOfSet = (other: ZoneRecord) => other.type === type && nameEquals(other.name, name);
        const gone = new Set(removed.filter(isOfSet).map(({ data }) => rdataKey(type, data)));
        const there = this.#records.set(place.row.id, name, type);
        const kept = there.filter(({ data }) => !gone.has(rdataKey(type, data)));
        const { edit, records } = compareSets(there, [...kept, ...added.filter(isOfSet)]);
        return { name, type, records, edit };
      });
      const soa = added.find(({ type }) => type === TYPE.SOA);
      const edit: ZoneEdit = {
        removed: sets.flatMap(({ edit }) => edit.removed ?? []),
        added: sets.flatMap(({ edit }) => edit.added ?? []),
        changed: sets.flatMap(({ edit }) => edit.changed ?? []),
        ...soa !== undefined && this.#serialOf(place, soa),
      };
      const { added: _, ...done } = await this.#edit(place, edit, {
        ...{ sets, operation, fieldOf: fieldOfRecord },
      });
      return done;
    });
  }

  get #records() {
    return this.#served.database.records;
  }

  #exclusive<T>(
    origin: Name,
    operation: DnsOperation,
    body: (place: Place) => Promise<T>,
  ): Promise<T> {
    return this.#served.exclusive(() => {
      if (operation.isTransfer !== true) this.#served.refuseSecondary(origin);
      const place = this.#served.find(origin);
      refuseOtherVersion(place, operation);
      return body(place);
    }, operation.signal);
  }

  #read({ row: { origin } }: Place, input: RecordInput): ReadRecord {
    const problems: FieldProblem[] = [];
    const read = readRecord(input, { origin, problems });
    if (read === undefined || problems.length > 0) throw invalidFields(problems);
    return read;
  }

  #get({ row }: Place, id: number): StoredRecord {
    const record = this.#records.get(row.id, id);
    if (record === undefined) {
      throw missing(`the record ${id} of the zone ${nameToText(row.origin)}`);
    }
    return record;
  }

  /** A serial that an SOA record of a request names counts if it is a later one. */
  #serialOf({ zone }: Place, { type, data }: ZoneRecord): { serial?: number } {
    if (type !== TYPE.SOA) return {};
    const serial = serialOfSoa(data);
    return isLaterSerial(serial, zone.serial) ? { serial } : {};
  }

  async #edit(
    { row, zone }: Place,
    edit: ZoneEdit,
    { sets, operation, fieldOf }: {
      readonly sets: readonly WantedSet[];
      readonly operation: DnsOperation;
      readonly fieldOf: (problem: RuleProblem) => string;
    },
  ): Promise<Done & { readonly added: readonly StoredRecord[] }> {
    const { database, now } = this.#served;
    const planned = planEdit({ row, zone }, edit, { database, sets, operation, now, fieldOf });
    const { rows, serial, write, change, back } = planned;
    if (rows === 0) {
      return { version: versionOf(row, zone), serial, pendingWorkers: [], added: [] };
    }
    const { result, pendingWorkers } = await this.#served
      .commit({ write, rows, change, back }, operation);
    const version = versionOf(row, { serial });
    return { version, serial, pendingWorkers, added: result.added };
  }
}

/** The names and types of records, each once. */
function setsOf(records: readonly ZoneRecord[]): Map<string, Pick<ZoneRecord, "name" | "type">> {
  return new Map(records.map(({ name, type }) => [`${type} ${nameKey(name)}`, { name, type }]));
}
