import { type OctetString, type RecordSet, TYPE } from "../dns/mod.ts";
import { readSoa } from "./negative.ts";
import { setOf } from "./node_chunk.ts";
import { NodeEdits } from "./node_edits.ts";
import { LookUp, type Zone, type ZoneTable } from "./zone.ts";

/** What becomes of the records of one name and type. */
export interface SetChange {
  readonly name: OctetString;
  readonly type: number;
  /** Absent: there are none any more. */
  readonly set?: RecordSet;
}

/** How the zones of a server change. */
export type ZoneChange =
  | { readonly kind: "set"; readonly zone: Zone }
  | {
    readonly kind: "amend";
    readonly origin: OctetString;
    readonly sets: readonly SetChange[];
  }
  | { readonly kind: "remove"; readonly origin: OctetString }
  | { readonly kind: "expire"; readonly origin: OctetString; readonly isExpired: boolean };

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
export function applyZoneChange(table: ZoneTable, change: ZoneChange): ZoneTable {
  switch (change.kind) {
    case "set":
      return table.with(change.zone);
    case "remove":
      return table.without(change.origin);
    case "amend": {
      const zone = table.at(change.origin);
      return zone === undefined ? table : table.with(amendZone(zone, change.sets));
    }
    case "expire": {
      const zone = table.at(change.origin);
      return zone === undefined ? table : table.with({ ...zone, isExpired: change.isExpired });
    }
  }
}

/**
 * A zone with some sets of records in the place of those it has; the zone itself stays as it is. What
 * rules a zone keeps is for whoever makes the change to look at.
 */
export function amendZone(zone: Zone, changes: readonly SetChange[]): Zone {
  const edits = new NodeEdits(zone.nodes, zone.apexKey);
  for (const { name, type, set } of changes) {
    const lookUp = new LookUp(name);
    const known = edits.get(lookUp.key);
    if (known === undefined && set === undefined) continue;
    const others = known?.sets.filter((other) => other.type !== type) ?? [];
    const sets = set === undefined ? others : [...others, set];
    // As the oldest of its records spells it.
    edits.put(lookUp, { name: others.length > 0 && known ? known.name : name, sets });
    if (sets.length === 0) edits.prune(lookUp);
  }
  const nodes = edits.finish();
  const apex = nodes.get(zone.apexKey) ?? zone.apex;
  const soa = setOf(apex, TYPE.SOA);
  return { ...zone, nodes, apex, ...soa !== undefined && readSoa(soa) };
}
