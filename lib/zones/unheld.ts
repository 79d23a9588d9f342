import { foldCase, type OctetString, type RecordSet, TYPE } from "../dns/mod.ts";
import { ChunkWriter, type ZoneNode } from "./node_chunk.ts";
import { NodeMap } from "./node_map.ts";
import type { Zone } from "./zone.ts";

/** In the place of a zone that has not come from its primary yet. */
export function unheldZone(origin: OctetString): Zone {
  const apexKey = foldCase(origin);
  const apex: ZoneNode = { name: origin, below: 0, sets: [] };
  const negative: RecordSet = { type: TYPE.SOA, ttl: 0, data: [] };
  const empty = new ChunkWriter(0).finish(0, (octets) => new DataView(new ArrayBuffer(octets)));
  const nodes = NodeMap.of([empty]).with([[apexKey, apex]]);
  return { origin, apexKey, nodes, apex, negative, serial: 0, isExpired: true };
}
