import { type Name, nameToText, octetString, typeFromText } from "../dns/mod.ts";
import type { AuditEntry } from "../sqlite/mod.ts";
import { type FieldProblem, invalid, invalidFields, missing } from "../queue/mod.ts";
import { ZoneTable } from "../zones/mod.ts";
import { explainName, type Explanation } from "./explain.ts";
import { readOwner, readType, readZoneName, type RecordView, viewOf } from "./parse_requests.ts";
import { PreparedChanges } from "./prepared_changes.ts";
import { RecordChanges } from "./record_changes.ts";
import { type FollowState, SecondaryZones } from "./secondary_zones.ts";
import { ServedZones, type ServedZonesOptions } from "./served_zones.ts";
import type { SetName } from "./set_input.ts";
import { TokenChanges } from "./token_changes.ts";
import { versionOf } from "./version.ts";
import { ZoneChanges } from "./zone_changes.ts";

/** A zone as callers see it. */
export interface ZoneView {
  /** In full, with its last dot. */
  readonly name: string;
  readonly serial: number;
  readonly records: number;
  /** Another one after each change. */
  readonly version: string;
  /** Why it is not served; absent: it is. */
  readonly problem?: string;
  /** Absent: it is our own. */
  readonly secondary?: SecondaryView;
}

/** How a zone is followed that other servers have first. */
export interface SecondaryView extends FollowState {
  readonly primaries: readonly string[];
  /** Who last vouched for it; empty: nobody yet. */
  readonly primary: string;
}

/** What records to list. */
export interface RecordQuery {
  readonly name?: string | undefined;
  readonly type?: string | undefined;
  readonly afterId?: number | undefined;
  readonly limit: number;
}

/** The one writer of a name server: what is asked of zones, records and tokens. */
export class DnsControl {
  readonly #served: ServedZones;
  readonly records: RecordChanges;
  readonly zones: ZoneChanges;
  readonly tokens: TokenChanges;
  readonly secondaries: SecondaryZones;
  readonly prepared: PreparedChanges;

  private constructor(served: ServedZones) {
    this.#served = served;
    this.records = new RecordChanges(served);
    this.zones = new ZoneChanges(served);
    this.tokens = new TokenChanges(served);
    this.secondaries = new SecondaryZones(served, this.records);
    this.prepared = new PreparedChanges(served);
  }

  /**
   * Compiles what the database holds.
   *
   * @throws {DatabaseError}
   */
  static async open(options: ServedZonesOptions): Promise<DnsControl> {
    return new DnsControl(await ServedZones.open(options));
  }

  /** What is served now; the workers' first zones. */
  get table(): ZoneTable {
    return this.#served.table;
  }

  /** Why what is served may not be what the database holds; empty while it is. */
  get problem(): string {
    return this.#served.problem;
  }

  /** The zones, in the order in which they were made; at the end those that have not come yet. */
  listZones(): ZoneView[] {
    const { zones } = this.#served.database;
    const missing = this.secondaries.origins.filter((origin) => zones.find(origin) === undefined);
    const rows = zones.list().map(({ origin }) => origin);
    return [...rows, ...missing].map((origin) => this.zone(origin));
  }

  /** Whether there is such a zone. */
  has(origin: Name): boolean {
    return this.#served.database.zones.find(origin) !== undefined ||
      this.secondaries.primaries(origin) !== undefined;
  }

  /** @throws {RefusedError} `not_found` */
  zone(origin: Name): ZoneView {
    const { database } = this.#served;
    const row = database.zones.find(origin);
    const secondary = this.#secondaryOf(origin);
    if (row === undefined) {
      if (secondary === undefined) throw missing(`the zone ${nameToText(origin)}`);
      const problem = "it has not come from its primary yet";
      const none = { serial: 0, records: 0, version: "0.0" };
      return { name: nameToText(origin), ...none, problem, secondary };
    }
    const serial = database.serial(row);
    const problem = this.#served.brokenBecause(row.origin) ??
      (secondary?.isExpired ? "it has expired: no primary vouches for it" : undefined);
    return {
      name: nameToText(row.origin),
      serial,
      records: database.records.count(row.id),
      version: versionOf(row, { serial }),
      ...problem !== undefined && { problem },
      ...secondary !== undefined && { secondary },
    };
  }

  /** Records of a zone in the order of their ids. */
  listRecords(origin: Name, { name, type, afterId, limit }: RecordQuery): RecordView[] {
    const row = this.#row(origin);
    const problems: FieldProblem[] = [];
    const reading = { origin: row.origin, problems };
    const owner = name === undefined ? undefined : readOwner(name, { ...reading, field: "name" });
    const number = type === undefined ? undefined : readType(type, { problems, field: "type" });
    if (problems.length > 0) throw invalidFields(problems);
    const filter = { name: owner, type: number, afterId, limit };
    return this.#served.database.records.page(row.id, filter).map(viewOf);
  }

  /** @throws {RefusedError} `not_found` */
  record(origin: Name, id: number): RecordView {
    const record = this.#served.database.records.get(this.#row(origin).id, id);
    if (record === undefined) throw missing(`the record ${id} of the zone ${nameToText(origin)}`);
    return viewOf(record);
  }

  /** The records of a name and type; none if there are none. */
  set(origin: Name, { name, type }: SetName): RecordView[] {
    const limit = Number.MAX_SAFE_INTEGER;
    return this.listRecords(origin, { name, type, limit });
  }

  /** What was changed, the latest first. */
  audit(options: { readonly limit: number; readonly beforeId?: number | undefined }): AuditEntry[] {
    return this.#served.database.audit.list(options);
  }

  /** What a question would be answered from the zones, and why. */
  explain({ name, type }: SetName): Explanation {
    const number = typeFromText(type);
    if (!number.ok) throw invalid("type", number.reason);
    return explainName(this.table, { name: readZoneName(name, "name"), type: number.value });
  }

  /**
   * Writes a database that was removed or replaced while the program runs back from what is open.
   *
   * @throws {DatabaseError}
   */
  writeBack(signal?: AbortSignal): Promise<{ readonly aside: string | undefined }> {
    const { safekeeping } = this.#served.database;
    return this.#served.exclusive(async () => {
      if (safekeeping === undefined) throw missing("the database's file");
      const { aside } = await safekeeping.writeBack();
      return { aside };
    }, signal);
  }

  /** How much there is. */
  get counts(): { readonly zones: number; readonly records: number; readonly revision: number } {
    const { database } = this.#served;
    const { zones, records, audit } = database;
    return { zones: zones.list().length, records: records.count(), revision: audit.revision };
  }

  /** Takes no more changes; resolves when those that were asked for are made or refused. */
  close(): Promise<void> {
    return this.#served.close();
  }

  #secondaryOf(origin: Name): SecondaryView | undefined {
    const { secondaries } = this;
    const primaries = secondaries.primaries(origin);
    if (primaries === undefined) return undefined;
    const held = secondaries.held(origin);
    const state = secondaries.follower?.state(origin) ?? {
      ...{ failures: 0, lastError: "", refreshedAt: held?.refreshedAt },
      isExpired: this.table.at(octetString(origin))?.isExpired === true,
    };
    return { primaries, primary: held?.primary ?? "", ...state };
  }

  #row(origin: Name) {
    const row = this.#served.database.zones.find(origin);
    if (row === undefined) throw missing(`the zone ${nameToText(origin)}`);
    return row;
  }
}
