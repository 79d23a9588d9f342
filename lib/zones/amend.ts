import { type OctetString, type RecordSet, TYPE } from "../dns/mod.ts";
import { readSoa } from "./negative.ts";
import { LookUp, setOf, type Zone, type ZoneNode, type ZoneTable } from "./zone.ts";

/** What becomes of the records of one name and type. */
export interface SetChange {
  readonly name: OctetString;
  readonly type: number;
  /** Absent: there are none any more. */
  readonly set?: RecordSet;
}

/** How a zone is amended. */
export interface AmendOptions {
  /**
   * Whether the zone before need not outlive the change, whose memory then becomes that of the zone
   * after: a million names are not copied for one. Default: `false`.
   */
  readonly inPlace?: boolean;
}

/** How the zones of a server change; it can be sent to another thread. */
export type ZoneChange =
  | { readonly kind: "set"; readonly zone: Zone }
  | {
    readonly kind: "amend";
    readonly origin: OctetString;
    readonly sets: readonly SetChange[];
  }
  | { readonly kind: "remove"; readonly origin: OctetString };

/**
 * A table with a change made; one about a zone that is not there changes nothing.
 *
 * @example
 * ```ts
 * import { applyZoneChange, ZoneTable } from "./mod.ts";
 * import assert from "node:assert/strict";
 *
 * const table = applyZoneChange(new ZoneTable(), { kind: "remove", origin: "\0" });
 * assert.equal(table.size, 0);
 * ```
 */
export function applyZoneChange(
  table: ZoneTable,
  change: ZoneChange,
  options: AmendOptions = {},
): ZoneTable {
  switch (change.kind) {
    case "set":
      return table.with(change.zone);
    case "remove":
      return table.without(change.origin);
    case "amend": {
      const zone = table.at(change.origin);
      return zone === undefined ? table : table.with(amendZone(zone, change.sets, options));
    }
  }
}

/**
 * A zone with some sets of records in the place of those it has; the zone itself stays as it is. What
 * rules a zone keeps is for whoever makes the change to look at.
 */
export function amendZone(
  zone: Zone,
  changes: readonly SetChange[],
  { inPlace = false }: AmendOptions = {},
): Zone {
  const nodes = inPlace ? zone.nodes as Map<OctetString, ZoneNode> : new Map(zone.nodes);
  for (const { name, type, set } of changes) {
    const lookUp = new LookUp(name);
    const known = nodes.get(lookUp.key);
    if (known === undefined && set === undefined) continue;
    const others = known?.sets.filter((other) => other.type !== type) ?? [];
    const sets = set === undefined ? others : [...others, set];
    if (known === undefined) addAbove(nodes, lookUp, zone);
    // As the oldest of its records spells it.
    nodes.set(lookUp.key, { name: others.length > 0 && known ? known.name : name, sets });
    if (sets.length === 0) prune(nodes, lookUp, zone);
  }
  const apex = nodes.get(zone.apexKey) ?? zone.apex;
  const soa = setOf(apex, TYPE.SOA);
  return { ...zone, nodes, apex, ...soa !== undefined && readSoa(soa) };
}

/** The names between a new one and the apex, down from the first that is there. */
function addAbove(
  nodes: Map<OctetString, ZoneNode>,
  { name, key, starts }: LookUp,
  { apexKey }: Zone,
): void {
  for (const start of starts.slice(1)) {
    if (key.length - start <= apexKey.length) return;
    const above = key.slice(start);
    if (nodes.has(above)) return;
    nodes.set(above, { name: name.slice(start), sets: [] });
  }
}

/** Removes a name that has nothing, unless there are names below it, and then those above it. */
function prune(
  nodes: Map<OctetString, ZoneNode>,
  { key, starts }: LookUp,
  { apexKey }: Zone,
): void {
  for (const start of starts) {
    const own = key.slice(start);
    if (own.length <= apexKey.length) return;
    if ((nodes.get(own)?.sets.length ?? 0) > 0 || hasBelow(nodes, own)) return;
    nodes.delete(own);
  }
}

function hasBelow(nodes: ReadonlyMap<OctetString, ZoneNode>, key: OctetString): boolean {
  for (const other of nodes.keys()) {
    if (other.length <= key.length || !other.endsWith(key)) continue;
    if (new LookUp(other).isBelow(key)) return true;
  }
  return false;
}
