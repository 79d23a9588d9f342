import { numberIn, type Row, type Statements, unexpected } from "../sqlite/mod.ts";

const COLUMNS = "id, name, hash, scopes, created_at, expires_at";

const SQL = {
  list: `SELECT ${COLUMNS} FROM tokens ORDER BY id`,
  add: "INSERT INTO tokens (name, hash, scopes, created_at, expires_at) VALUES (?, ?, ?, ?, ?)",
  remove: "DELETE FROM tokens WHERE id = ?",
} as const;

/** A token that lets in; the token itself is nowhere. */
export interface TokenRow {
  readonly id: number;
  readonly name: string;
  /** SHA-256 of it, hexadecimal. */
  readonly hash: string;
  /** What it is good for, each in the words of whoever checks it. */
  readonly scopes: readonly string[];
  /** Milliseconds since 1970. */
  readonly createdAt: number;
  /** Milliseconds since 1970; absent: never. */
  readonly expiresAt?: number;
}

/** Tokens for the API. */
export class Tokens {
  readonly #statements: Statements;

  constructor(statements: Statements) {
    this.#statements = statements;
  }

  list(): TokenRow[] {
    return this.#statements.run("cannot read the tokens", () => {
      return this.#statements.all(SQL.list).map(toTokenRow);
    });
  }

  /** @throws {AlreadyExistsError} if there is one of that name or hash. */
  add(token: Omit<TokenRow, "id">): TokenRow {
    const { name, hash, scopes, createdAt, expiresAt } = token;
    return this.#statements.run(`cannot add the token ${JSON.stringify(name)}`, () => {
      const values = [name, hash, JSON.stringify(scopes), createdAt, expiresAt ?? null];
      return { id: this.#statements.insert(SQL.add, values), ...token };
    });
  }

  /** @throws {NotFoundError} */
  remove(id: number): void {
    this.#statements.change(SQL.remove, [id], `cannot remove the token ${id}`);
  }
}

function toTokenRow(row: Row): TokenRow {
  const scopes: unknown = JSON.parse(String(row.scopes));
  if (!Array.isArray(scopes) || !scopes.every((scope) => typeof scope === "string")) {
    throw unexpected(row, "scopes");
  }
  return {
    id: numberIn(row, "id"),
    name: String(row.name),
    hash: String(row.hash),
    scopes,
    createdAt: numberIn(row, "created_at"),
    ...row.expires_at !== null && { expiresAt: numberIn(row, "expires_at") },
  };
}
