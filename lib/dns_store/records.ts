import { type Name, nameToText, TYPE, type ZoneRecord } from "../dns/mod.ts";
import type { Steps } from "../slices/mod.ts";
import type { Statements } from "../sqlite/mod.ts";
import { RECORD_COLUMNS, recordValues, type StoredRecord, toStoredRecord } from "./rows.ts";

const COLUMNS = `id, ${RECORD_COLUMNS}`;

const SQL = {
  get: `SELECT ${COLUMNS} FROM records WHERE zone_id = ? AND id = ?`,
  set: `SELECT ${COLUMNS} FROM records WHERE zone_id = ? AND name = ? AND type = ? ORDER BY id`,
  ofName: `SELECT ${COLUMNS} FROM records WHERE zone_id = ? AND name = ? ORDER BY id`,
  count: "SELECT count(*) AS count FROM records WHERE zone_id = ?",
  total: "SELECT count(*) AS count FROM records",
  add: `INSERT INTO records (zone_id, ${RECORD_COLUMNS}) VALUES (?, ?, ?, ?, ?)`,
  update: "UPDATE records SET name = ?, type = ?, ttl = ?, data = ? WHERE id = ?",
  remove: "DELETE FROM records WHERE id = ?",
} as const;

/** Nothing is bound: the zone's id is a number of ours. */
function sqlOfZone(zoneId: number): string {
  return `SELECT ${COLUMNS} FROM records WHERE zone_id = ${Number(zoneId)} ORDER BY id`;
}

/** What to look for; see {@link Records.page}. */
export interface RecordFilter {
  readonly name?: Name | undefined;
  readonly type?: number | undefined;
  /** Only those with a greater id. */
  readonly afterId?: number | undefined;
  readonly limit: number;
}

/** The records of zones. Whoever writes them keeps serial, journal and audit: `Database.change`. */
export class Records {
  readonly #statements: Statements;

  constructor(statements: Statements) {
    this.#statements = statements;
  }

  /** Of a zone, the oldest first. */
  ofZone(zoneId: number): StoredRecord[] {
    return [...this.rowsOfZone(zoneId)];
  }

  /** {@link ofZone}, a step for each row; nothing else may use the connection meanwhile. */
  ofZoneInSteps(zoneId: number): Steps<StoredRecord[]> {
    return this.#statements.each(sqlOfZone(zoneId), toStoredRecord);
  }

  /** {@link ofZone}, read when they are taken; nothing else may use the connection meanwhile. */
  *rowsOfZone(zoneId: number): Generator<StoredRecord> {
    const rows = this.#statements.rows(sqlOfZone(zoneId));
    for (;;) {
      const next = this.#read(() => rows.next());
      if (next.done === true) return;
      yield toStoredRecord(next.value);
    }
  }

  /** Some of a zone, in the order of their ids. */
  page(zoneId: number, { name, type, afterId = 0, limit }: RecordFilter): StoredRecord[] {
    const conditions = ["zone_id = ?", "id > ?"];
    const values: (number | string)[] = [zoneId, afterId];
    if (name !== undefined) {
      conditions.push("name = ?");
      values.push(nameToText(name));
    }
    if (type !== undefined) {
      conditions.push("type = ?");
      values.push(type);
    }
    const sql = `SELECT ${COLUMNS} FROM records WHERE ${conditions.join(" AND ")}
      ORDER BY id LIMIT ?`;
    return this.#read(() => this.#statements.all(sql, [...values, limit]).map(toStoredRecord));
  }

  get(zoneId: number, id: number): StoredRecord | undefined {
    return this.#read(() => {
      const row = this.#statements.get(SQL.get, [zoneId, id]);
      return row && toStoredRecord(row);
    });
  }

  /** The records of a name and type. */
  set(zoneId: number, name: Name, type: number): StoredRecord[] {
    return this.#read(() =>
      this.#statements.all(SQL.set, [zoneId, nameToText(name), type]).map(toStoredRecord)
    );
  }

  /** The records of a name. */
  ofName(zoneId: number, name: Name): StoredRecord[] {
    return this.#read(() =>
      this.#statements.all(SQL.ofName, [zoneId, nameToText(name)]).map(toStoredRecord)
    );
  }

  /** Of a zone, or of all of them. */
  count(zoneId?: number): number {
    return this.#read(() => {
      const row = zoneId === undefined
        ? this.#statements.get(SQL.total)
        : this.#statements.get(SQL.count, [zoneId]);
      return Number(row?.count);
    });
  }

  /** The SOA record; every zone has one. */
  soa(zoneId: number, origin: Name): StoredRecord | undefined {
    return this.set(zoneId, origin, TYPE.SOA)[0];
  }

  /** @private See `Database.change`. */
  add(zoneId: number, record: ZoneRecord): StoredRecord {
    const id = this.#statements.run("cannot add the record", () => {
      return this.#statements.insert(SQL.add, [zoneId, ...recordValues(record)]);
    });
    return { id, ...record };
  }

  /** @private See `Database.change`. */
  update({ id, ...record }: StoredRecord): void {
    this.#statements.change(
      SQL.update,
      [...recordValues(record), id],
      `cannot change the record ${id}`,
    );
  }

  /** @private See `Database.change`. */
  remove(id: number): void {
    this.#statements.change(SQL.remove, [id], `cannot remove the record ${id}`);
  }

  #read<T>(body: () => T): T {
    return this.#statements.run("cannot read the records", body);
  }
}
