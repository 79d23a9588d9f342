import type { Row, Statements } from "../sqlite/mod.ts";

const SQL = {
  list: "SELECT id, content, actor, decided_at FROM dns_changes ORDER BY decided_at, id",
  has: "SELECT 1 FROM dns_changes WHERE id = ?",
  add: "INSERT INTO dns_changes (id, content, actor, decided_at) VALUES (?, ?, ?, ?)",
  remove: "DELETE FROM dns_changes WHERE id = ?",
} as const;

/** A change of records at the name server that was decided, in the transaction of our own change. */
export interface DecidedDnsChange {
  /** Of the transaction. */
  readonly id: string;
  /** What is to change, JSON, as the name server takes it. */
  readonly content: string;
  /** Who asked for it. */
  readonly actor: string;
  /** Milliseconds since 1970. */
  readonly decidedAt: number;
}

/**
 * The journal of changes that the name server has yet to say it has made: what is in here is made, what
 * is not was never decided. Written in transactions of the caller's.
 */
export class DnsChangeRows {
  readonly #statements: Statements;

  constructor(statements: Statements) {
    this.#statements = statements;
  }

  /** The oldest first. */
  list(): DecidedDnsChange[] {
    return this.#statements.run("cannot read the changes of records", () => {
      return this.#statements.all(SQL.list).map(toDecided);
    });
  }

  has(id: string): boolean {
    return this.#statements.run("cannot read a change of records", () => {
      return this.#statements.get(SQL.has, [id]) !== undefined;
    });
  }

  add({ id, content, actor, decidedAt }: DecidedDnsChange): void {
    this.#statements.run("cannot write a change of records", () => {
      this.#statements.write(SQL.add, [id, content, actor, Math.trunc(decidedAt)]);
    });
  }

  remove(id: string): void {
    this.#statements.run("cannot remove a change of records", () => {
      this.#statements.write(SQL.remove, [id]);
    });
  }
}

function toDecided(row: Row): DecidedDnsChange {
  return {
    id: String(row.id),
    content: String(row.content),
    actor: String(row.actor),
    decidedAt: Number(row.decided_at),
  };
}
