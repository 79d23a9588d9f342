import { foldCase, octetsOf, type OctetString, octetString } from "../dns/mod.ts";
import { concat, u16 } from "../wire/mod.ts";
import { ALGORITHM, type ZoneKey } from "./key.ts";

/** RFC 4509. */
const SHA256 = 2;

/**
 * The data of the DS records that a parent is to have of a zone: of the key that comes if there is
 * one, of the keys that sign if not.
 */
export async function delegationSigners(
  origin: OctetString,
  keys: readonly ZoneKey[],
): Promise<OctetString[]> {
  return await Promise.all(keysForParents(keys).map((key) => delegationSigner(origin, key)));
}

/** Those of which parents are told. */
export function keysForParents(keys: readonly ZoneKey[]): readonly ZoneKey[] {
  const published = keys.filter(({ role }) => role === "published");
  return published.length > 0 ? published : keys.filter(({ role }) => role === "active");
}

async function delegationSigner(origin: OctetString, { data, tag }: ZoneKey): Promise<OctetString> {
  const octets = concat(octetsOf(foldCase(origin)), octetsOf(data));
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", octets));
  return octetString(concat(u16(tag), Uint8Array.of(ALGORITHM, SHA256), digest));
}
