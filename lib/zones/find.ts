import { type RecordSet, TYPE } from "../dns/mod.ts";
import { setOf, type ZoneNode } from "./node_chunk.ts";
import { type LookUp, type Zone } from "./zone.ts";

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
  { key, starts }: LookUp,
  { isParents = false }: { readonly isParents?: boolean } = {},
): Found {
  let encloser = zone.apex;
  const apexStart = key.length - zone.origin.length;
  let encloserStart = apexStart;
  for (let i = starts.indexOf(apexStart); i >= 0; i--) {
    const start = starts[i] as number;
    const isName = i === 0;
    const isApex = start === apexStart;
    const node = isApex ? zone.apex : zone.nodes.get(key.slice(start));
    if (node === undefined) {
      // RFC 4592 §3.3.1: only the one below the closest name that is there can stand for the name.
      const wildcard = zone.nodes.get(WILDCARD + key.slice(encloserStart));
      if (wildcard === undefined) return { kind: "no_name" };
      return { kind: "node", node: wildcard, isWildcard: true };
    }
    const servers = isApex ? undefined : setOf(node, TYPE.NS);
    if (servers !== undefined && !(isName && isParents)) {
      return { kind: "delegation", node, servers };
    }
    const alias = isName ? undefined : setOf(node, TYPE.DNAME);
    if (alias !== undefined) return { kind: "below_alias", node, alias };
    encloser = node;
    encloserStart = start;
  }
  return { kind: "node", node: encloser, isWildcard: false };
}
