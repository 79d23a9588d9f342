import {
  encodeTypeBits,
  foldCase,
  type OctetString,
  octetString,
  type RecordSet,
  TYPE,
} from "../dns/mod.ts";
import { find, LookUp, type Zone } from "../zones/mod.ts";

/** RFC 9824 §3.5: "there is no such name", as a type. */
export const NXNAME = 128;
const MAX_NAME = 255;
const MAX_LABEL = 63;

/**
 * The NSEC record that proves what a name does not have, as if it were there and nothing between it
 * and the very next name that could be (RFC 9824 §3): no more is told of the zone than was asked.
 */
export function denialOf(zone: Zone, owner: OctetString): RecordSet {
  const types = typesAt(zone, owner);
  const bits = encodeTypeBits([...types ?? [NXNAME], TYPE.RRSIG, TYPE.NSEC]);
  const data = nextName(foldCase(owner)) + octetString(bits);
  return { type: TYPE.NSEC, ttl: zone.negative.ttl, data: [data] };
}

/** The types that a name has, wildcards counted as it; undefined: there is no such name. */
function typesAt(zone: Zone, owner: OctetString): readonly number[] | undefined {
  // A cut is asked about on the parent's side: what is beyond is not ours to deny.
  const found = find(zone, new LookUp(owner), { isParents: true });
  if (found.kind === "no_name") return undefined;
  if (found.kind !== "node") return [];
  const types = found.node.sets.map(({ type }) => type);
  const isCut = found.node !== zone.apex && types.includes(TYPE.NS);
  return isCut ? types.filter((type) => type === TYPE.NS || type === TYPE.DS) : types;
}

/** The name that comes right after a name (RFC 4034 §6.1), its case folded. */
export function nextName(name: OctetString): OctetString {
  // Below it, with the least label that there is.
  return name.length + 2 <= MAX_NAME ? `\x01\0${name}` : nameAfter(name);
}

/** The name that comes right after a name and all that are below it. */
function nameAfter(name: OctetString): OctetString {
  const length = name.charCodeAt(0);
  const label = name.slice(1, 1 + length);
  const rest = name.slice(1 + length);
  // Beside it, with its label one octet longer.
  if (name.length < MAX_NAME && length < MAX_LABEL) {
    return `${String.fromCharCode(length + 1)}${label}\0${rest}`;
  }
  // The next label as long as it, or shorter; upper case counts as lower and is not in order.
  for (let i = length - 1; i >= 0; i--) {
    const octet = label.charCodeAt(i);
    if (octet === 0xff) continue;
    const next = octet === 0x40 ? 0x5b : octet + 1;
    return `${String.fromCharCode(i + 1)}${label.slice(0, i)}${String.fromCharCode(next)}${rest}`;
  }
  return nameAfter(rest);
}
