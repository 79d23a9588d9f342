import { type Name, nameToText } from "../dns/mod.ts";
import type { Statements } from "../sqlite/mod.ts";
import { toZoneRow, type ZoneRow } from "./rows.ts";

const SQL = {
  list: "SELECT id, name FROM zones ORDER BY id",
  find: "SELECT id, name FROM zones WHERE name = ?",
  add: "INSERT INTO zones (name) VALUES (?)",
  remove: "DELETE FROM zones WHERE id = ?",
} as const;

/** The zones; what they are made of is in `Records`. */
export class Zones {
  readonly #statements: Statements;

  constructor(statements: Statements) {
    this.#statements = statements;
  }

  /** In the order in which they were made. */
  list(): ZoneRow[] {
    return this.#read(() => this.#statements.all(SQL.list).map(toZoneRow));
  }

  /** The zone whose apex this is, whatever the case of its letters. */
  find(origin: Name): ZoneRow | undefined {
    return this.#read(() => {
      const row = this.#statements.get(SQL.find, [nameToText(origin)]);
      return row && toZoneRow(row);
    });
  }

  /**
   * @private See `Database.createZone`.
   * @throws {AlreadyExistsError}
   */
  add(origin: Name): ZoneRow {
    const name = nameToText(origin);
    const id = this.#statements.run(`cannot make the zone ${name}`, () => {
      return this.#statements.insert(SQL.add, [name]);
    });
    return { id, origin };
  }

  /**
   * Removes a zone, its records and its journal.
   *
   * @throws {NotFoundError}
   */
  remove(id: number): void {
    this.#statements.change(SQL.remove, [id], `cannot remove the zone ${id}`);
  }

  #read<T>(body: () => T): T {
    return this.#statements.run("cannot read the zones", body);
  }
}
