import type { Row, Statements } from "../sqlite/mod.ts";

const SQL = {
  list: "SELECT * FROM shared_secrets ORDER BY name",
  set: `INSERT INTO shared_secrets (name, version, digest, content) VALUES (?, ?, ?, ?)
    ON CONFLICT (name) DO UPDATE SET version = excluded.version, digest = excluded.digest,
      content = excluded.content`,
} as const;

/** What this proxy knows of one thing that its group shares; the content is secret. */
export interface SharedSecret {
  readonly name: string;
  /** The newest that was seen: less than that is an older one in its place. */
  readonly version: number;
  /** Of what it says, to tell it from what is here now. */
  readonly digest: string;
  /** What it says, where nothing else here keeps that; empty: something does. */
  readonly content: string;
}

/** What a proxy has seen of what its group shares. Written in transactions of the caller's. */
export class SharedSecrets {
  readonly #statements: Statements;

  constructor(statements: Statements) {
    this.#statements = statements;
  }

  list(): SharedSecret[] {
    return this.#statements.run("cannot read what the group shares", () => {
      return this.#statements.all(SQL.list).map(toSecret);
    });
  }

  set({ name, version, digest, content }: SharedSecret): void {
    this.#statements.run("cannot write what the group shares", () => {
      this.#statements.write(SQL.set, [name, version, digest, content]);
    });
  }
}

function toSecret({ name, version, digest, content }: Row): SharedSecret {
  return {
    ...{ name: String(name), version: Number(version) },
    ...{ digest: String(digest), content: String(content) },
  };
}
