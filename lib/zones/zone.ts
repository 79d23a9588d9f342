import { foldCase, type OctetString, type RecordSet } from "../dns/mod.ts";
import type { ZoneNode } from "./node_chunk.ts";
import type { NodeMap } from "./node_map.ts";

/** A zone that can be asked; it never changes, another one takes its place. */
export interface Zone {
  readonly origin: OctetString;
  /** The origin, its case folded. */
  readonly apexKey: OctetString;
  /** Of the names, their case folded; all above them down from the origin are among them. */
  readonly nodes: NodeMap;
  readonly apex: ZoneNode;
  /** The SOA record as negative answers have it: its TTL is how long they last (RFC 2308 §3). */
  readonly negative: RecordSet;
  readonly serial: number;
  /**
   * Whether nobody knows what it holds now (RFC 1035 §3.3.13): it has never come from its primary, or
   * that is silent for too long. Such a zone answers SERVFAIL.
   */
  readonly isExpired?: boolean;
}

/** A name that is looked up, and what is found out about it once. */
export class LookUp {
  /** As it was asked. */
  readonly name: OctetString;
  /** Its case folded. */
  readonly key: OctetString;
  /** Where its labels begin, the root's last. */
  readonly starts: readonly number[];

  constructor(name: OctetString) {
    this.name = name;
    this.key = foldCase(name);
    const starts: number[] = [];
    for (let at = 0; at < name.length; at += 1 + name.charCodeAt(at)) starts.push(at);
    this.starts = starts;
  }

  /** Whether it is a name, whose case is folded, or below it. */
  isBelow(top: OctetString): boolean {
    // The octets could end alike without being the same labels.
    return this.key.endsWith(top) && this.starts.includes(this.key.length - top.length);
  }
}

/** The zones that a server is the authority for, found by the names in them. */
export class ZoneTable {
  readonly #zones: ReadonlyMap<string, Zone>;

  constructor(zones: readonly Zone[] = []) {
    this.#zones = new Map(zones.map((zone) => [foldCase(zone.origin), zone]));
  }

  /** How many there are. */
  get size(): number {
    return this.#zones.size;
  }

  /** All of them. */
  get zones(): Iterable<Zone> {
    return this.#zones.values();
  }

  /** A table with one zone more, or in the place of the one with its origin. */
  with(zone: Zone): ZoneTable {
    return new ZoneTable([...this.#others(zone.origin), zone]);
  }

  /** A table without the zone of that origin. */
  without(origin: OctetString): ZoneTable {
    return new ZoneTable(this.#others(origin));
  }

  /** The zone whose apex a name is. */
  at(origin: OctetString): Zone | undefined {
    return this.#zones.get(foldCase(origin));
  }

  /**
   * The zone that a name is in, the innermost if one is inside of another. What is at a zone's apex
   * and belongs to its parent (DS, RFC 4035 §3.1.4.1) is looked for in the parent, if that is here.
   */
  of(
    { key, starts }: LookUp,
    { isParents = false }: { readonly isParents?: boolean } = {},
  ): Zone | undefined {
    const own = this.#innermost(key, starts, 0);
    if (!isParents || own === undefined || own.origin.length !== key.length) return own;
    return this.#innermost(key, starts, 1) ?? own;
  }

  #innermost(key: OctetString, starts: readonly number[], first: number): Zone | undefined {
    for (let i = first; i < starts.length; i++) {
      const zone = this.#zones.get(key.slice(starts[i]));
      if (zone !== undefined) return zone;
    }
    return undefined;
  }

  #others(origin: OctetString): Zone[] {
    const key = foldCase(origin);
    return [...this.#zones].flatMap(([own, zone]) => own === key ? [] : [zone]);
  }
}
