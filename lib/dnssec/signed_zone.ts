import { type OctetString, type RecordSet, TYPE } from "../dns/mod.ts";
import type { Zone, ZoneNode } from "../zones/mod.ts";
import { delegationSigners, keysForParents } from "./delegation.ts";
import type { ZoneKey } from "./key.ts";

/** How long keys are remembered by others; a rollover waits for it. */
const KEY_TTL = 3600;

/** A zone that is signed when it is asked. */
export interface SignedZone {
  /** With its keys among its records. */
  readonly zone: Zone;
  readonly keys: readonly ZoneKey[];
}

/** The keys of a zone as its records. */
export interface ZoneKeys {
  readonly keys: readonly ZoneKey[];
  readonly sets: readonly RecordSet[];
}

/** Keys of a zone, and what its parent should know of them (RFC 7344). */
export async function zoneKeysOf(
  origin: OctetString,
  keys: readonly ZoneKey[],
): Promise<ZoneKeys> {
  const signers = await delegationSigners(origin, keys);
  const sets = [
    setOf(TYPE.DNSKEY, keys.map(({ data }) => data)),
    setOf(TYPE.CDS, signers),
    setOf(TYPE.CDNSKEY, keysForParents(keys).map(({ data }) => data)),
  ];
  return { keys, sets };
}

/** A zone with its keys among its records. */
export function signZone(zone: Zone, { keys, sets: own }: ZoneKeys): SignedZone {
  const types = new Set(own.map(({ type }) => type));
  const sets = [...zone.apex.sets.filter(({ type }) => !types.has(type)), ...own];
  const { name, below } = zone.apex;
  const apex: ZoneNode = { name, below, sets };
  return { zone: { ...zone, apex, nodes: zone.nodes.with([[zone.apexKey, apex]]) }, keys };
}

function setOf(type: number, data: readonly OctetString[]): RecordSet {
  return { type, ttl: KEY_TTL, data };
}
