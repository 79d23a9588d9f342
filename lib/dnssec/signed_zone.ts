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
  const apex: ZoneNode = { name: zone.apex.name, sets };
  const nodes = new NodesWithApex(zone.nodes, zone.apexKey, apex);
  return { zone: { ...zone, apex, nodes }, keys };
}

function setOf(type: number, data: readonly OctetString[]): RecordSet {
  return { type, ttl: KEY_TTL, data };
}

/** Names of a zone, of which one is another: a copy of a million takes too long for each change. */
class NodesWithApex implements ReadonlyMap<OctetString, ZoneNode> {
  readonly #nodes: ReadonlyMap<OctetString, ZoneNode>;
  readonly #key: OctetString;
  readonly #apex: ZoneNode;

  constructor(nodes: ReadonlyMap<OctetString, ZoneNode>, key: OctetString, apex: ZoneNode) {
    this.#nodes = nodes;
    this.#key = key;
    this.#apex = apex;
  }

  get size(): number {
    return this.#nodes.size;
  }

  get(key: OctetString): ZoneNode | undefined {
    return key === this.#key ? this.#apex : this.#nodes.get(key);
  }

  has(key: OctetString): boolean {
    return this.#nodes.has(key);
  }

  forEach(told: (node: ZoneNode, key: OctetString, map: this) => void): void {
    for (const [key, node] of this) told(node, key, this);
  }

  *entries(): MapIterator<[OctetString, ZoneNode]> {
    for (const [key, node] of this.#nodes) yield [key, key === this.#key ? this.#apex : node];
  }

  *keys(): MapIterator<OctetString> {
    yield* this.#nodes.keys();
  }

  *values(): MapIterator<ZoneNode> {
    for (const [, node] of this) yield node;
  }

  [Symbol.iterator](): MapIterator<[OctetString, ZoneNode]> {
    return this.entries();
  }
}
