import { DatabaseError, type Statements } from "../sqlite/mod.ts";
import type { RateLimit } from "../state/mod.ts";

const SQL = {
  get: "SELECT value FROM settings WHERE key = ?",
  set: `INSERT INTO settings (key, value) VALUES (?, ?)
    ON CONFLICT (key) DO UPDATE SET value = excluded.value`,
  remove: "DELETE FROM settings WHERE key = ?",
  unsent: "SELECT key FROM settings WHERE key >= 'unsent:' AND key < 'unsent;' ORDER BY key",
  removeUnsent: "DELETE FROM settings WHERE key >= 'unsent:' AND key < 'unsent;'",
} as const;

const RATE_LIMIT = "rate_limit";
const SOURCE = "state_source";
const REPLICA = "replica";
const DRAIN = "drain";
const UNSENT = "unsent:";

/** Where the truth about the state is. */
export type SourceName = "database" | "file" | "postgres";

/** How far a replica has followed its group. */
export interface ReplicaPosition {
  /** Of the group, in one PostgreSQL. */
  readonly group: string;
  readonly epoch: number;
  readonly revision: number;
  /** Of the entry of that revision. */
  readonly entry: string;
}

/** That the group of a proxy wants no new connections there. Times are milliseconds since 1970. */
export interface DrainWish {
  readonly since: number;
  /** Who has asked for it, at which proxy. */
  readonly by: string;
}

/** Settings that were changed at run time; they win over the configuration file. */
export class Settings {
  readonly #statements: Statements;

  constructor(statements: Statements) {
    this.#statements = statements;
  }

  /** Nothing while it has never been set. */
  get rateLimit(): RateLimit | undefined {
    return this.#statements.run("cannot read the rate limit", () => {
      const row = this.#statements.get(SQL.get, [RATE_LIMIT]);
      return row === undefined ? undefined : parseRateLimit(String(row.value));
    });
  }

  setRateLimit({ limit, windowMs }: RateLimit): void {
    this.#statements.run("cannot set the rate limit", () => {
      this.#statements.write(SQL.set, [RATE_LIMIT, JSON.stringify({ limit, windowMs })]);
    });
  }

  /** The limit is the configuration file's again. */
  clearRateLimit(): void {
    this.#statements.run("cannot clear the rate limit", () => {
      this.#statements.write(SQL.remove, [RATE_LIMIT]);
    });
  }

  /** Who has said last what the database holds. */
  get source(): SourceName {
    return this.#statements.run("cannot read the source of the state", () => {
      const value = this.#statements.get(SQL.get, [SOURCE])?.value;
      return value === "file" || value === "postgres" ? value : "database";
    });
  }

  setSource(source: SourceName): void {
    this.#statements.run("cannot set the source of the state", () => {
      this.#statements.write(SQL.set, [SOURCE, source]);
    });
  }

  /** Nothing while this is no replica of a group. */
  get replica(): ReplicaPosition | undefined {
    return this.#statements.run("cannot read the replica's position", () => {
      const row = this.#statements.get(SQL.get, [REPLICA]);
      return row === undefined ? undefined : parsePosition(String(row.value));
    });
  }

  setReplica({ group, epoch, revision, entry }: ReplicaPosition): void {
    this.#statements.run("cannot set the replica's position", () => {
      const value = JSON.stringify({ group, epoch, revision, entry });
      this.#statements.write(SQL.set, [REPLICA, value]);
    });
  }

  /** What the group wanted last of this proxy; nothing: that it serves. */
  get drain(): DrainWish | undefined {
    return this.#statements.run("cannot read whether to drain", () => {
      const row = this.#statements.get(SQL.get, [DRAIN]);
      return row === undefined ? undefined : parseWish(String(row.value));
    });
  }

  setDrain(wish: DrainWish | undefined): void {
    this.#statements.run("cannot note whether to drain", () => {
      if (wish === undefined) this.#statements.write(SQL.remove, [DRAIN]);
      else {
        const { since, by } = wish;
        this.#statements.write(SQL.set, [DRAIN, JSON.stringify({ since, by })]);
      }
    });
  }

  /** This is no replica any more, and owes nobody anything. */
  clearReplica(): void {
    this.#statements.run("cannot clear the replica's position", () => {
      this.#statements.write(SQL.remove, [REPLICA]);
      this.#statements.write(SQL.remove, [DRAIN]);
      this.#statements.write(SQL.removeUnsent);
    });
  }

  /** Names of what was changed here and the group does not know yet. */
  get unsent(): string[] {
    return this.#statements.run("cannot read what was not sent", () => {
      return this.#statements.all(SQL.unsent).map(({ key }) => String(key).slice(UNSENT.length));
    });
  }

  addUnsent(name: string): void {
    this.#statements.run("cannot note what was not sent", () => {
      this.#statements.write(SQL.set, [UNSENT + name, ""]);
    });
  }

  removeUnsent(name: string): void {
    this.#statements.run("cannot note what was sent", () => {
      this.#statements.write(SQL.remove, [UNSENT + name]);
    });
  }
}

function parsePosition(json: string): ReplicaPosition {
  const { group, epoch, revision, entry }: Record<string, unknown> = JSON.parse(json);
  if (
    typeof group === "string" && typeof epoch === "number" && typeof revision === "number" &&
    typeof entry === "string"
  ) return { group, epoch, revision, entry };
  throw new DatabaseError("corrupt", "the setting replica has an unexpected value");
}

function parseWish(json: string): DrainWish {
  const { since, by }: Record<string, unknown> = JSON.parse(json);
  if (typeof since === "number" && typeof by === "string") return { since, by };
  throw new DatabaseError("corrupt", "the setting drain has an unexpected value");
}

function parseRateLimit(json: string): RateLimit {
  const { limit, windowMs }: { limit?: unknown; windowMs?: unknown } = JSON.parse(json);
  if (typeof limit === "number" && typeof windowMs === "number") return { limit, windowMs };
  throw new DatabaseError("corrupt", "the setting rate_limit has an unexpected value");
}
