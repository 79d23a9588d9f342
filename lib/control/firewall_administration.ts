import { invalid, missing, present } from "../queue/mod.ts";
import type { RuleName, StoredRule } from "../db/mod.ts";
import { identityOf } from "../schema/mod.ts";
import { type RateLimit, RULE, type RuleSettings } from "../state/mod.ts";
import * as differences from "./differences.ts";
import type { Difference } from "./difference.ts";
import type { RuleExpiry } from "./expiry.ts";
import { type CloseOption, type LiveConnections, liveConnections } from "./live_connections.ts";
import type { Operation } from "./operation.ts";
import type { ServedState } from "./served_state.ts";
import { refuseOneMore } from "./state_limits.ts";

const MIN_TTL_MS = 1000;
const MAX_TTL_MS = 10 * 366 * 24 * 3_600_000;

/** A rule to add. */
export interface NewRule extends CloseOption {
  readonly rule: Omit<RuleSettings, "expiresAt">;
  /** Absent: the rule does not end on its own. */
  readonly ttlMs?: number | undefined;
  /** Check only. */
  readonly dryRun?: boolean;
}

/** What a {@link FirewallAdministration} works with. */
export interface FirewallAdministrationOptions {
  readonly state: ServedState;
  readonly expiry: RuleExpiry;
  /** The limit in effect. */
  readonly rateLimit: RateLimit;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** Changes of the firewall; see {@link RoutingAdministration}. */
export class FirewallAdministration {
  readonly #state: ServedState;
  readonly #options: FirewallAdministrationOptions;
  #rateLimit: RateLimit;

  constructor(options: FirewallAdministrationOptions) {
    this.#state = options.state;
    this.#options = options;
    this.#rateLimit = options.rateLimit;
  }

  /** The limit in effect. */
  get rateLimit(): RateLimit {
    return this.#rateLimit;
  }

  /** With `dryRun` nothing changes, and the rule that would be stored has no id yet. */
  async addRule(
    { rule: given, ttlMs, close, dryRun = false }: NewRule,
    operation: Operation,
  ): Promise<LiveConnections & { rule: StoredRule }> {
    const createdAt = this.#options.now();
    if (ttlMs !== undefined && (ttlMs < MIN_TTL_MS || ttlMs > MAX_TTL_MS)) {
      throw invalid("ttl", "not in 1 s–10 years");
    }
    const rule = { ...given, ...ttlMs !== undefined && { expiresAt: createdAt + ttlMs } };
    return await this.#state.exclusive(async () => {
      const { rules } = this.#state.database;
      if (rules.find(rule) !== undefined) throw present(`the rule ${nameOf(rule)}`);
      if (rule.type === "country" && this.#state.snapshot.firewall.geoip === undefined) {
        throw invalid("type", "a country rule needs a GeoIP database");
      }
      refuseOneMore("rules", { holds: rules.size, limits: this.#state.limits });
      if (dryRun) return { live: 0, closed: 0, rule: { ...rule, id: 0, hits: 0 } };
      await this.#state.commit([differences.addRule({ ...rule, createdAt })], operation);
      this.#options.expiry.schedule();
      const stored = rules.find(rule);
      if (stored === undefined) throw missing(`the rule ${nameOf(rule)}`);
      const live = await liveConnections(this.#state.plane, { blockedBy: stored.id }, close);
      return { ...live, rule: stored };
    }, operation.signal);
  }

  /** @param options `orAllowing`: where no rule blocks what is named, the one that allows it. */
  async removeRule(
    wanted: number | RuleName,
    operation: Operation,
    { orAllowing = false }: { readonly orAllowing?: boolean } = {},
  ): Promise<StoredRule> {
    return await this.#state.exclusive(async () => {
      const { rules } = this.#state.database;
      const isId = typeof wanted === "number";
      const rule = isId ? rules.get(wanted) : rules.find(wanted) ??
        (orAllowing ? rules.find({ ...wanted, action: "allow" }) : undefined);
      if (rule === undefined) throw missing(`the rule ${isId ? wanted : nameOf(wanted)}`);
      await this.#state.commit([differences.removeRule(rule)], operation);
      return rule;
    }, operation.signal);
  }

  async setRateLimit(limit: RateLimit, operation: Operation): Promise<RateLimit> {
    return await this.#state.exclusive(async () => {
      await this.#state.commit([differences.setRateLimit(this.#rateLimit, limit)], operation);
      this.adoptRateLimit(limit);
      return limit;
    }, operation.signal);
  }

  /** Notes what the group's log has put into effect. */
  adoptDifferences(followed: readonly Difference[]): void {
    for (const edit of followed.flatMap(({ edits }) => edits)) {
      if (edit.do !== "put" || edit.object.kind !== "rate_limit") continue;
      this.#rateLimit = edit.object.rateLimit;
    }
    this.#options.expiry.schedule();
  }

  /** Notes a limit that another change has put into effect. */
  adoptRateLimit(limit: RateLimit): void {
    this.#rateLimit = limit;
  }
}

function nameOf(rule: RuleName): string {
  return identityOf(RULE.shape, rule);
}
