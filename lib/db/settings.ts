import { DatabaseError, type Statements } from "../sqlite/mod.ts";
import type { RateLimit } from "../state/mod.ts";

const SQL = {
  get: "SELECT value FROM settings WHERE key = ?",
  set: `INSERT INTO settings (key, value) VALUES (?, ?)
    ON CONFLICT (key) DO UPDATE SET value = excluded.value`,
} as const;

const RATE_LIMIT = "rate_limit";

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
}

function parseRateLimit(json: string): RateLimit {
  const { limit, windowMs }: { limit?: unknown; windowMs?: unknown } = JSON.parse(json);
  if (typeof limit === "number" && typeof windowMs === "number") return { limit, windowMs };
  throw new DatabaseError("corrupt", "the setting rate_limit has an unexpected value");
}
