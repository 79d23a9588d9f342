import { blockOf, formatEndpoint, parseBackendEndpoint, parseIp } from "../addr/mod.ts";
import {
  type Name,
  nameEquals,
  nameFromText,
  nameKey,
  nameToText,
  octetsOf,
  type OctetString,
  type ZoneRecord,
} from "../dns/mod.ts";
import type { McnsConfig, SecondaryConfig } from "../dns_config/mod.ts";
import type { DnsControl, Follower, FollowState } from "../dns_control/mod.ts";
import { describeError, type LogSink } from "../observe/mod.ts";
import {
  believeNotify,
  type NotifySource,
  type Primary,
  Secondary,
  type TimerBounds,
  Turns,
} from "../replication/mod.ts";
import type { TransferRecord, TransferResult } from "../transfer/mod.ts";
import type { TsigKey } from "../tsig/mod.ts";

/** Zones that are asked for or transferred at one time: a transfer is held in memory as a whole. */
const AT_ONCE = 16;
/** Refused news is logged no more often: whoever forges it writes our log. */
const LOG_REFUSAL_MS = 1000;
const OPCODE_NOTIFY = 4;

/** What happened since the start. */
export interface FollowCounts {
  readonly transfers: { whole: number; steps: number; failed: number };
  readonly notifies: { believed: number; refused: number };
}

/** What {@link FollowedZones} are made of. */
export interface FollowedZonesOptions {
  readonly control: DnsControl;
  readonly log: LogSink;
}

interface Followed {
  readonly origin: Name;
  readonly secondary: Secondary;
  readonly source: NotifySource;
}

/** The secondary zones of a running server: who is asked for them, when, and whose news is believed. */
export class FollowedZones implements Follower, Disposable {
  readonly counts: FollowCounts = {
    transfers: { whole: 0, steps: 0, failed: 0 },
    notifies: { believed: 0, refused: 0 },
  };
  readonly #options: FollowedZonesOptions;
  readonly #turns = new Turns(AT_ONCE);
  #zones = new Map<OctetString, Followed>();
  #problems: readonly string[] = [];
  #loggedAt = -Infinity;

  constructor(options: FollowedZonesOptions) {
    this.#options = options;
    options.control.secondaries.follower = this;
  }

  /** What is wrong, one sentence each: zones that have expired, or that cannot be followed. */
  get problems(): readonly string[] {
    const expired = [...this.#zones.values()].filter(({ secondary }) => secondary.status.isExpired);
    return [
      ...this.#problems,
      ...expired.map(({ origin, secondary: { status: { lastError } } }) =>
        `the zone ${nameToText(origin)} has expired: ${lastError || "no primary vouches for it"}`
      ),
    ];
  }

  /** The zones that are followed. */
  get origins(): Name[] {
    return Array.from(this.#zones.values(), ({ origin }) => origin);
  }

  /** How current each of them is. */
  samples(): { readonly name: string; readonly serial: number; readonly state: FollowState }[] {
    const { secondaries } = this.#options.control;
    return Array.from(this.#zones.values(), ({ origin, secondary: { status: state } }) => ({
      ...{ name: nameToText(origin), state },
      serial: secondaries.held(origin)?.serial ?? 0,
    }));
  }

