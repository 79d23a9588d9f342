import { NotFoundError, numberIn, type Row, type Statements } from "../sqlite/mod.ts";
import type { FirewallRule } from "../firewall/mod.ts";
import { complete } from "../schema/mod.ts";
import type { Steps } from "../slices/mod.ts";
import { RULE, type RuleSettings } from "../state/mod.ts";
import { type NewFirewallRule, RULE_COLUMNS, toFirewallRule } from "./rows.ts";

const STORED = `id, ${RULE_COLUMNS.names}, hits, created_at`;

/** The questions about rules; a test looks at how SQLite answers some. */
export const RULE_QUERIES = {
  plain: "SELECT id, action, type, value, skip_rate_limit FROM firewall_rules ORDER BY id",
  stored: `SELECT ${STORED} FROM firewall_rules ORDER BY id`,
  page: `SELECT ${STORED} FROM firewall_rules WHERE id > ? ORDER BY id LIMIT ?`,
  byId: `SELECT ${STORED} FROM firewall_rules WHERE id = ?`,
  byValue: `SELECT ${STORED} FROM firewall_rules WHERE action = ? AND type = ? AND value = ?`,
  expired: `SELECT ${STORED} FROM firewall_rules WHERE expires_at <= ? ORDER BY expires_at`,
  nextExpiry: "SELECT min(expires_at) AS at FROM firewall_rules",
  size: "SELECT count(*) AS count FROM firewall_rules",
  // By the index of those that have hits: the plus hides the one of actions, which finds them all.
  hits: `SELECT coalesce(sum(hits), 0) AS hits FROM firewall_rules
    WHERE hits > 0 AND +action = 'block'`,
  top: `SELECT ${STORED} FROM firewall_rules WHERE hits > 0 ORDER BY hits DESC, id LIMIT ?`,
  add: `INSERT INTO firewall_rules (${RULE_COLUMNS.names}, created_at)
    VALUES (${RULE_COLUMNS.placeholders}, ?)`,
  update: `UPDATE firewall_rules SET ${RULE_COLUMNS.assignments},
    created_at = coalesce(?, created_at) WHERE id = ?`,
  remove: "DELETE FROM firewall_rules WHERE id = ?",
  countReasons: `SELECT count(*) AS count FROM firewall_rules
    WHERE expires_at > 0 AND substr(reason, 1, length(?1)) = ?1`,
  addHits: "UPDATE firewall_rules SET hits = hits + ? WHERE id = ?",
  rename: "UPDATE OR IGNORE firewall_rules SET value = ? WHERE id = ?",
} as const;

/** A rule with what the control plane knows of it. Times are milliseconds since 1970. */
export interface StoredRule extends FirewallRule, RuleSettings {
  readonly id: number;
  readonly type: FirewallRule["type"];
  readonly value: string;
  readonly action?: "allow" | "block";
  readonly skipRateLimit?: boolean;
  /** Connections that it has blocked. */
  readonly hits: number;
  /** Absent for rules older than this column. */
  readonly createdAt?: number;
}

/** What tells a rule from others. */
export type RuleName = Pick<RuleSettings, "action" | "type" | "value">;

/** The rules of the firewall. */
export class Rules {
  readonly #statements: Statements;

  constructor(statements: Statements) {
    this.#statements = statements;
  }

  /** What a firewall is compiled from, in the order in which they were added. */
  plain(): FirewallRule[] {
    return this.#read(() => this.#statements.all(RULE_QUERIES.plain).map(toFirewallRule));
  }

