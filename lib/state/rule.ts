import {
  parseNewRule,
  RULE_ACTIONS,
  RULE_TYPES,
  type RuleType,
  ruleValueDoc,
} from "../firewall/mod.ts";
import {
  boolean,
  field,
  type Kind,
  oneOf,
  parsed,
  type Place,
  prose,
  quote,
  record,
  time,
  type ValueOf,
} from "../schema/mod.ts";

const MAX_REASON_CHARACTERS = 256;

/** A rule of the firewall. */
export const RULE = record({
  action: field("action", oneOf(...RULE_ACTIONS), {
    optional: true,
    absent: "block",
    doc: "What happens to those that the rule names. `block`, which is also what an absent key " +
      "means, resets their connections. `allow` exempts them from rules that block blocks of " +
      "addresses and countries, and one that allows a single address also from one that blocks it.",
    title: "ACTION",
    flag: { value: "action", about: "block, which is the default, or allow" },
  }),
  type: field("type", oneOf(...RULE_TYPES), {
    required: true,
    doc: "What the value is.",
    title: "TYPE",
  }),
  value: field("value", parsed("address, block or country", anyText), {
    required: true,
    doc: "Who is meant.",
    title: "VALUE",
  }),
  reason: field("reason", prose({ maxLength: MAX_REASON_CHARACTERS }), {
    default: "",
    doc: "Why, for people.",
    title: "REASON",
    flag: { value: "text", about: "why, for people" },
  }),
  expiresAt: field("expires_at", time(), {
    optional: true,
    doc: "When the rule ends on its own. Absent: never.",
    title: "ENDS",
  }),
  skipRateLimit: field("skip_rate_limit", boolean(), {
    optional: true,
    absent: false,
    since: 12,
    doc: "Of a rule that allows: the rate limit does not hold for those that it names.",
    flag: { about: "of a rule that allows: the rate limit does not hold either" },
  }),
}, { identity: ["action", "type", "value"], rule: checkRule });

/** A rule before the database gives it an id. Times are milliseconds since 1970. */
export type RuleSettings = ValueOf<typeof RULE>;

/** How reasons of bans begin that the proxy makes on its own, by which they are known. */
export const AUTO_REASON = "auto: ";

/**
 * Whether the proxy itself made the rule, for a time. Such rules are nobody's wish: a file that does
 * not name them leaves them alone.
 */
export function isAutomaticBan({ reason, expiresAt }: RuleSettings): boolean {
  return expiresAt !== undefined && reason.startsWith(AUTO_REASON);
}

/** Whether a rule blocks for a time: whatever the truth about the state is, such rules come and go. */
export function isTimedBlock({ action, expiresAt }: RuleSettings): boolean {
  return expiresAt !== undefined && action !== "allow";
}

/** The value of a rule of one type, for lists of them. */
export function ruleValue(type: RuleType): Kind<string> {
  return parsed(ruleValueDoc(type), (text) => parseNewRule(type, text));
}

interface Checked {
  readonly type: string;
  readonly value: string;
  readonly action?: string;
  readonly skipRateLimit?: boolean;
}

/** What takes two fields. */
function checkRule(rule: Checked, place: Place): { value: string } | undefined {
  if (rule.skipRateLimit === true && rule.action !== "allow") {
    const at = [...place.path, "skip_rate_limit"];
    place.report.problem(at, "only a rule that allows exempts from the rate limit");
  }
  return checkValue(rule, place);
}

/** What a value may be depends on the type next to it. */
function checkValue(
  { type, value }: Checked,
  { path, report }: Place,
): { value: string } | undefined {
  const at = [...path, "value"];
  // Reported already.
  if (report.hasProblem([...path, "type"]) || report.hasProblem(at)) return undefined;
  const result = parseNewRule(type, value);
  if (result.ok) return { value: result.value };
  report.problem(at, `${quote(value)} is invalid: ${result.reason}`, { reason: result.reason });
}

/** What it may be is for {@link checkValue}. */
function anyText(text: string) {
  return { ok: true, value: text } as const;
}
