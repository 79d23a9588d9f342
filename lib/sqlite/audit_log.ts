import type { Row, Statements } from "./statements.ts";

const COLUMNS = "id, time, actor, action, subject, before, after";

const SQL = {
  add: `INSERT INTO audit_log (time, actor, action, subject, before, after)
    VALUES (?, ?, ?, ?, ?, ?)`,
  prune: "DELETE FROM audit_log WHERE id <= ?",
  list: `SELECT ${COLUMNS} FROM audit_log WHERE id < ? ORDER BY id DESC LIMIT ?`,
  // Of the sequence and not of the rows: an id that was taken back is never used again.
  revision: "SELECT seq FROM sqlite_sequence WHERE name = 'audit_log'",
} as const;

/** Older entries make room: at a change a minute this is more than two months. */
const MAX_ENTRIES = 100_000;

/** One change of the state. */
export interface AuditEntry {
  readonly id: number;
  /** Milliseconds since 1970. */
  readonly time: number;
  readonly actor: string;
  readonly action: string;
  readonly subject: string;
  /** JSON; empty if there was nothing. */
  readonly before: string;
  /** JSON; empty if there is nothing. */
  readonly after: string;
}

/** What was changed, by whom and when. */
export class AuditLog {
  readonly #statements: Statements;

  constructor(statements: Statements) {
    this.#statements = statements;
  }

  /** Grows with each change; 0 before the first. */
  get revision(): number {
    return this.#statements.run("cannot read the audit log", () => {
      return Number(this.#statements.get(SQL.revision)?.seq ?? 0);
    });
  }

  add(entry: Omit<AuditEntry, "id">): void {
    const { time, actor, action, subject, before, after } = entry;
    this.#statements.run("cannot write the audit log", () => {
      const id = this.#statements.insert(SQL.add, [time, actor, action, subject, before, after]);
      this.#statements.write(SQL.prune, [id - MAX_ENTRIES]);
    });
  }

  /** The latest first, older than `beforeId` if it is given. */
  list({ limit, beforeId }: { limit: number; beforeId?: number | undefined }): AuditEntry[] {
    return this.#statements.run("cannot read the audit log", () => {
      const before = beforeId ?? Number.MAX_SAFE_INTEGER;
      return this.#statements.all(SQL.list, [before, limit]).map(toEntry);
    });
  }
}

function toEntry(row: Row): AuditEntry {
  return {
    id: Number(row.id),
    time: Number(row.time),
    actor: String(row.actor),
    action: String(row.action),
    subject: String(row.subject),
    before: String(row.before),
    after: String(row.after),
  };
}
