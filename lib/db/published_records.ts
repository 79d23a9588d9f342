import type { Row, Statements } from "../sqlite/mod.ts";

const SQL = {
  list: "SELECT zone, name, type, ttl, content FROM dns_published ORDER BY zone, name, type",
  add: "INSERT INTO dns_published (zone, name, type, ttl, content) VALUES (?, ?, ?, ?, ?)",
  remove: "DELETE FROM dns_published WHERE zone = ? AND name = ?",
} as const;

/** Records of a name and type at the name server that are made of our routes. */
export interface PublishedSet {
  readonly zone: string;
  /** In full, with its last dot. */
  readonly name: string;
  readonly type: string;
  /** Seconds. */
  readonly ttl: number;
  readonly values: readonly string[];
}

/**
 * The sets that we have made at the name server, as we made them: what is there and not in here, or
 * differs, is somebody else's. Written in transactions of the caller's.
 */
export class PublishedRows {
  readonly #statements: Statements;

  constructor(statements: Statements) {
    this.#statements = statements;
  }

  list(): PublishedSet[] {
    return this.#statements.run("cannot read the records of routes", () => {
      return this.#statements.all(SQL.list).map(toPublished);
    });
  }

  /** Replaces what is known of a name of a zone. */
  replace(place: Pick<PublishedSet, "zone" | "name">, sets: readonly PublishedSet[]): void {
    this.#statements.run("cannot write the records of a route", () => {
      this.#statements.write(SQL.remove, [place.zone, place.name]);
      for (const { zone, name, type, ttl, values } of sets) {
        this.#statements.write(SQL.add, [zone, name, type, ttl, JSON.stringify(values)]);
      }
    });
  }
}

function toPublished({ zone, name, type, ttl, content }: Row): PublishedSet {
  return {
    ...{ zone: String(zone), name: String(name), type: String(type), ttl: Number(ttl) },
    values: JSON.parse(String(content)),
  };
}
