import { type Name, nameKey, type RecordSet, TYPE } from "../dns/mod.ts";
import { labelStarts, type Zone, type ZoneNode } from "./zone.ts";

/** What a zone has for a name (RFC 1034 §4.3.2, RFC 4592, RFC 6672). */
export type Found =
  /** The name is there, or a wildcard stands for it. */
  | { readonly kind: "node"; readonly node: ZoneNode; readonly isWildcard: boolean }
  /** Other servers are asked: the zone is cut at or above the name. */
  | { readonly kind: "delegation"; readonly node: ZoneNode; readonly servers: RecordSet }
  /** A name above it is an alias for everything below. */
  | { readonly kind: "below_alias"; readonly node: ZoneNode; readonly alias: RecordSet }
  | { readonly kind: "no_name" };

const WILDCARD = "\x01*";

/**
 * Looks a name of a zone up, from the apex down: the first cut or alias decides.
 *
 * @param isParents whether what is asked for belongs to the parent's side of a cut (DS).
 */
export function find(
  zone: Zone,
  name: Name,
  { isParents = false }: { readonly isParents?: boolean } = {},
): Found {
  const key = nameKey(name);
  const starts = labelStarts(name);
  let encloser = zone.apex;
  let encloserStart = name.length - zone.origin.length;
  for (let i = starts.indexOf(encloserStart); i >= 0; i--) {
    const start = starts[i] as number;
    const isName = i === 0;
    const node = zone.nodes.get(key.slice(start));
    if (node === undefined) return wildcardOf(zone, key.slice(encloserStart));
    const servers = node.sets.get(TYPE.NS);
    if (servers !== undefined && node.name.length > zone.origin.length && !(isName && isParents)) {
      return { kind: "delegation", node, servers };
    }
    const alias = node.sets.get(TYPE.DNAME);
    if (alias !== undefined && !isName) return { kind: "below_alias", node, alias };
    encloser = node;
    encloserStart = start;
  }
  return { kind: "node", node: encloser, isWildcard: false };
}

/** RFC 4592 §3.3.1: only the one below the closest name that is there can stand for the name. */
function wildcardOf(zone: Zone, encloserKey: string): Found {
  const node = zone.nodes.get(WILDCARD + encloserKey);
  return node === undefined ? { kind: "no_name" } : { kind: "node", node, isWildcard: true };
}
