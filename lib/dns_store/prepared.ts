import { numberIn, type Row, type Statements } from "../sqlite/mod.ts";

const COLUMNS = "id, coordinator, actor, content, prepared_at, committed_at";

const SQL = {
  waiting: `SELECT ${COLUMNS} FROM prepared_changes WHERE committed_at IS NULL
    ORDER BY prepared_at, id`,
  get: `SELECT ${COLUMNS} FROM prepared_changes WHERE id = ?`,
  add: `INSERT INTO prepared_changes (id, coordinator, actor, content, prepared_at)
    VALUES (?, ?, ?, ?, ?)`,
  commit: "UPDATE prepared_changes SET committed_at = ? WHERE id = ?",
  remove: "DELETE FROM prepared_changes WHERE id = ?",
  prune: `DELETE FROM prepared_changes WHERE id IN (SELECT id FROM prepared_changes
    WHERE committed_at IS NOT NULL ORDER BY committed_at DESC, id LIMIT -1 OFFSET ?)`,
} as const;

/** Changes that were made are remembered so many, for whoever did not hear the answer. */
const MAX_COMMITTED = 1000;

/** A change that waits for a decision, or that was made after one. */
export interface PreparedRow {
  /** The transaction's, chosen by who decides. */
  readonly id: string;
  /** Who decides. */
  readonly coordinator: string;
  /** Who asked for it. */
  readonly actor: string;
  /** What is to change, JSON, in the words of whoever wrote it. */
  readonly content: string;
  /** Milliseconds since 1970. */
  readonly preparedAt: number;
  /** Milliseconds since 1970; absent: it waits. */
  readonly committedAt?: number;
}

/** Changes whose decision is somebody else's. */
export class PreparedChangeRows {
  readonly #statements: Statements;

  constructor(statements: Statements) {
    this.#statements = statements;
  }

  /** Those that wait, the oldest first. */
  waiting(): PreparedRow[] {
    return this.#statements.run("cannot read the prepared changes", () => {
      return this.#statements.all(SQL.waiting).map(toPrepared);
    });
  }

  get(id: string): PreparedRow | undefined {
    return this.#statements.run("cannot read a prepared change", () => {
      const row = this.#statements.get(SQL.get, [id]);
      return row && toPrepared(row);
    });
  }

  /** @throws {AlreadyExistsError} */
  add({ id, coordinator, actor, content, preparedAt }: PreparedRow): void {
    this.#statements.run("cannot write a prepared change", () => {
      this.#statements.write(SQL.add, [id, coordinator, actor, content, Math.trunc(preparedAt)]);
    });
  }

  /** Notes that a change is made, and forgets the oldest of those that are. */
  setCommitted(id: string, time: number): void {
    this.#statements.change(SQL.commit, [Math.trunc(time), id], "cannot note a change as made");
    this.#statements.run("cannot forget changes", () => {
      this.#statements.write(SQL.prune, [MAX_COMMITTED]);
    });
  }

  /** @throws {NotFoundError} */
  remove(id: string): void {
    this.#statements.change(SQL.remove, [id], "cannot remove a prepared change");
  }
}

function toPrepared(row: Row): PreparedRow {
  return {
    id: String(row.id),
    coordinator: String(row.coordinator),
    actor: String(row.actor),
    content: String(row.content),
    preparedAt: numberIn(row, "prepared_at"),
    ...row.committed_at !== null && { committedAt: numberIn(row, "committed_at") },
  };
}
