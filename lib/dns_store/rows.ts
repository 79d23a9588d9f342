import { type Name, nameFromText, nameToText, type ZoneRecord } from "../dns/mod.ts";
import { numberIn, type Row, unexpected } from "../sqlite/mod.ts";

/** A zone of the database. */
export interface ZoneRow {
  readonly id: number;
  /** As it was written. */
  readonly origin: Name;
}

/** A record of the database; its id stays for as long as it is there, whatever else of it changes. */
export interface StoredRecord extends ZoneRecord {
  readonly id: number;
}

/** The columns that say a record. */
export const RECORD_COLUMNS = "name, type, ttl, data";

export function toZoneRow(row: Row): ZoneRow {
  return { id: numberIn(row, "id"), origin: nameIn(row) };
}

export function toStoredRecord(row: Row): StoredRecord {
  return { id: numberIn(row, "id"), ...toRecord(row) };
}

export function toRecord(row: Row): ZoneRecord {
  const { data } = row;
  if (!(data instanceof Uint8Array)) throw unexpected(row, "data");
  return { name: nameIn(row), type: numberIn(row, "type"), ttl: numberIn(row, "ttl"), data };
}

/** What is bound to {@link RECORD_COLUMNS}. */
export function recordValues({ name, type, ttl, data }: ZoneRecord) {
  return [nameToText(name), type, ttl, data] as const;
}

function nameIn(row: Row): Name {
  const name = nameFromText(String(row.name));
  if (!name.ok) throw unexpected(row, "name");
  return name.value;
}
