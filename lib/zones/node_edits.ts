import type { OctetString } from "../dns/mod.ts";
import type { ZoneNode } from "./node_chunk.ts";
import type { NodeMap } from "./node_map.ts";
import type { LookUp } from "./zone.ts";

/** Changes of a zone's names, which become a map of their own; what is above each one is kept right. */
export class NodeEdits {
  readonly #before: NodeMap;
  readonly #apexKey: OctetString;
  readonly #changed = new Map<OctetString, ZoneNode | undefined>();

  constructor(before: NodeMap, apexKey: OctetString) {
    this.#before = before;
    this.#apexKey = apexKey;
  }

  /** A name as it is after the changes so far. */
  get(key: OctetString): ZoneNode | undefined {
    return this.#changed.has(key) ? this.#changed.get(key) : this.#before.get(key);
  }

  /** Gives a name records; those above it that are missing are made. */
  put({ name, key, starts }: LookUp, node: Pick<ZoneNode, "name" | "sets">): void {
    const known = this.get(key);
    this.#changed.set(key, { ...node, below: known?.below ?? 0 });
    if (known !== undefined) return;
    for (const start of starts.slice(1)) {
      const own = key.slice(start);
      if (own.length < this.#apexKey.length) return;
      const above = this.get(own);
      const { sets = [], below = 0 } = above ?? {};
      this.#changed.set(own, { name: above?.name ?? name.slice(start), sets, below: below + 1 });
      if (above !== undefined) return;
    }
  }

  /** Takes a name away that has nothing, unless there are names below it, and then those above it. */
  prune({ key, starts }: LookUp): void {
    for (const [i, start] of starts.entries()) {
      const own = key.slice(start);
      const node = this.get(own);
      if (node === undefined || own.length <= this.#apexKey.length) return;
      if (node.sets.length > 0 || node.below > 0) return;
      this.#changed.set(own, undefined);
      const upper = key.slice(starts[i + 1]);
      const above = this.get(upper);
      if (above === undefined) return;
      const { name, sets, below } = above;
      this.#changed.set(upper, { name, sets, below: below - 1 });
    }
  }

  /** The names with all changes made. */
  finish(): NodeMap {
    return this.#before.with(this.#changed);
  }
}
