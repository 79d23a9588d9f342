import type { OctetString } from "../dns/mod.ts";
import {
  type AmendOptions,
  applyZoneChange,
  type Zone,
  type ZoneChange,
  type ZoneNode,
  type ZoneTable,
} from "../zones/mod.ts";

/** Names in one message: a few milliseconds for whoever reads it, who answers questions in between. */
const NAMES_IN_SLICE = 1000;

/** A part of a change, small enough for one turn of whoever takes it. */
export type ZoneSlice =
  | { readonly kind: "change"; readonly change: ZoneChange }
  /** A zone begins, its names follow. */
  | { readonly kind: "begin"; readonly zone: Omit<Zone, "nodes" | "apex"> }
  | { readonly kind: "names"; readonly nodes: readonly (readonly [OctetString, ZoneNode])[] }
  /** It is whole. */
  | { readonly kind: "end" };

/** A change in slices, in their order. */
export function* sliceChange(change: ZoneChange): Generator<ZoneSlice> {
  if (change.kind !== "set" || change.zone.nodes.size <= NAMES_IN_SLICE) {
    return void (yield { kind: "change", change });
  }
  const { nodes, apex: _, ...zone } = change.zone;
  yield { kind: "begin", zone };
  let slice: (readonly [OctetString, ZoneNode])[] = [];
  for (const entry of nodes) {
    slice.push(entry);
    if (slice.length < NAMES_IN_SLICE) continue;
    yield { kind: "names", nodes: slice };
    slice = [];
  }
  if (slice.length > 0) yield { kind: "names", nodes: slice };
  yield { kind: "end" };
}

/** Puts changes together again; until one is whole, the zones stay as they are. */
export class ZoneAssembly {
  #begun: Omit<Zone, "nodes" | "apex"> | undefined;
  #nodes = new Map<OctetString, ZoneNode>();

  /** The zones with a slice taken in. */
  take(table: ZoneTable, slice: ZoneSlice): ZoneTable {
    switch (slice.kind) {
      case "change":
        // Nobody else has the memory of zones that came in messages.
        return applyZoneChange(table, slice.change, IN_PLACE);
      case "begin":
        this.#begun = slice.zone;
        this.#nodes = new Map();
        return table;
      case "names":
        for (const [key, node] of slice.nodes) this.#nodes.set(key, node);
        return table;
      case "end":
        return this.#end(table);
    }
  }

  #end(table: ZoneTable): ZoneTable {
    const zone = this.#begun;
    const nodes = this.#nodes;
    // The very node: it is told from others by what it is.
    const apex = zone && nodes.get(zone.apexKey);
    if (apex === undefined || zone === undefined) throw new TypeError("a zone without an apex");
    this.#begun = undefined;
    this.#nodes = new Map();
    return table.with({ ...zone, nodes, apex });
  }
}

const IN_PLACE: AmendOptions = { inPlace: true };
