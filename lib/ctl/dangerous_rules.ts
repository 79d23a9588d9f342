import { blockOf, cidrContains, formatIp, type IpAddress, parseIp } from "../addr/mod.ts";
import { parseIpOrCidr } from "../state/mod.ts";
import { UsageError } from "../terminal/mod.ts";
import type { Session } from "./session.ts";

/** The widest blocks that are taken for meant: a slip of the keyboard is wider. */
const WIDEST_BITS = { 4: 8, 6: 16 } as const;

/** A rule that is about to be made. */
export interface ProposedRule {
  readonly action?: string;
  readonly type: string;
  readonly value: string;
}

/**
 * Refuses rules that are about everybody, and those that would block the operator who asks: whoever
 * means it says so.
 *
 * @throws {UsageError} naming each of them, and the flag.
 */
export async function refuseDangerous(
  session: Session,
  rules: readonly ProposedRule[],
): Promise<void> {
  const operator = operatorAddress();
  const reasons: string[] = [];
  for (const rule of rules) {
    const reason = widthOf(rule) ?? (operator && await whyOperator(session, rule, operator));
    if (reason !== undefined) reasons.push(`${rule.type} ${rule.value} ${reason}`);
  }
  if (reasons.length > 0) throw new UsageError(`${reasons.join("\n")}\ngive --yes if you mean it`);
}

function widthOf({ type, value }: ProposedRule): string | undefined {
  const block = type === "cidr" ? canonicalBlock(value) : undefined;
  if (block === undefined) return undefined;
  const { address: { family }, prefixLength } = block;
  if (prefixLength >= WIDEST_BITS[family]) return undefined;
  return prefixLength === 0 ? "is every IPv" + family + " address" : "is very wide";
}

async function whyOperator(
  session: Session,
  { action, type, value }: ProposedRule,
  operator: IpAddress,
): Promise<string | undefined> {
  if (action === "allow") return undefined;
  const where = `holds ${formatIp(operator)}, where you are connected from`;
  if (type === "country") {
    return await countryOf(session, operator) === value.toUpperCase() ? where : undefined;
  }
  const block = canonicalBlock(value);
  return block !== undefined && cidrContains(block, operator) ? where : undefined;
}

/** What does not parse is for the proxy to refuse. */
function canonicalBlock(value: string) {
  const parsed = parseIpOrCidr(value);
  return parsed.ok ? blockOf(parsed.value, "rule") : undefined;
}

async function countryOf({ client }: Session, ip: IpAddress): Promise<string> {
  const { listeners } = await client.listListeners({});
  const [first] = listeners;
  if (first?.listener === undefined) return "";
  const { addr: listenerAddr } = first.listener;
  return (await client.explain({ clientIp: formatIp(ip), listenerAddr })).country;
}

/**
 * Where the terminal is, if it is a remote one: sshd(8) says so. Unknown to whoever became another user
 * by a program that clears the environment.
 */
function operatorAddress(): IpAddress | undefined {
  const [client = ""] = readConnection().split(" ", 1);
  const parsed = parseIp(client);
  return parsed.ok ? parsed.value : undefined;
}

function readConnection(): string {
  try {
    return Deno.env.get("SSH_CONNECTION") ?? "";
  } catch {
    return ""; // Run without the permission.
  }
}
