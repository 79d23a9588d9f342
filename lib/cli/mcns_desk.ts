import { parseBackendEndpoint } from "../addr/mod.ts";
import {
  answerCode,
  foldCase,
  nameFromText,
  nameKey,
  nameToText,
  octetsOf,
  type OctetString,
  octetString,
  parseMessage,
  typeFromText,
  type ZoneRecord,
} from "../dns/mod.ts";
import type { McnsConfig, ZoneConfig } from "../dns_config/mod.ts";
import type { DnsControl } from "../dns_control/mod.ts";
import type { Ask, ServicesSettings, Told } from "../dns_server/mod.ts";
import type { DnsDatabase } from "../dns_store/mod.ts";
import { type PlannedUpdate, type UpdateGrant, Updates } from "../dns_update/mod.ts";
import { describeError, type LogSink } from "../observe/mod.ts";
import { Notifier, type NotifyTarget } from "../replication/mod.ts";
import type { FollowedZones } from "./mcns_secondaries.ts";
import type { Step, TransferRecord } from "../transfer/mod.ts";
import { createTsigKey, type TsigKey } from "../tsig/mod.ts";
import type { Zone, ZoneChange } from "../zones/mod.ts";

const NOT_AUTHORITATIVE = 9;

/** What was asked for, and what came of it, since the start. */
export interface DeskCounts {
  /** Dynamic updates by the code that they were answered. */
  readonly updates: Map<number, number>;
  /** News to secondaries. */
  readonly notifies: { heard: number; silent: number };
}

/** What a {@link ZoneDesk} is made of. */
export interface ZoneDeskOptions {
  readonly config: McnsConfig;
  readonly services: ServicesSettings | undefined;
  readonly control: () => DnsControl | undefined;
  readonly database: DnsDatabase;
  readonly log: LogSink;
}

/**
 * What other servers and clients want of zones beside answers: what changed, to be told of it, and
 * changes. Workers pass it on, as they have neither the journal nor the right.
 */
export class ZoneDesk implements Disposable {
  readonly #options: ZoneDeskOptions;
  #zones: ReadonlyMap<OctetString, ZoneConfig> = new Map();
  #updates: Updates | undefined;
  readonly #notifier: Notifier;
  readonly counts: DeskCounts = { updates: new Map(), notifies: { heard: 0, silent: 0 } };
  /** Of the configuration. */
  keys: readonly TsigKey[] = [];
  /** Hears what primaries say; absent: nobody does. */
  followed: FollowedZones | undefined;

  constructor(options: ZoneDeskOptions) {
    this.#options = options;
    this.#notifier = this.#createNotifier();
    this.update(options);
  }

