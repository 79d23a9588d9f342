import {
  applyZoneChange,
  type NodeChunk,
  NodeMap,
  type Zone,
  type ZoneChange,
  type ZoneTable,
} from "../zones/mod.ts";

/**
 * Chunks of names in one message: less than a millisecond for whoever reads it if they are in shared
 * memory, a few if they have to be copied; questions are answered in between.
 */
const CHUNKS_IN_SLICE = 250;

/** A part of a change, small enough for one turn of whoever takes it; it can be sent to another thread. */
export type ZoneSlice =
  | { readonly kind: "change"; readonly change: Exclude<ZoneChange, { kind: "set" }> }
  /** A zone begins, its names follow. */
  | { readonly kind: "begin"; readonly zone: Omit<Zone, "nodes" | "apex"> }
  | { readonly kind: "names"; readonly chunks: readonly NodeChunk[] }
  /** It is whole. */
  | { readonly kind: "end" };

/** A change in slices, in their order. */
export function* sliceChange(change: ZoneChange): Generator<ZoneSlice> {
  if (change.kind !== "set") return void (yield { kind: "change", change });
  const { origin, apexKey, negative, serial, nodes, isExpired } = change.zone;
  const { type, ttl, data } = negative;
  const zone = { origin, apexKey, serial, negative: { type, ttl, data } };
  yield { kind: "begin", zone: isExpired === true ? { ...zone, isExpired } : zone };
  let chunks: NodeChunk[] = [];
  for (const chunk of nodes.chunks()) {
    chunks.push(chunk);
    if (chunks.length < CHUNKS_IN_SLICE) continue;
    yield { kind: "names", chunks };
    chunks = [];
  }
  if (chunks.length > 0) yield { kind: "names", chunks };
  yield { kind: "end" };
}

/** Puts changes together again; until one is whole, the zones stay as they are. */
export class ZoneAssembly {
  #begun: Omit<Zone, "nodes" | "apex"> | undefined;
  #chunks: NodeChunk[] = [];

  /**
   * The zones with a slice taken in.
   *
   * @throws {TypeError} if what was sent is no zone.
   */
  take(table: ZoneTable, slice: ZoneSlice): ZoneTable {
    switch (slice.kind) {
      case "change":
        return applyZoneChange(table, slice.change);
      case "begin":
        this.#begun = slice.zone;
        this.#chunks = [];
        return table;
      case "names":
        this.#chunks.push(...slice.chunks);
        return table;
      case "end":
        return this.#end(table);
    }
  }

  #end(table: ZoneTable): ZoneTable {
    const zone = this.#begun;
    const chunks = this.#chunks;
    this.#begun = undefined;
    this.#chunks = [];
    const nodes = NodeMap.of(chunks);
    const apex = zone && nodes.get(zone.apexKey);
    if (apex === undefined || zone === undefined) throw new TypeError("a zone without an apex");
    return table.with({ ...zone, nodes, apex });
  }
}
