import {
  CLASS_IN,
  foldCase,
  octetsOf,
  type OctetString,
  octetString,
  type RecordSet,
} from "../dns/mod.ts";
import { concat, joined, u16, u32 } from "../wire/mod.ts";
import { canonicalData } from "./canonical.ts";
import { ALGORITHM, type ZoneKey } from "./key.ts";

const WILDCARD = "\x01*";

/** What a signature is made of. */
export interface SignatureOptions {
  /** The zone that the key is of. */
  readonly origin: OctetString;
  readonly key: ZoneKey;
  /** Seconds since 1970. */
  readonly inception: number;
  readonly expiration: number;
}

/** The data of the RRSIG record of a set (RFC 4034 §3). */
export async function signSet(
  owner: OctetString,
  set: RecordSet,
  { origin, key, inception, expiration }: SignatureOptions,
): Promise<OctetString> {
  const { type, ttl, data } = set;
  const head = concat(
    ...[u16(type), Uint8Array.of(ALGORITHM, labelsOf(owner)), u32(ttl)],
    ...[u32(expiration), u32(inception), u16(key.tag), octetsOf(foldCase(origin))],
  );
  const name = octetsOf(foldCase(owner));
  const records = canonicalData(type, data).flatMap((own) => [
    ...[name, u16(type), u16(CLASS_IN), u32(ttl), u16(own.length), octetsOf(own)],
  ]);
  const how = { name: "ECDSA", hash: "SHA-256" };
  const signed = joined([head, ...records]);
  const signature = new Uint8Array(await crypto.subtle.sign(how, key.privateKey, signed));
  return octetString(concat(head, signature));
}

/** RFC 4034 §3.1.3: neither the root's nor a wildcard's counts. */
function labelsOf(name: OctetString): number {
  let count = name.startsWith(WILDCARD) ? -1 : 0;
  for (let at = 0; name.charCodeAt(at) > 0; at += 1 + name.charCodeAt(at)) count++;
  return count;
}
