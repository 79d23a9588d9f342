import type { OctetString } from "../dns/mod.ts";

/** FNV-1a. */
const BASIS = 0x811c9dc5;
const PRIME = 0x01000193;

/**
 * 32 bits of a name, its case folded. Who may write names can make many that are alike in them: that
 * costs the look-ups of these names a few comparisons more (see {@link findEntry}), and others nothing.
 */
export function hashOf(key: OctetString): number {
  let hash = BASIS;
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), PRIME);
  // The upper bits choose the chunk, so that each octet has to reach them (MurmurHash3's last step).
  hash = Math.imul(hash ^ hash >>> 16, 0x85ebca6b);
  hash = Math.imul(hash ^ hash >>> 13, 0xc2b2ae35);
  return (hash ^ hash >>> 16) >>> 0;
}
