import type { StoredRule } from "../db/mod.ts";
import { cut, type DatedRule, put, ruleKey } from "../fleet/mod.ts";
import { identityOf } from "../schema/mod.ts";
import { isTimedBlock, RATE_LIMIT, type RateLimit, RULE } from "../state/mod.ts";
import { type Difference, sameFields, shown } from "./difference.ts";

/** A rule where there was none of its kind and value. */
export function addRule(rule: DatedRule): Difference {
  const subject = identityOf(RULE.shape, rule);
  return {
    action: "add",
    kind: "firewall_rule",
    subject,
    after: shown(RULE, rule),
    isPassing: isTimedBlock(rule),
    rule: { after: rule },
    edits: [put({ kind: "rule", rule })],
    write: (changes) => {
      changes.addRule(changes.database.rules.add(rule));
    },
  };
}

/**
 * Changes why and until when a rule holds, and what it exempts from; and when it was made, where the
 * group says so.
 */
export function updateRule(before: StoredRule, after: DatedRule): Difference {
  return {
    action: "update",
    kind: "firewall_rule",
    subject: identityOf(RULE.shape, before),
    before: shown(RULE, before),
    after: shown(RULE, after),
    rule: { before, after },
    edits: [put({ kind: "rule", rule: { ...dated(before), ...after } })],
    write: (changes) => {
      changes.database.rules.update(before.id, after);
      // The rest is nothing that the data plane has to know.
      if (before.skipRateLimit === after.skipRateLimit) return;
      changes.removeRule(before.id);
      changes.addRule({ ...after, id: before.id });
    },
  };
}

/** Whether a stored rule is otherwise than it is said to be; a state may not say when it was made. */
export function isOtherRule(stored: StoredRule, { createdAt, ...rule }: DatedRule): boolean {
  return !sameFields(RULE, stored, rule) ||
    (createdAt !== undefined && createdAt !== stored.createdAt);
}

/** A rule that goes. */
export function removeRule(before: StoredRule): Difference {
  return {
    action: "remove",
    kind: "firewall_rule",
    subject: identityOf(RULE.shape, before),
    before: shown(RULE, before),
    isPassing: before.expiresAt !== undefined,
    rule: { before },
    edits: [cut(ruleKey(before))],
    write: (changes) => {
      changes.database.rules.remove(before.id);
      changes.removeRule(before.id);
    },
  };
}

/** Another limit of connections for each client. */
export function setRateLimit(before: RateLimit, after: RateLimit): Difference {
  return {
    action: "update",
    kind: "rate_limit",
    subject: "rate_limit",
    before: shown(RATE_LIMIT, before),
    after: shown(RATE_LIMIT, after),
    edits: [put({ kind: "rate_limit", rateLimit: after })],
    write: (changes) => {
      changes.database.settings.setRateLimit(after);
      changes.setRateLimit(after);
    },
  };
}

/** A rule as it is said anew stays as old as it is. */
function dated({ createdAt }: StoredRule): Pick<DatedRule, "createdAt"> {
  return createdAt === undefined ? {} : { createdAt };
}
