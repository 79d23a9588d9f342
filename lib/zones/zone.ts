import { type Name, nameKey, type RecordSet } from "../dns/mod.ts";

/** A name of a zone, or one that only has names below it (RFC 4592 §2.2.2). */
export interface ZoneNode {
  /** As it was written. */
  readonly name: Name;
  /** By type. */
  readonly sets: ReadonlyMap<number, RecordSet>;
}

/** A zone that can be asked; it never changes, another one takes its place. */
export interface Zone {
  readonly origin: Name;
  /** Of the names by {@link nameKey}, all above them down from the origin among them. */
  readonly nodes: ReadonlyMap<string, ZoneNode>;
  readonly apex: ZoneNode;
  /** The SOA record as negative answers have it: its TTL is how long they last (RFC 2308 §3). */
  readonly negative: RecordSet;
  readonly serial: number;
}

/** Where the labels of a name begin in its octets, and in its key, the root's last. */
export function labelStarts(name: Name): number[] {
  const starts: number[] = [];
  for (let at = 0; at < name.length; at += 1 + (name[at] as number)) starts.push(at);
  return starts;
}

/** The zones that a server is the authority for, found by the names in them. */
export class ZoneTable {
  readonly #zones: ReadonlyMap<string, Zone>;

  constructor(zones: readonly Zone[] = []) {
    this.#zones = new Map(zones.map((zone) => [nameKey(zone.origin), zone]));
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
  without(origin: Name): ZoneTable {
    return new ZoneTable(this.#others(origin));
  }

  /** The zone whose apex a name is. */
  at(origin: Name): Zone | undefined {
    return this.#zones.get(nameKey(origin));
  }

  /**
   * The zone that a name is in, the innermost if one is inside of another. What is at a zone's apex
   * and belongs to its parent (DS, RFC 4035 §3.1.4.1) is looked for in the parent, if that is here.
   */
  of(name: Name, { isParents = false }: { readonly isParents?: boolean } = {}): Zone | undefined {
    const key = nameKey(name);
    const starts = labelStarts(name);
    const own = this.#innermost(key, starts);
    if (!isParents || own === undefined || own.origin.length !== name.length) return own;
    return this.#innermost(key, starts.slice(1)) ?? own;
  }

  #innermost(key: string, starts: readonly number[]): Zone | undefined {
    for (const start of starts) {
      const zone = this.#zones.get(key.slice(start));
      if (zone !== undefined) return zone;
    }
    return undefined;
  }

  #others(origin: Name): Zone[] {
    const key = nameKey(origin);
    return [...this.#zones].flatMap(([own, zone]) => own === key ? [] : [zone]);
  }
}
