import { numberIn, type Statements } from "../sqlite/mod.ts";

const SQL = {
  get: "SELECT primary_server, refreshed_at FROM secondaries WHERE zone_id = ?",
  list: "SELECT zone_id FROM secondaries",
  set: `INSERT INTO secondaries (zone_id, primary_server, refreshed_at) VALUES (?, ?, ?)
    ON CONFLICT (zone_id) DO UPDATE
    SET primary_server = excluded.primary_server, refreshed_at = excluded.refreshed_at`,
  remove: "DELETE FROM secondaries WHERE zone_id = ?",
} as const;

/** How current a zone is that another server has first. */
export interface SecondaryRow {
  /** Who last vouched for it, as the configuration writes servers. */
  readonly primary: string;
  /** Milliseconds since 1970. */
  readonly refreshedAt: number;
}

/** Which zones another server has first; their records are as those of any zone. */
export class SecondaryRows {
  readonly #statements: Statements;

  constructor(statements: Statements) {
    this.#statements = statements;
  }

  /** Undefined: the zone is our own. */
  get(zoneId: number): SecondaryRow | undefined {
    return this.#statements.run("cannot read the secondary zones", () => {
      const row = this.#statements.get(SQL.get, [zoneId]);
      return row && {
        primary: String(row.primary_server),
        refreshedAt: numberIn(row, "refreshed_at"),
      };
    });
  }

  /** The ids of the zones. */
  list(): number[] {
    return this.#statements.run("cannot read the secondary zones", () => {
      return this.#statements.all(SQL.list).map((row) => numberIn(row, "zone_id"));
    });
  }

  /** A primary vouches for a zone. In a transaction. */
  set(zoneId: number, { primary, refreshedAt }: SecondaryRow): void {
    this.#statements.run("cannot write the secondary zones", () => {
      this.#statements.write(SQL.set, [zoneId, primary, refreshedAt]);
    });
  }

  /** The zone is our own from now on. In a transaction. */
  remove(zoneId: number): void {
    this.#statements.run("cannot write the secondary zones", () => {
      this.#statements.write(SQL.remove, [zoneId]);
    });
  }
}
