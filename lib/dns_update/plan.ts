import { isLaterSerial, type OctetString, serialIn, TYPE } from "../dns/mod.ts";
import type { Zone } from "../zones/mod.ts";
import { allows, isBelow, type UpdateGrant } from "./grant.ts";
import { type Change, type ChangedRecord, type Update, UPDATE_CODE } from "./message.ts";
import { checkPrerequisites } from "./prerequisites.ts";

/** A record, as the zone has it or is to have it. */
export interface PlannedRecord {
  readonly name: OctetString;
  readonly type: number;
  readonly ttl: number;
  readonly data: OctetString;
}

/** What changes come to. */
export type UpdatePlan =
  | { readonly kind: "refused"; readonly code: number; readonly reason: string }
  /** All is as it is to be. */
  | { readonly kind: "unchanged" }
  | {
    readonly kind: "changed";
    readonly removed: readonly PlannedRecord[];
    readonly added: readonly PlannedRecord[];
    /** Whether a SOA record with a serial of its own is among them; if not, the serial is bumped. */
    readonly hasSerial: boolean;
  };

/** One name while it changes: its records by type and data. */
type Sets = Map<number, Map<OctetString, PlannedRecord>>;

/**
 * What the changes of a message come to in a zone: in its order, each seeing those before it, all of
 * them or none (RFC 2136 §3). What would leave the zone without its SOA record or its last NS record,
 * or put something beside an alias, is passed over in silence, as the RFC has it.
 */
export function planUpdate(
  zone: Zone,
  update: Update,
  grants: readonly UpdateGrant[],
): UpdatePlan {
  const unmet = checkPrerequisites(zone, update.prerequisites);
  if (unmet !== UPDATE_CODE.noError) return refused(unmet, "a prerequisite is not met");
  for (const change of update.changes) {
    const key = keyOf(change);
    if (key !== zone.apexKey && !isBelow(key, zone.apexKey)) {
      return refused(UPDATE_CODE.notZone, "a name is outside of the zone");
    }
    if (!allows(grants, change)) {
      return refused(UPDATE_CODE.refused, "the key may not change this");
    }
  }
  const names = new Map<OctetString, Sets>();
  for (const change of update.changes) {
    const key = keyOf(change);
    let sets = names.get(key);
    if (sets === undefined) names.set(key, sets = setsOf(zone, key));
    apply(change, sets, key === zone.apexKey);
  }
  return differenceOf(zone, names);
}

function apply(change: Change, sets: Sets, isApex: boolean): void {
  switch (change.kind) {
    case "add":
      return add(change.record, sets, isApex);
    case "remove":
      return remove(change.record, sets, isApex);
    case "remove_set":
      if (!(isApex && isKept(change.type))) sets.delete(change.type);
      return;
    case "remove_name":
      for (const type of [...sets.keys()]) {
        if (!(isApex && isKept(type))) sets.delete(type);
      }
  }
}

/** RFC 2136 §3.4.2.2. */
function add(record: ChangedRecord, sets: Sets, isApex: boolean): void {
  const { type, data } = record;
  if (type === TYPE.SOA) {
    const [own] = sets.get(TYPE.SOA)?.keys() ?? [];
    const isNewer = own !== undefined && isLaterSerial(serialIn(data), serialIn(own));
    if (!isApex || !isNewer) return;
  }
  const isAlias = type === TYPE.CNAME;
  for (const other of sets.keys()) {
    if (BESIDE_ALIASES.has(other) || BESIDE_ALIASES.has(type)) continue;
    if (isAlias !== (other === TYPE.CNAME)) return;
  }
  const isOne = isAlias || type === TYPE.SOA || type === TYPE.DNAME;
  const set = isOne ? new Map<OctetString, PlannedRecord>() : sets.get(type) ?? new Map();
  sets.set(type, set);
  set.set(data, { name: record.name, type, ttl: record.ttl, data });
  // RFC 2181 §5.2: a set has one TTL, that of the newest.
  for (const [own, old] of set) set.set(own, { ...old, ttl: record.ttl });
}

/** RFC 2136 §3.4.2.4. */
function remove(
  { type, data }: Omit<ChangedRecord, "ttl">,
  sets: Sets,
  isApex: boolean,
): void {
  const set = sets.get(type);
  if (set === undefined || type === TYPE.SOA) return;
  if (isApex && type === TYPE.NS && set.size === 1) return;
  set.delete(data);
  if (set.size === 0) sets.delete(type);
}

/** RFC 2136 §3.4.2.3: what a zone cannot be without. */
function isKept(type: number): boolean {
  return type === TYPE.SOA || type === TYPE.NS;
}

/** They speak of the name itself (RFC 4034 §3 and §4). */
const BESIDE_ALIASES: ReadonlySet<number> = new Set([TYPE.RRSIG, TYPE.NSEC]);

function setsOf(zone: Zone, key: OctetString): Sets {
  const sets: Sets = new Map();
  const node = zone.nodes.get(key);
  for (const { type, ttl, data } of node?.sets ?? []) {
    const name = node?.name ?? key;
    sets.set(type, new Map(data.map((own) => [own, { name, type, ttl, data: own }])));
  }
  return sets;
}

function differenceOf(zone: Zone, names: ReadonlyMap<OctetString, Sets>): UpdatePlan {
  const removed: PlannedRecord[] = [];
  const added: PlannedRecord[] = [];
  for (const [key, sets] of names) {
    const before = setsOf(zone, key);
    for (const type of new Set([...before.keys(), ...sets.keys()])) {
      const old = before.get(type) ?? new Map<OctetString, PlannedRecord>();
      const now = sets.get(type) ?? new Map<OctetString, PlannedRecord>();
      for (const record of old.values()) {
        if (now.get(record.data)?.ttl !== record.ttl) removed.push(record);
      }
      for (const record of now.values()) {
        if (old.get(record.data)?.ttl !== record.ttl) added.push(record);
      }
    }
  }
  if (removed.length + added.length === 0) return { kind: "unchanged" };
  const hasSerial = added.some(({ type }) => type === TYPE.SOA);
  return { kind: "changed", removed, added, hasSerial };
}

function keyOf(change: Change): OctetString {
  return change.kind === "add" || change.kind === "remove" ? change.record.key : change.key;
}

function refused(code: number, reason: string): UpdatePlan {
  return { kind: "refused", code, reason };
}
