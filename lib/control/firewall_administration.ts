import type { RateLimitSetting, StoredRule } from "../db/mod.ts";
import * as edits from "./edits.ts";
import type { RuleExpiry } from "./expiry.ts";
import { checkRateLimit, checkRule, checkRuleValue, checkTtl, type RuleInput } from "./inputs.ts";
import { type CloseOption, type LiveConnections, liveConnections } from "./live_connections.ts";
import type { LiveState, Operation } from "./live_state.ts";
import { invalid, missing, present } from "./refused.ts";

/** A rule to add. */
export interface NewRuleInput extends CloseOption, Omit<RuleInput, "expiresAt"> {
  /** Absent: the rule does not end on its own. */
  readonly ttlMs?: number | undefined;
}

/** What a {@link FirewallAdministration} works with. */
export interface FirewallAdministrationOptions {
  readonly state: LiveState;
  readonly expiry: RuleExpiry;
  /** The limit in effect. */
  readonly rateLimit: RateLimitSetting;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** Changes of the firewall; see {@link RoutingAdministration}. */
export class FirewallAdministration {
  readonly #state: LiveState;
  readonly #options: FirewallAdministrationOptions;
  #rateLimit: RateLimitSetting;

  constructor(options: FirewallAdministrationOptions) {
    this.#state = options.state;
    this.#options = options;
    this.#rateLimit = options.rateLimit;
  }

  /** The limit in effect. */
  get rateLimit(): RateLimitSetting {
    return this.#rateLimit;
  }

  async addRule(
    { ttlMs, close, ...input }: NewRuleInput,
    operation: Operation,
  ): Promise<LiveConnections & { rule: StoredRule }> {
    const createdAt = this.#options.now();
    const expiresAt = ttlMs === undefined ? undefined : createdAt + checkTtl(ttlMs);
    const rule = checkRule({ ...input, expiresAt });
    return await this.#state.exclusive(async () => {
      const { rules } = this.#state.database;
      if (rules.find(rule.type, rule.value)) throw present(`the rule ${rule.type} ${rule.value}`);
      if (rule.type === "country" && this.#state.snapshot.firewall.geoip === undefined) {
        throw invalid("type", "a country rule needs a GeoIP database");
      }
      await this.#state.commit([edits.addRule({ ...rule, createdAt })], operation);
      this.#options.expiry.schedule();
      const stored = rules.find(rule.type, rule.value);
      if (stored === undefined) throw missing(`the rule ${rule.type} ${rule.value}`);
      const live = await liveConnections(this.#state.plane, { blockedBy: stored.id }, close);
      return { ...live, rule: stored };
    }, operation.signal);
  }

  async removeRule(
    { id, type, value }: { id?: number | undefined; type: string; value: string },
    operation: Operation,
  ): Promise<StoredRule> {
    const wanted = id === undefined ? checkRuleValue({ type, value }) : undefined;
    return await this.#state.exclusive(async () => {
      const { rules } = this.#state.database;
      const rule = wanted === undefined
        ? rules.get(id ?? 0)
        : rules.find(wanted.type, wanted.value);
      if (rule === undefined) {
        throw missing(wanted ? `the rule ${wanted.type} ${wanted.value}` : `the rule ${id}`);
      }
      await this.#state.commit([edits.removeRule(rule)], operation);
      return rule;
    }, operation.signal);
  }

  async setRateLimit(input: RateLimitSetting, operation: Operation): Promise<RateLimitSetting> {
    const limit = checkRateLimit(input);
    return await this.#state.exclusive(async () => {
      await this.#state.commit([edits.setRateLimit(this.#rateLimit, limit)], operation);
      this.adoptRateLimit(limit);
      return limit;
    }, operation.signal);
  }

  /** Notes a limit that another change has put into effect. */
  adoptRateLimit(limit: RateLimitSetting): void {
    this.#rateLimit = limit;
  }
}