  /**
   * Follows the zones of a configuration instead of those before. Those that are too old already are
   * known to be when this resolves; nobody is asked before {@link start}.
   */
  async follow({ dns }: McnsConfig, keys: readonly TsigKey[]): Promise<void> {
    const { control, log } = this.#options;
    for (const { secondary } of this.#zones.values()) secondary[Symbol.dispose]();
    this.#zones = new Map();
    const wanted = new Map(dns.secondary.map((own) => [nameKey(nameOf(own.zone)), own]));
    const primaries = new Map(Array.from(wanted, ([key, own]) => [key, own.primaries]));
    const { refused } = await control.secondaries.declare(primaries);
    this.#problems = [...refused.values()];
    for (const error of this.#problems) {
      log({ level: "error", message: "a zone cannot be followed", fields: { error } });
    }
    const looks: Promise<void>[] = [];
    for (const [key, own] of wanted) {
      if (refused.has(key)) continue;
      const followed = this.#followed(own, keys, (done) => looks.push(done));
      this.#zones.set(key, followed);
      followed.secondary.look();
      // Other bounds may have made it expire, or come back.
      const { isExpired } = followed.secondary.status;
      looks.push(control.secondaries.expire(followed.origin, isExpired));
    }
    await Promise.all(looks);
  }

  /** Asks for all of them. */
  start(): void {
    for (const { secondary } of this.#zones.values()) void secondary.refresh();
  }

  state(origin: Name): FollowState | undefined {
    return this.#zones.get(nameKey(origin))?.secondary.status;
  }

  async refresh(origin: Name, options: { readonly isWhole: boolean }): Promise<void> {
    const secondary = this.#zones.get(nameKey(origin))?.secondary;
    await secondary?.refresh(options);
    const { lastError = "" } = secondary?.status ?? {};
    if (lastError !== "") throw new Error(lastError);
  }

  /** The answer to a message that a zone has changed; undefined: it is none. */
  async hear(octets: Uint8Array, host: string): Promise<Uint8Array | undefined> {
    const address = parseIp(host);
    if (!address.ok || ((octets[2] ?? 0) >> 3 & 15) !== OPCODE_NOTIFY) return undefined;
    const verdict = await believeNotify(octets, {
      address: address.value,
      sourceOf: (zone) => this.#zones.get(zone)?.source,
      time: Math.floor(Date.now() / 1000),
    });
    const { news, refused } = verdict ?? {};
    if (refused !== undefined) this.#noteRefusal(host, refused);
    if (news !== undefined) {
      this.counts.notifies.believed++;
      this.#zones.get(nameKey(octetsOf(news.zone)))?.secondary.told(news.serial);
    }
    return verdict?.octets;
  }

  [Symbol.dispose](): void {
    for (const { secondary } of this.#zones.values()) secondary[Symbol.dispose]();
    this.#zones = new Map();
  }

  #followed(
    config: SecondaryConfig,
    keys: readonly TsigKey[],
    looking: (done: Promise<void>) => void,
  ): Followed {
    const { control: { secondaries }, log } = this.#options;
    const zone = nameOf(config.zone);
    const fields = { zone: config.zone };
    const keyName = config.key === undefined ? undefined : nameOf(config.key);
    const key = keyName && keys.find(({ name }) => nameEquals(name, keyName));
    const servers = config.primaries.map(serverOf);
    const secondary = new Secondary({
      ...{ zone, primaries: servers.map((own): Primary => ({ ...own, key })) },
      held: () => secondaries.held(zone),
      bounds: boundsOf(config),
      turns: this.#turns,
      apply: (result, primary) => this.#apply(zone, result, primary),
      onCurrent: (primary) => secondaries.refreshed(zone, { primary: textOf(primary) }),
      onExpired: (isExpired) => {
        const message = isExpired ? "a zone has expired" : "a zone that had expired is back";
        log({ level: isExpired ? "error" : "info", message, fields });
        looking(
          secondaries.expire(zone, isExpired).catch((error) => {
            const message = "a zone cannot be made to expire, or to come back";
            log({ level: "error", message, fields: { ...fields, error: describeError(error) } });
          }),
        );
      },
      onFailure: (error, primary) => {
        this.counts.transfers.failed++;
        const more = { primary: textOf(primary), error: describeError(error) };
        const message = "a zone does not come from its primary";
        log({ level: "warn", message, fields: { ...fields, ...more } });
      },
    });
    const addresses = servers.map(({ hostname }) => blockOf(hostname, "primaries"));
    const others = config.allowNotify.map((text) => blockOf(text, "allow_notify"));
    return { origin: zone, secondary, source: { from: [...addresses, ...others], key } };
  }

  async #apply(
    zone: Name,
    result: Exclude<TransferResult, { kind: "current" }>,
    server: Primary,
  ): Promise<void> {
    const { control: { secondaries }, log } = this.#options;
    const primary = textOf(server);
    const transferred = result.kind === "whole"
      ? { kind: result.kind, records: result.records.map(toZoneRecord) }
      : {
        kind: result.kind,
        steps: result.steps.map(({ removed, added }) => ({
          removed: removed.map(toZoneRecord),
          added: added.map(toZoneRecord),
        })),
      };
    await secondaries.take(zone, transferred, { primary });
    this.counts.transfers[result.kind]++;
    const serial = secondaries.held(zone)?.serial ?? 0;
    const fields = { zone: nameToText(zone), serial, primary, form: result.kind };
    log({ level: "info", message: "a zone has come from its primary", fields });
  }

  #noteRefusal(host: string, reason: string): void {
    this.counts.notifies.refused++;
    const now = performance.now();
    if (now - this.#loggedAt < LOG_REFUSAL_MS) return;
    this.#loggedAt = now;
    const fields = { client: host, reason };
    this.#options.log({ level: "info", message: "news of a zone was refused", fields });
  }
}

function boundsOf(config: SecondaryConfig): TimerBounds {
  const seconds = (ms: number) => Math.ceil(ms / 1000);
  return {
    minRefresh: seconds(config.minRefreshMs),
    maxRefresh: seconds(config.maxRefreshMs),
    minRetry: seconds(config.minRetryMs),
    maxRetry: seconds(config.maxRetryMs),
    maxExpire: seconds(config.maxExpireMs),
  };
}

function serverOf(text: string): { readonly hostname: string; readonly port: number } {
  const endpoint = parseBackendEndpoint(text);
  if (!endpoint.ok) throw new TypeError(`${text}: ${endpoint.reason}`); // It was checked.
  return { hostname: endpoint.value.host, port: endpoint.value.port };
}

function textOf({ hostname: host, port }: Primary): string {
  return formatEndpoint({ host, port });
}

function nameOf(text: string): Name {
  const name = nameFromText(text);
  if (!name.ok) throw new TypeError(`${text}: ${name.reason}`); // It was checked.
  return name.value;
}

function toZoneRecord({ name, type, ttl, data }: TransferRecord): ZoneRecord {
  return { name: octetsOf(name), type, ttl, data: octetsOf(data) };
}
