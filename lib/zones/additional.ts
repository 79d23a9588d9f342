import { type MessageWriter, type OctetString, type RecordSet, TYPE } from "../dns/mod.ts";
import { LookUp, type Zone } from "./zone.ts";

/** Whoever asks wants the addresses of these names next: where they are in the data. */
const NAME_AT = new Map<number, number>([
  ...[[TYPE.NS, 0], [TYPE.MX, 2], [TYPE.SRV, 6]] as const,
  ...[[TYPE.SVCB, 2], [TYPE.HTTPS, 2]] as const, // RFC 9460 §4.1
]);
/** The priority of a service that is an alias. */
const ALIAS_MODE = "\0\0";

/** Whose addresses {@link addAddresses} adds. */
export interface AddressesOptions {
  readonly zone: Zone;
  /** The set's name. */
  readonly owner: OctetString;
  /** Of a referral: its name, case folded. */
  readonly cut?: OctetString;
}

/**
 * Adds the addresses that the zone has of the names in a set.
 *
 * @returns whether some below the cut had no room.
 */
export function addAddresses(
  writer: MessageWriter,
  { type, data }: RecordSet,
  { zone, owner, cut }: AddressesOptions,
): boolean {
  const nameAt = NAME_AT.get(type);
  if (nameAt === undefined) return false;
  let isMissing = false;
  for (const own of data) {
    const name = nameIn(own, nameAt);
    const target = new LookUp(isOwner(own, { type, name }) ? owner : name);
    const node = target.isBelow(zone.apexKey) ? zone.nodes.get(target.key) : undefined;
    for (const set of node?.sets ?? []) {
      if (set.type !== TYPE.A && set.type !== TYPE.AAAA) continue;
      if (writer.addSet("additional", target.name, set)) continue;
      if (cut !== undefined && target.isBelow(cut)) isMissing = true;
    }
  }
  return isMissing;
}

/** The name at a place in data. */
function nameIn(data: OctetString, start: number): OctetString {
  let end = start;
  while (data.charCodeAt(end) > 0) end += 1 + data.charCodeAt(end);
  return data.slice(start, end + 1);
}

/** Whether a service is at the name of its record: the root's stands for it (RFC 9460 §2.5.2). */
function isOwner(
  data: OctetString,
  { type, name }: { readonly type: number; readonly name: OctetString },
): boolean {
  const isService = type === TYPE.SVCB || type === TYPE.HTTPS;
  return isService && name.length === 1 && !data.startsWith(ALIAS_MODE);
}
