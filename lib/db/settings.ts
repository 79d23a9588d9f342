import { DatabaseError, type Statements } from "../sqlite/mod.ts";
import type { RateLimit } from "../state/mod.ts";

const SQL = {
  get: "SELECT value FROM settings WHERE key = ?",
  set: `INSERT INTO settings (key, value) VALUES (?, ?)
    ON CONFLICT (key) DO UPDATE SET value = excluded.value`,
  remove: "DELETE FROM settings WHERE key = ?",
} as const;

const RATE_LIMIT = "rate_limit";
const SOURCE = "state_source";

/** Where the truth about the state is. */
export type SourceName = "database" | "file";

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
      return this.#statements.get(SQL.get, [SOURCE])?.value === "file" ? "file" : "database";
    });
  }

  setSource(source: SourceName): void {
    this.#statements.run("cannot set the source of the state", () => {
      this.#statements.write(SQL.set, [SOURCE, source]);
    });
  }
}

function parseRateLimit(json: string): RateLimit {
  const { limit, windowMs }: { limit?: unknown; windowMs?: unknown } = JSON.parse(json);
  if (typeof limit === "number" && typeof windowMs === "number") return { limit, windowMs };
  throw new DatabaseError("corrupt", "the setting rate_limit has an unexpected value");
}