  /** Takes the keys and zones of another configuration; what is under way ends as it began. */
  update({ config: { dns }, services }: Pick<ZoneDeskOptions, "config" | "services">): void {
    const { log } = this.#options;
    this.#zones = new Map(dns.zones.map((zone) => [originOf(zone.zone), zone]));
    const keys = this.keys = (services?.keys ?? []).flatMap((own) => {
      const key = createTsigKey(own);
      return key.ok ? [key.value] : []; // They were checked.
    });
    const now = () => Math.floor(Date.now() / 1000);
    this.#updates = new Updates({
      ...{ keys, now },
      zoneAt: (origin) => this.#changeable(origin),
      grantsOf: (zone, key) => this.#grantsOf(zone, key),
      apply: (zone, plan, { key }) => this.#apply(zone, plan, key),
      onAnswer: ({ code, origin, key, reason }) => {
        this.counts.updates.set(code, (this.counts.updates.get(code) ?? 0) + 1);
        if (code === 0) return; // The audit log has it.
        const fields = {
          code,
          ...key && { key: nameToText(key.name) },
          ...origin !== undefined && { zone: nameToText(octetsOf(origin)) },
          ...reason !== undefined && { reason },
        };
        log({ level: "info", message: "an update was refused", fields });
      },
    });
  }

  #createNotifier(): Notifier {
    const { log } = this.#options;
    return new Notifier({
      onHeard: () => void this.counts.notifies.heard++,
      onSilent: ({ hostname, port }, zone) => {
        this.counts.notifies.silent++;
        const fields = { zone: nameToText(zone), hostname, port };
        log({ level: "warn", message: "a server does not hear that a zone has changed", fields });
      },
    });
  }

  /** The answer to what a worker asks. */
  async answer(what: Ask): Promise<Told | undefined> {
    if (what.kind === "journal") {
      const steps = this.#journal(what.origin, what.serial);
      return steps && { steps };
    }
    const octets = await this.followed?.hear(what.octets, what.host) ??
      await this.#updates?.respond(what.octets) ?? refuseOther(what.octets);
    return octets && { octets };
  }

  /** Zones have changed: whoever follows them is told. */
  changed(change: ZoneChange): void {
    const origin = change.kind === "set" ? change.zone.origin : change.origin;
    const zone = this.#zones.get(foldCase(origin));
    const isNews = change.kind === "amend" || (change.kind === "set" && !change.zone.isExpired);
    if (zone === undefined || !isNews) return;
    const { notifyKey } = zone;
    const key = this.keys.find(({ name }) => notifyKey && nameKey(name) === originOf(notifyKey));
    const targets = zone.notify.map((text): NotifyTarget => ({ ...targetOf(text), key }));
    this.#notifier.notify(octetsOf(origin), targets);
  }

  [Symbol.dispose](): void {
    this.#notifier[Symbol.dispose]();
  }

  #changeable(origin: OctetString): Zone | undefined {
    const control = this.#options.control();
    const isOurs = (this.#zones.get(foldCase(origin))?.update.length ?? 0) > 0;
    // Of a secondary zone no key may change anything, which is said rather than that it is not here.
    const isKnown = isOurs || control?.secondaries.primaries(octetsOf(origin)) !== undefined;
    return isKnown ? control?.table.at(origin) : undefined;
  }

  #grantsOf({ apexKey }: Zone, key: TsigKey): UpdateGrant[] {
    const grants = this.#zones.get(apexKey)?.update ?? [];
    return grants.filter((grant) => originOf(grant.key) === nameKey(key.name)).map((grant) => ({
      name: originOf(grant.name),
      isTree: grant.below,
      ...grant.types.length > 0 && {
        types: grant.types.flatMap((text) => {
          const type = typeFromText(text);
          return type.ok ? [type.value] : [];
        }),
      },
    }));
  }

  async #apply(zone: Zone, { removed, added }: PlannedUpdate, key: TsigKey): Promise<void> {
    const actor = `key ${nameToText(key.name)}`;
    const changes = { removed: removed.map(toZoneRecord), added: added.map(toZoneRecord) };
    try {
      await this.#options.control()?.records.exchange(zone, changes, { actor, action: "Update" });
    } catch (error) {
      const fields = { zone: nameToText(octetsOf(zone.origin)), error: describeError(error) };
      this.#options.log({ level: "error", message: "an update was not made", fields });
      throw error;
    }
  }

  #journal(origin: OctetString, serial: number): Step[] | undefined {
    const { database } = this.#options;
    const row = database.zones.find(octetsOf(origin));
    const steps = row && database.journal.since(row.id, serial);
    return steps?.map(({ from, to, removed, added }) => ({
      ...{ from, to },
      removed: removed.map(toTransferRecord),
      added: added.map(toTransferRecord),
    }));
  }
}

/** RFC 1996 §3.11: of zones that we have first nobody has to tell us. */
function refuseOther(octets: Uint8Array): Uint8Array | undefined {
  return parseMessage(octets).ok ? answerCode(octets, NOT_AUTHORITATIVE) : answerCode(octets, 1);
}

function targetOf(text: string): NotifyTarget {
  const endpoint = parseBackendEndpoint(text);
  if (!endpoint.ok) throw new TypeError(`${text}: ${endpoint.reason}`); // It was checked.
  return { hostname: endpoint.value.host, port: endpoint.value.port };
}

function originOf(text: string): OctetString {
  const name = nameFromText(text);
  if (!name.ok) throw new TypeError(`${text}: ${name.reason}`); // It was checked.
  return nameKey(name.value);
}

function toZoneRecord({ name, type, ttl, data }: TransferRecord): ZoneRecord {
  return { name: octetsOf(name), type, ttl, data: octetsOf(data) };
}

function toTransferRecord({ name, type, ttl, data }: ZoneRecord): TransferRecord {
  return { name: octetString(name), type, ttl, data: octetString(data) };
}
