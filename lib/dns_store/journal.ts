import type { ZoneRecord } from "../dns/mod.ts";
import { numberIn, type Statements } from "../sqlite/mod.ts";
import { RECORD_COLUMNS, recordValues, toRecord } from "./rows.ts";

const SQL = {
  add: `INSERT INTO journal (zone_id, from_serial, to_serial, is_added, ${RECORD_COLUMNS})
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
  clear: "DELETE FROM journal WHERE zone_id = ?",
  newestToGo: `SELECT to_serial FROM journal WHERE zone_id = ?
    ORDER BY id DESC LIMIT 1 OFFSET ?`,
  // A step goes whole.
  lastOf: `SELECT max(id) AS id FROM journal WHERE zone_id = ? AND to_serial = ?`,
  prune: "DELETE FROM journal WHERE zone_id = ? AND id <= ?",
  startOf: "SELECT min(id) AS id FROM journal WHERE zone_id = ? AND from_serial = ?",
  since: `SELECT from_serial, to_serial, is_added, ${RECORD_COLUMNS} FROM journal
    WHERE zone_id = ? AND id >= ? ORDER BY id`,
} as const;

/** What a zone's journal keeps of the latest, in rows; whoever is further behind transfers the zone as a whole. */
export const MAX_JOURNAL_ROWS = 20_000;
/** Looking for what is too old costs a walk over the rows: once in so many of them. */
const PRUNE_EVERY = 256;

/** One change of a zone, as IXFR tells it (RFC 1995 §4). */
export interface JournalStep {
  readonly from: number;
  readonly to: number;
  /** The SOA record of `from` first. */
  readonly removed: readonly ZoneRecord[];
  /** The SOA record of `to` first. */
  readonly added: readonly ZoneRecord[];
}

/** What changed in zones from one serial to the next. */
export class Journal {
  readonly #statements: Statements;
  readonly #maxRows: number;

  constructor(statements: Statements, maxRows: number) {
    this.#statements = statements;
    this.#maxRows = maxRows;
  }

  /** A step that is larger than the whole journal empties it instead. */
  add(zoneId: number, { from, to, removed, added }: JournalStep): void {
    this.#statements.run("cannot write the journal", () => {
      if (removed.length + added.length > this.#maxRows) {
        this.#statements.write(SQL.clear, [zoneId]);
        return;
      }
      let last = 0;
      for (const [isAdded, records] of [[0, removed], [1, added]] as const) {
        for (const record of records) {
          const values = [zoneId, from, to, isAdded, ...recordValues(record)];
          last = this.#statements.insert(SQL.add, values);
        }
      }
      const rows = removed.length + added.length;
      if (Math.floor(last / PRUNE_EVERY) !== Math.floor((last - rows) / PRUNE_EVERY)) {
        this.#prune(zoneId);
      }
    });
  }

  /** Forgets everything of a zone: whoever transfers it next takes it whole. */
  clear(zoneId: number): void {
    this.#statements.run("cannot write the journal", () => {
      this.#statements.write(SQL.clear, [zoneId]);
    });
  }

  /**
   * The steps from a serial on; undefined: it is not known here any more, or never was.
   */
  since(zoneId: number, serial: number): readonly JournalStep[] | undefined {
    return this.#statements.run("cannot read the journal", () => {
      const start = this.#statements.get(SQL.startOf, [zoneId, serial])?.id;
      if (typeof start !== "number") return undefined;
      const steps: { from: number; to: number; removed: ZoneRecord[]; added: ZoneRecord[] }[] = [];
      for (const row of this.#statements.all(SQL.since, [zoneId, start])) {
        const from = numberIn(row, "from_serial");
        const to = numberIn(row, "to_serial");
        let step = steps.at(-1);
        if (step?.to !== to) {
          step = { from, to, removed: [], added: [] };
          steps.push(step);
        }
        (row.is_added === 1 ? step.added : step.removed).push(toRecord(row));
      }
      return steps;
    });
  }

  #prune(zoneId: number): void {
    const gone = this.#statements.get(SQL.newestToGo, [zoneId, this.#maxRows])?.to_serial;
    if (typeof gone !== "number") return;
    const last = this.#statements.get(SQL.lastOf, [zoneId, gone])?.id;
    if (typeof last === "number") this.#statements.write(SQL.prune, [zoneId, last]);
  }
}
