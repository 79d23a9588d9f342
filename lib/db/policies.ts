import { NotFoundError } from "./errors.ts";
import type { Row, Statements } from "./statements.ts";

const SQL = {
  all: "SELECT id, route_id, type, value FROM l7_policies ORDER BY id",
  ofRoute: "SELECT id, route_id, type, value FROM l7_policies WHERE route_id = ? ORDER BY id",
  add: "INSERT INTO l7_policies (route_id, type, value) VALUES (?, ?, ?)",
  remove: "DELETE FROM l7_policies WHERE route_id = ? AND type = ? AND value = ?",
} as const;

/** What a policy looks at. */
export type PolicyType = "block_user_agent" | "require_header";

/** A condition on the requests of an l7 route. */
export interface PolicyRow {
  readonly id: number;
  readonly routeId: number;
  readonly type: PolicyType;
  readonly value: string;
}

/** What `add` needs. */
export type NewPolicy = Pick<PolicyRow, "type" | "value">;

/** The policies of l7 routes. */
export class Policies {
  readonly #statements: Statements;

  constructor(statements: Statements) {
    this.#statements = statements;
  }

  /** Of one route, or of all of them, in the order in which they were added. */
  list(routeId?: number): PolicyRow[] {
    return this.#statements.run("cannot read the policies", () => {
      const rows = routeId === undefined
        ? this.#statements.all(SQL.all)
        : this.#statements.all(SQL.ofRoute, [routeId]);
      return rows.map(toPolicyRow);
    });
  }

  /**
   * @throws {NotFoundError} if there is no such route.
   * @throws {AlreadyExistsError}
   */
  add(routeId: number, { type, value }: NewPolicy): PolicyRow {
    return this.#statements.run(`cannot add the policy ${type}`, () => {
      return { id: this.#statements.insert(SQL.add, [routeId, type, value]), routeId, type, value };
    });
  }

  /** @throws {NotFoundError} */
  remove(routeId: number, { type, value }: NewPolicy): void {
    this.#statements.run(`cannot remove the policy ${type}`, () => {
      if (this.#statements.write(SQL.remove, [routeId, type, value]) > 0) return;
      throw new NotFoundError(`cannot remove the policy ${type}: it does not exist`);
    });
  }
}

function toPolicyRow(row: Row): PolicyRow {
  return {
    id: Number(row.id),
    routeId: Number(row.route_id),
    type: row.type === "block_user_agent" ? "block_user_agent" : "require_header",
    value: String(row.value),
  };
}
