import { TYPE } from "./record_types.ts";

/**
 * One part of the data of a record. `text`, `hex`, `base64`, `strings`, `types` and `params` go on to
 * the data's end, and so are the last.
 *
 * - `ttl`: 32 bits of seconds, which text may give in units; `time`: 32 bits, as `YYYYMMDDHHMMSS`
 * - `string`: up to 255 octets with their count before; `strings`: one or more of them
 * - `tag`: a `string` of letters and digits (RFC 8659 §4.1); `text`: the octets as they are
 * - `types`: a bit map (RFC 4034 §4.1.2); `params`: of services (RFC 9460 §2.2)
 */
export type RdataPart =
  | "u8"
  | "u16"
  | "u32"
  | "ttl"
  | "time"
  | "type"
  | "ipv4"
  | "ipv6"
  | "name"
  | "string"
  | "strings"
  | "tag"
  | "text"
  | "hex"
  | "base64"
  | "types"
  | "params";

const DIGEST: readonly RdataPart[] = ["u16", "u8", "u8", "hex"];
const KEY: readonly RdataPart[] = ["u16", "u8", "u8", "base64"];
const ASSOCIATION: readonly RdataPart[] = ["u8", "u8", "u8", "hex"];
const SERVICE: readonly RdataPart[] = ["u16", "name", "params"];

const LAYOUTS = new Map<number, readonly RdataPart[]>([
  [TYPE.A, ["ipv4"]], // RFC 1035 §3.3 and §3.4, this and the next
  [TYPE.NS, ["name"]],
  [TYPE.CNAME, ["name"]],
  [TYPE.SOA, ["name", "name", "u32", "ttl", "ttl", "ttl", "ttl"]],
  [TYPE.PTR, ["name"]],
  [TYPE.HINFO, ["string", "string"]],
  [TYPE.MX, ["u16", "name"]],
  [TYPE.TXT, ["strings"]],
  [TYPE.RP, ["name", "name"]], // RFC 1183, this and the next
  [TYPE.AFSDB, ["u16", "name"]],
  [TYPE.AAAA, ["ipv6"]], // RFC 3596
  [TYPE.SRV, ["u16", "u16", "u16", "name"]], // RFC 2782
  [TYPE.NAPTR, ["u16", "u16", "string", "string", "string", "name"]], // RFC 3403
  [TYPE.KX, ["u16", "name"]], // RFC 2230
  [TYPE.DNAME, ["name"]], // RFC 6672
  [TYPE.DS, DIGEST], // RFC 4034
  [TYPE.SSHFP, ["u8", "u8", "hex"]], // RFC 4255
  [TYPE.RRSIG, ["type", "u8", "u8", "u32", "time", "time", "u16", "name", "base64"]],
  [TYPE.NSEC, ["name", "types"]],
  [TYPE.DNSKEY, KEY],
  [TYPE.DHCID, ["base64"]], // RFC 4701
  [TYPE.TLSA, ASSOCIATION], // RFC 6698
  [TYPE.SMIMEA, ASSOCIATION], // RFC 8162
  [TYPE.CDS, DIGEST], // RFC 7344
  [TYPE.CDNSKEY, KEY],
  [TYPE.OPENPGPKEY, ["base64"]], // RFC 7929
  [TYPE.CSYNC, ["u32", "u16", "types"]], // RFC 7477
  [TYPE.ZONEMD, ["u32", "u8", "u8", "hex"]], // RFC 8976
  [TYPE.SVCB, SERVICE], // RFC 9460
  [TYPE.HTTPS, SERVICE],
  [TYPE.SPF, ["strings"]], // RFC 7208 §3.1: no longer asked for, but there
  [TYPE.URI, ["u16", "u16", "text"]], // RFC 7553
  [TYPE.CAA, ["u8", "tag", "text"]], // RFC 8659
]);

/** The parts of a type's data; undefined: its data is octets and nothing more (RFC 3597). */
export function layoutOf(type: number): readonly RdataPart[] | undefined {
  return LAYOUTS.get(type);
}

/** Where names are in data: after so many octets, so many of them. */
export interface NamesInData {
  readonly skip: number;
  readonly count: number;
}

/** Types whose names may be compressed: those of RFC 1035 and no others (RFC 3597 §4). */
const COMPRESSIBLE = new Map<number, NamesInData>([
  [TYPE.NS, { skip: 0, count: 1 }],
  [TYPE.CNAME, { skip: 0, count: 1 }],
  [TYPE.SOA, { skip: 0, count: 2 }],
  [TYPE.PTR, { skip: 0, count: 1 }],
  [TYPE.MX, { skip: 2, count: 1 }],
]);

/** The names in a type's data that who writes a message may compress. */
export function compressibleNames(type: number): NamesInData | undefined {
  return COMPRESSIBLE.get(type);
}