  /**
   * Rewrites values in their canonical form, by which {@link find} looks. The first versions and
   * operators with an SQL shell may have stored others. Of two that mean the same, one goes.
   */
  normalise(): void {
    this.#statements.run("cannot rewrite the firewall rules", () => {
      for (const row of this.#statements.all(RULE_QUERIES.plain)) {
        const { id, value } = toFirewallRule(row);
        if (value === row.value || this.#statements.write(RULE_QUERIES.rename, [value, id]) > 0) {
          continue;
        }
        this.remove(id);
      }
    });
  }

  /** In the order in which they were added. */
  list(): StoredRule[] {
    return this.#read(() => this.#statements.all(RULE_QUERIES.stored).map(toStoredRule));
  }

  /** {@link list}, a step for each. */
  *listInSteps(): Steps<StoredRule[]> {
    return yield* this.#statements.each(RULE_QUERIES.stored, toStoredRule);
  }

  /** {@link list}, piece by piece: those after `afterId`, 0 at first. */
  page(afterId: number, limit: number): StoredRule[] {
    return this.#read(() =>
      this.#statements.all(RULE_QUERIES.page, [afterId, limit]).map(toStoredRule)
    );
  }

  get(id: number): StoredRule | undefined {
    return this.#read(() => optional(this.#statements.get(RULE_QUERIES.byId, [id])));
  }

  find({ action = "block", type, value }: RuleName): StoredRule | undefined {
    return this.#read(() =>
      optional(this.#statements.get(RULE_QUERIES.byValue, [action, type, value]))
    );
  }

  /** Those whose time has come. */
  expired(now: number): StoredRule[] {
    return this.#read(() => this.#statements.all(RULE_QUERIES.expired, [now]).map(toStoredRule));
  }

  /** When the next rule ends. */
  nextExpiry(): number | undefined {
    return this.#read(() => {
      const at = this.#statements.get(RULE_QUERIES.nextExpiry)?.at;
      return typeof at === "number" ? at : undefined;
    });
  }

  /** How many there are: some milliseconds for a million. */
  get size(): number {
    return this.#read(() => Number(this.#statements.get(RULE_QUERIES.size)?.count));
  }

  /** How many rules that end on their own have a reason that begins with a text. */
  countReasons(start: string): number {
    return this.#read(() =>
      Number(this.#statements.get(RULE_QUERIES.countReasons, [start])?.count)
    );
  }

  /** Connections that all of them have blocked. */
  get hits(): number {
    return this.#read(() => Number(this.#statements.get(RULE_QUERIES.hits)?.hits));
  }

  /** Those that have blocked most. */
  top(limit: number): StoredRule[] {
    return this.#read(() => this.#statements.all(RULE_QUERIES.top, [limit]).map(toStoredRule));
  }

  /** @throws {AlreadyExistsError} */
  add({ createdAt, ...rule }: NewFirewallRule): StoredRule {
    const { type, value } = rule;
    return this.#statements.run(`cannot add the rule ${type} ${JSON.stringify(value)}`, () => {
      const settings = complete(RULE, rule);
      const values = [...RULE_COLUMNS.values(settings), createdAt ?? null];
      const id = this.#statements.insert(RULE_QUERIES.add, values);
      return { id, ...settings, hits: 0, ...createdAt !== undefined && { createdAt } };
    });
  }

  /**
   * Changes what may change in a rule that stays the same one, and when it was made, if that is given.
   *
   * @throws {NotFoundError}
   */
  update(
    id: number,
    { createdAt, ...changed }: Omit<RuleSettings, "action" | "type" | "value"> & {
      readonly createdAt?: number | undefined;
    },
  ): void {
    const what = `cannot update firewall rule ${id}`;
    const stored = this.get(id);
    if (stored === undefined) throw new NotFoundError(`${what}: it does not exist`);
    const { action, type, value } = stored;
    const values = RULE_COLUMNS.values({ ...changed, type, value, ...action && { action } });
    this.#statements.change(RULE_QUERIES.update, [...values, createdAt ?? null, id], what);
  }

  /** @throws {NotFoundError} */
  remove(id: number): void {
    this.#statements.change(RULE_QUERIES.remove, [id], `cannot remove firewall rule ${id}`);
  }

  /** Adds to the counts of blocked connections; rules that are gone are left out. */
  addHits(hits: ReadonlyMap<number, number>): void {
    this.#statements.run("cannot write the hits of firewall rules", () => {
      for (const [id, count] of hits) this.#statements.write(RULE_QUERIES.addHits, [count, id]);
    });
  }

  #read<T>(body: () => T): T {
    return this.#statements.run("cannot read the firewall rules", body);
  }
}

function optional(row: Row | undefined): StoredRule | undefined {
  return row && toStoredRule(row);
}

function toStoredRule(row: Row): StoredRule {
  const { created_at: createdAt } = row;
  return {
    ...RULE_COLUMNS.read(row),
    ...toFirewallRule(row),
    hits: numberIn(row, "hits"),
    ...typeof createdAt === "number" && { createdAt },
  };
}
