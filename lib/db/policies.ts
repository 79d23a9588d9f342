import { Columns, NotFoundError, numberIn, type Row, type Statements } from "../sqlite/mod.ts";
import { parseL7Policy } from "../policy/mod.ts";
import type { Steps } from "../slices/mod.ts";
import { POLICY, type Policy } from "../state/mod.ts";

const COLUMNS = new Columns(POLICY);
const ROW = `id, route_id, ${COLUMNS.names}`;

const SQL = {
  all: `SELECT ${ROW} FROM l7_policies ORDER BY id`,
  ofRoute: `SELECT ${ROW} FROM l7_policies WHERE route_id = ? ORDER BY id`,
  add: `INSERT INTO l7_policies (${COLUMNS.names}, route_id) VALUES (${COLUMNS.placeholders}, ?)`,
  rename: "UPDATE OR IGNORE l7_policies SET value = ? WHERE id = ?",
  unused: `SELECT l7_policies.id FROM l7_policies JOIN routes ON routes.id = route_id
    WHERE mode <> 'l7'`,
  removeById: "DELETE FROM l7_policies WHERE id = ?",
  remove: "DELETE FROM l7_policies WHERE route_id = ? AND type = ? AND value = ?",
} as const;

/** A condition on the requests of an l7 route. */
export interface PolicyRow extends Policy {
  readonly id: number;
  readonly routeId: number;
}

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

  /** {@link list} of all routes, a step for each. */
  *listInSteps(): Steps<PolicyRow[]> {
    return yield* this.#statements.each(SQL.all, toPolicyRow);
  }

  /**
   * @throws {NotFoundError} if there is no such route.
   * @throws {AlreadyExistsError}
   */
  add(routeId: number, policy: Policy): PolicyRow {
    return this.#statements.run(`cannot add the policy ${policy.type}`, () => {
      const id = this.#statements.insert(SQL.add, [...COLUMNS.values(policy), routeId]);
      return { id, routeId, ...policy };
    });
  }

  /**
   * Rewrites values in their canonical form, by which {@link remove} looks. Earlier versions seeded
   * them as the file spelled them. Of two that mean the same, one goes; so do those of routes that
   * have none, as when a route leaves `l7`.
   */
  normalise(): void {
    this.#statements.run("cannot rewrite the policies", () => {
      for (const { id } of this.#statements.all(SQL.unused)) {
        this.#statements.write(SQL.removeById, [numberIn({ id }, "id")]);
      }
      for (const { id, type, value } of this.list()) {
        const canonical = parseL7Policy(type, value);
        if (!canonical.ok || canonical.value === value) continue;
        if (this.#statements.write(SQL.rename, [canonical.value, id]) > 0) continue;
        this.#statements.write(SQL.removeById, [id]);
      }
    });
  }

  /** @throws {NotFoundError} */
  remove(routeId: number, { type, value }: Policy): void {
    this.#statements.run(`cannot remove the policy ${type}`, () => {
      if (this.#statements.write(SQL.remove, [routeId, type, value]) > 0) return;
      throw new NotFoundError(`cannot remove the policy ${type}: it does not exist`);
    });
  }
}

function toPolicyRow(row: Row): PolicyRow {
  const [id, routeId] = [numberIn(row, "id"), numberIn(row, "route_id")];
  return { id, routeId, ...COLUMNS.read(row) };
}
