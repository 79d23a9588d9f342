import {
  blockOf,
  cidrContains,
  formatCidr,
  formatIp,
  type IpAddress,
  maskIp,
  parseIp,
} from "../addr/mod.ts";
import type { BanConfig } from "../config/mod.ts";
import { createFirewall, type GeoIp, Offences } from "../firewall/mod.ts";
import {
  type ConnectionEvent,
  describeError,
  type LogSink,
  type RequestEvent,
} from "../observe/mod.ts";
import type { Snapshot } from "../plane/mod.ts";
import { formatDuration } from "../schema/mod.ts";
import { AUTO_REASON, type RuleSettings } from "../state/mod.ts";
import * as differences from "./differences.ts";
import type { RuleExpiry } from "./expiry.ts";
import type { Operation } from "./operation.ts";
import type { ServedState } from "./served_state.ts";

/** Bans that are in force at once: who has more attackers than that blocks networks or countries. */
const MAX_BANS = 10_000;
/** Bans gather for so long, to be one change: a botnet comes all at once. */
const GATHER_MS = 50;
/** Bans that wait; those beyond come again. */
const MAX_WAITING = 1000;
/** How often the log says that there are too many. */
const COMPLAIN_MS = 60_000;

const OPERATION: Operation = { actor: "auto", action: "Ban" };

/** What an {@link AutoBans} works with. */
export interface AutoBansOptions {
  readonly bans: readonly BanConfig[];
  readonly state: ServedState;
  readonly expiry: Pick<RuleExpiry, "schedule">;
  /** Whether nobody may ban an address. */
  readonly isProtected: (ip: IpAddress) => boolean;
  /** What counts as one source among IPv6 addresses, in bits. */
  readonly ipv6Prefix: number;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly log: LogSink;
  /** Default: 10,000. */
  readonly maxBans?: number;
}

/** One `[[ban]]`, and who is on the way to it. */
interface Watch {
  readonly ban: BanConfig;
  readonly causes: ReadonlySet<string>;
  readonly offences: Offences;
}

type Source = Pick<RuleSettings, "type" | "value">;

/**
 * Bans sources that go on doing what `[[ban]]` names: each gets a rule of the firewall that ends on
 * its own, stored and audited like those of an operator.
 */
export class AutoBans {
  readonly #options: AutoBansOptions;
  readonly #watches: readonly Watch[];
  /** By the value of the rule. */
  readonly #waiting = new Map<string, RuleSettings>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #complainedAt = -Infinity;
  #closed = false;

  constructor(options: AutoBansOptions) {
    this.#options = options;
    this.#watches = options.bans.map((ban) => {
      const { on, count, withinMs } = ban;
      return { ban, causes: new Set(on), offences: new Offences({ count, withinMs }) };
    });
  }

  /** A connection has ended. */
  noteConnection({ outcome, client }: ConnectionEvent): void {
    this.#note(outcome, client);
  }

  /** A request was answered. */
  noteRequest({ policy, client }: RequestEvent): void {
    if (policy !== undefined) this.#note("policy", client);
  }

  /** Bans nobody any more. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  #note(cause: string, client: string): void {
    for (const { ban, causes, offences } of this.#watches) {
      if (!causes.has(cause)) continue;
      const ip = addressOf(client);
      if (ip === undefined) return;
      const source = this.#sourceOf(ip);
      if (!offences.note(source.value, performance.now())) continue;
      if (this.#options.isProtected(ip)) continue;
      this.#ban(source, ban);
    }
  }

  /** The address, or what one customer has of IPv6. */
  #sourceOf(ip: IpAddress): Source {
    if (ip.family === 4) return { type: "ip", value: formatIp(ip) };
    const { ipv6Prefix: prefixLength } = this.#options;
    return { type: "cidr", value: formatCidr({ address: maskIp(ip, prefixLength), prefixLength }) };
  }

  #ban(source: Source, { on, count, withinMs, forMs }: BanConfig): void {
    if (this.#closed || this.#waiting.size >= MAX_WAITING) return;
    const reason = `${AUTO_REASON}${count} × ${on.join(", ")} within ${formatDuration(withinMs)}`;
    const expiresAt = this.#options.now() + forMs;
    const before = this.#waiting.get(source.value);
    if (before?.expiresAt !== undefined && before.expiresAt >= expiresAt) return;
    this.#waiting.set(source.value, { ...source, reason, expiresAt });
    this.#timer ??= setTimeout(() => void this.#commit(), GATHER_MS);
  }

  async #commit(): Promise<void> {
    const { state, expiry, now, log } = this.#options;
    try {
      await state.exclusive(async () => {
        this.#timer = undefined;
        const wanted = [...this.#waiting.values()];
        this.#waiting.clear();
        // It is the other process's business, which sees the same strangers.
        if ((state.database.role?.look() ?? "ours") !== "ours") return;
        const rules = this.#fitting(wanted);
        const createdAt = now();
        const added = rules.map((rule) => differences.addRule({ ...rule, createdAt }));
        await state.commit(added, OPERATION);
        for (const { type, value, reason, expiresAt = 0 } of rules) {
          const fields = {
            rule: `${type} ${value}`,
            reason,
            until: new Date(expiresAt).toISOString(),
          };
          log({ level: "info", message: "source banned", fields });
        }
      });
      expiry.schedule();
    } catch (error) {
      if (this.#closed) return;
      this.#timer = undefined;
      // Whoever goes on is noticed again.
      const fields = { error: describeError(error) };
      log({ level: "error", message: "sources could not be banned", fields });
    }
  }

  /** Those that are not blocked yet, as many as there may be. */
  #fitting(wanted: readonly RuleSettings[]): RuleSettings[] {
    const { state: { database: { rules }, limits }, maxBans = MAX_BANS } = this.#options;
    const fresh = wanted.filter(({ type, value }) => rules.find({ type, value }) === undefined);
    const room = Math.min(maxBans - rules.countReasons(AUTO_REASON), limits.rules - rules.size);
    if (fresh.length > room) this.#complain(fresh.length - Math.max(0, room), maxBans);
    return fresh.slice(0, Math.max(0, room));
  }

  #complain(count: number, most: number): void {
    const now = performance.now();
    if (now - this.#complainedAt < COMPLAIN_MS) return;
    this.#complainedAt = now;
    const message = "sources not banned, there are as many bans as there may be";
    this.#options.log({ level: "warn", message, fields: { count, most } });
  }
}

/** Whether refused requests count, which are events of their own. */
export function countsRequests(bans: readonly BanConfig[]): boolean {
  return bans.some(({ on }) => on.includes("policy"));
}

/**
 * Whether nobody may ban an address: a rule allows it, or it is a proxy in front of us, which stands
 * for all its clients.
 */
export function isProtected(
  ip: IpAddress,
  { listeners, firewall: { rules } }: Snapshot,
  geoip: GeoIp | undefined,
): boolean {
  if (rules.allowed !== undefined && createFirewall(rules, geoip).allowing(ip) !== undefined) {
    return true;
  }
  return listeners.some(({ trustedProxies }) =>
    trustedProxies.some((block) => cidrContains(blockOf(block, "trusted_proxies"), ip))
  );
}

/** The address in `ip:port`. */
function addressOf(endpoint: string): IpAddress | undefined {
  const host = endpoint.slice(0, endpoint.lastIndexOf(":"));
  const ip = parseIp(host.startsWith("[") ? host.slice(1, -1) : host);
  return ip.ok ? ip.value : undefined;
}
