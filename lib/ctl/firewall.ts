import {
  fieldsOf,
  type FlagValues,
  formatExactDuration,
  formatTime,
  UsageError,
} from "../terminal/mod.ts";
import { durationFromMs, durationMs, timestampMs } from "@bufbuild/protobuf/wkt";
import {
  AddFirewallRuleRequestSchema,
  AddFirewallRuleResponseSchema,
  GetFirewallRulesResponseSchema,
  ReloadGeoIPResponseSchema,
  RemoveFirewallRuleResponseSchema,
  SetRateLimitResponseSchema,
} from "../admin/gen/mod.ts";
import type { FirewallRule, RateLimit } from "../client/mod.ts";
import { toMessage } from "../messages/mod.ts";
import { RULE } from "../state/mod.ts";
import { refuseDangerous } from "./dangerous_rules.ts";
import { replayLines } from "./history.ts";
import { liveWords, type Session } from "./session.ts";

export async function listRules(session: Session): Promise<void> {
  const found = await session.client.getFirewallRules({});
  session.answer(GetFirewallRulesResponseSchema, found, ({ rules, rateLimit }) => [
    ...session.table(rules, [
      { title: "ID", value: ({ id }) => `${id}`, right: true },
      { title: "ACTION", value: ({ action }) => action || "block" },
      { title: "TYPE", value: ({ type }) => type },
      { title: "VALUE", value: ({ value }) => value },
      // Connections that are let in are not counted by rule.
      {
        title: "HITS",
        value: ({ action, hits }) => action === "allow" ? "—" : `${hits}`,
        right: true,
      },
      { title: "ENDS", value: endOf },
      { title: "REASON", value: ({ reason }) => reason },
    ], "no rules"),
    `rate limit: ${rateLimitWords(rateLimit)}`,
  ]);
}

/** The flags of a rule that are not fields of it. */
export interface RuleFlags {
  readonly ttl?: number;
  readonly close?: boolean;
  readonly yes?: boolean;
  readonly dryRun?: boolean;
  readonly replay?: number;
}

const DAY_MS = 86_400_000;

function replayOf(dryRun: boolean, replay: number | undefined): number | undefined {
  if (!dryRun && replay !== undefined) throw new UsageError("--replay needs --dry-run");
  return dryRun ? replay ?? DAY_MS : undefined;
}

export async function addRule(
  session: Session,
  { type, value }: { type: string; value: string },
  { ttl, close = false, yes = false, dryRun = false, replay: asked, ...flags }:
    & FlagValues
    & RuleFlags,
): Promise<void> {
  const replay = replayOf(dryRun, asked);
  const rule = { reason: "", ...fieldsOf(RULE.shape, flags), type, value };
  if (!yes && !dryRun) await refuseDangerous(session, [rule]);
  const done = await session.client.addFirewallRule({
    ...toMessage(RULE.shape, AddFirewallRuleRequestSchema, rule),
    closeConnections: close,
    dryRun,
    ...ttl !== undefined && { ttl: durationFromMs(ttl) },
    ...replay !== undefined && { replay: durationFromMs(replay) },
  });
  session.answer(AddFirewallRuleResponseSchema, done, (answer) => {
    const { rule, liveConnections, closedConnections } = answer;
    const end = rule?.expiresAt === undefined ? "" : ` until ${endOf(rule)}`;
    if (dryRun) {
      return [
        `would add the rule ${ruleWords(rule)}${end}`,
        ...replayLines(answer.replay, session),
      ];
    }
    return [
      `added rule #${rule?.id}: ${ruleWords(rule)}${end}${
        liveWords(liveConnections, closedConnections)
      }`,
    ];
  });
}

export async function removeRule(
  session: Session,
  { type, value }: { type?: string | undefined; value?: string | undefined },
  { id, action }: { id?: bigint; action?: string },
): Promise<void> {
  if (id === undefined && (type === undefined || value === undefined)) {
    throw new UsageError("give TYPE and VALUE, or --id");
  }
  const named = { type: type ?? "", value: value ?? "", ...action !== undefined && { action } };
  const done = await session.client.removeFirewallRule(id === undefined ? named : { id });
  session.answer(RemoveFirewallRuleResponseSchema, done, ({ rule }) => [
    `removed rule #${rule?.id}: ${ruleWords(rule)}${
      rule?.action === "allow" ? "" : ` (${rule?.hits} hits)`
    }`,
  ]);
}

/** A rule in words. */
function ruleWords(rule: FirewallRule | undefined): string {
  const allows = rule?.action === "allow" ? "allow " : "";
  const limit = rule?.skipRateLimit ? ", without the rate limit" : "";
  return `${allows}${rule?.type} ${rule?.value}${limit}`;
}

export async function setRateLimit(
  session: Session,
  limit: number,
  windowMs: number | undefined,
): Promise<void> {
  if (limit > 0 && windowMs === undefined) throw new UsageError("give a WINDOW, such as 10s");
  const done = await session.client.setRateLimit({
    rateLimit: { limit, ...windowMs !== undefined && { window: durationFromMs(windowMs) } },
  });
  session.answer(SetRateLimitResponseSchema, done, ({ rateLimit }) => [
    `rate limit: ${rateLimitWords(rateLimit)}`,
  ]);
}

export async function reloadGeoIp(session: Session): Promise<void> {
  const done = await session.client.reloadGeoIP({});
  session.answer(ReloadGeoIPResponseSchema, done, ({ geoip }) => {
    const built = geoip?.buildTime === undefined ? "" : formatTime(timestampMs(geoip.buildTime));
    return [`reloaded ${geoip?.databaseType}, built ${built}`];
  });
}

/** A limit in words. */
export function rateLimitWords(rateLimit: RateLimit | undefined): string {
  if (rateLimit === undefined || rateLimit.limit === 0) return "off";
  const window = rateLimit.window === undefined ? 0 : durationMs(rateLimit.window);
  return `${rateLimit.limit} new connections per address in ${formatExactDuration(window)}`;
}

function endOf({ expiresAt }: FirewallRule): string {
  return expiresAt === undefined ? "never" : formatTime(timestampMs(expiresAt));
}
