import type { DatabaseSync } from "node:sqlite";
import {
  type Name,
  nameToText,
  nextSerial,
  serialOfSoa,
  soaWithSerial,
  type ZoneRecord,
  zoneRecordText,
} from "../dns/mod.ts";
import { runAtOnce, type Steps } from "../slices/mod.ts";
import { DatabaseError, type DatabaseParts, StateDatabase } from "../sqlite/mod.ts";
import { Journal, MAX_JOURNAL_ROWS } from "./journal.ts";
import { PreparedChangeRows } from "./prepared.ts";
import { Records } from "./records.ts";
import type { StoredRecord, ZoneRow } from "./rows.ts";
import { SecondaryRows } from "./secondaries.ts";
import { Tokens } from "./tokens.ts";
import { Zones } from "./zones.ts";

/** Who changes something, and what they would call it. */
export interface Author {
  readonly actor: string;
  readonly action: string;
  /** Milliseconds since 1970. */
  readonly time: number;
}

/** What becomes of the records of a zone; its SOA record's serial is {@link DnsDatabase}'s to set. */
export interface ZoneEdit {
  readonly removed?: readonly StoredRecord[];
  readonly added?: readonly ZoneRecord[];
  /** Those that keep their ids. */
  readonly changed?: readonly { readonly before: StoredRecord; readonly after: StoredRecord }[];
  /** A serial that is later than the zone's; absent: the next one. */
  readonly serial?: number;
}

/** What a {@link ZoneEdit} did. */
export interface EditedZone {
  readonly serial: number;
  /** With their ids. */
  readonly added: readonly StoredRecord[];
}

/** More than this of one change is summed up in the audit log. */
const MAX_AUDITED = 64;

/**
 * Zones, their records, what has changed in them, and tokens. What is written is taken as valid: the
 * caller has looked at it.
 */
export class DnsDatabase extends StateDatabase {
  readonly zones: Zones;
  readonly records: Records;
  readonly journal: Journal;
  readonly tokens: Tokens;
  readonly secondaries: SecondaryRows;
  readonly prepared: PreparedChangeRows;
  readonly #schema: DatabaseParts["schema"];

  /** @private Use `openDnsDatabase`. */
  constructor(db: DatabaseSync, parts: DatabaseParts, maxJournalRows = MAX_JOURNAL_ROWS) {
    super(db, parts);
    this.#schema = parts.schema;
    this.zones = new Zones(this.statements);
    this.records = new Records(this.statements);
    this.journal = new Journal(this.statements, maxJournalRows);
    this.tokens = new Tokens(this.statements);
    this.secondaries = new SecondaryRows(this.statements);
    this.prepared = new PreparedChangeRows(this.statements);
  }

  /**
   * Changes records of a zone: with the rows go its serial, its journal and the audit log. In a
   * transaction; a step for each row.
   *
   * @throws {DatabaseError} `corrupt` if the zone has no SOA record.
   */
  *changeInSteps(zone: ZoneRow, edit: ZoneEdit, author: Author): Steps<EditedZone> {
    const { removed = [], added = [], changed = [] } = edit;
    const soa = this.records.soa(zone.id, zone.origin);
    if (soa === undefined) throw noSoa(zone);
    const from = serialOfSoa(soa.data);
    const serial = edit.serial ?? nextSerial(from);
    for (const { id } of removed) {
      this.records.remove(id);
      yield;
    }
    const others = changed.filter(({ before }) => before.id !== soa.id);
    for (const { after } of others) {
      this.records.update(after);
      yield;
    }
    const asked = changed.find(({ before }) => before.id === soa.id)?.after ?? soa;
    const nextSoa = { ...asked, data: soaWithSerial(asked.data, serial) };
    this.records.update(nextSoa);
    const rows: StoredRecord[] = [];
    for (const record of added) {
      rows.push(this.records.add(zone.id, record));
      yield;
    }
    const gone = [...removed, ...others.map(({ before }) => before)];
    const come = [...rows, ...others.map(({ after }) => after)];
    const step = { from, to: serial, removed: [soa, ...gone], added: [nextSoa, ...come] };
    this.journal.add(zone.id, step);
    this.audit.add({
      ...author,
      subject: `zone ${nameToText(zone.origin)}`,
      before: summary(step.removed),
      after: summary(step.added),
    });
    return { serial, added: rows };
  }

  /** {@link changeInSteps} for few rows. */
  change(zone: ZoneRow, edit: ZoneEdit, author: Author): EditedZone {
    return this.transaction(() => runAtOnce(this.changeInSteps(zone, edit, author)));
  }

  /**
   * Makes a zone of records, its SOA record among them, whose serial stays. In a transaction.
   *
   * @throws {AlreadyExistsError}
   */
  *createZoneInSteps(
    origin: Name,
    records: readonly ZoneRecord[],
    author: Author,
  ): Steps<ZoneRow> {
    const zone = this.zones.add(origin);
    for (const record of records) {
      this.records.add(zone.id, record);
      yield;
    }
    if (this.records.soa(zone.id, origin) === undefined) throw noSoa(zone);
    const subject = `zone ${nameToText(origin)}`;
    this.audit.add({ ...author, subject, before: "", after: summary(records) });
    return zone;
  }

  /** {@link createZoneInSteps} for few rows. */
  createZone(origin: Name, records: readonly ZoneRecord[], author: Author): ZoneRow {
    return this.transaction(() => runAtOnce(this.createZoneInSteps(origin, records, author)));
  }

  /** Removes a zone with everything in it. */
  removeZone(zone: ZoneRow, author: Author): void {
    this.transaction(() => {
      const soa = this.records.soa(zone.id, zone.origin);
      const count = this.records.count(zone.id);
      this.zones.remove(zone.id);
      const subject = `zone ${nameToText(zone.origin)}`;
      const before = JSON.stringify({ records: count, soa: soa && zoneRecordText(soa) });
      this.audit.add({ ...author, subject, before, after: "" });
    });
  }

  /** The serial of a zone. */
  serial(zone: ZoneRow): number {
    const soa = this.records.soa(zone.id, zone.origin);
    if (soa === undefined) throw noSoa(zone);
    return serialOfSoa(soa.data);
  }

  /**
   * The database as it is now, to be read piece by piece while others go on to change it; nothing if it
   * is in memory.
   */
  frozen(): DnsDatabase | undefined {
    const db = this.frozenConnection();
    const { path, busyTimeoutMs } = this;
    return db && new DnsDatabase(db, { path, busyTimeoutMs, schema: this.#schema });
  }
}

function noSoa({ origin }: ZoneRow): DatabaseError {
  return new DatabaseError("corrupt", `the zone ${nameToText(origin)} has no SOA record`);
}

/** JSON of what came or went. */
function summary(records: readonly ZoneRecord[]): string {
  const shown = records.slice(0, MAX_AUDITED).map(zoneRecordText);
  const more = records.length - shown.length;
  return JSON.stringify(more > 0 ? [...shown, `and ${more} more`] : shown);
}
