import { failure, type Result, success } from "../addr/mod.ts";

/** Types of records whose data is known here, and the two that only questions have. */
export const TYPE = Object.freeze({
  A: 1,
  NS: 2,
  CNAME: 5,
  SOA: 6,
  PTR: 12,
  HINFO: 13,
  MX: 15,
  TXT: 16,
  RP: 17,
  AFSDB: 18,
  AAAA: 28,
  SRV: 33,
  NAPTR: 35,
  KX: 36,
  DNAME: 39,
  OPT: 41,
  DS: 43,
  SSHFP: 44,
  RRSIG: 46,
  NSEC: 47,
  DNSKEY: 48,
  DHCID: 49,
  TLSA: 52,
  SMIMEA: 53,
  CDS: 59,
  CDNSKEY: 60,
  OPENPGPKEY: 61,
  CSYNC: 62,
  ZONEMD: 63,
  SVCB: 64,
  HTTPS: 65,
  SPF: 99,
  TSIG: 250,
  IXFR: 251,
  AXFR: 252,
  ANY: 255,
  URI: 256,
  CAA: 257,
});

const NAMES = new Map<number, string>(Object.entries(TYPE).map(([name, number]) => [number, name]));
const NUMBERS = new Map<string, number>(Object.entries(TYPE));

/** `A`, or `TYPE65280` for one without a name here (RFC 3597 §5). */
export function typeToText(type: number): string {
  return NAMES.get(type) ?? `TYPE${type}`;
}

/** The type that a mnemonic, in any case, or `TYPE65280` stands for. */
export function typeFromText(text: string): Result<number> {
  const upper = text.toUpperCase();
  const known = NUMBERS.get(upper);
  if (known !== undefined) return success(known);
  const digits = /^TYPE([0-9]{1,5})$/.exec(upper)?.[1];
  const number = Number(digits);
  return digits !== undefined && number <= 0xffff
    ? success(number)
    : failure("not a type of records");
}

/** Whether records of a type can be data of a zone: neither 0 nor a question or a message's own. */
export function isDataType(type: number): boolean {
  return type > 0 && type <= 0xffff && type !== TYPE.OPT && !(type >= 128 && type <= 255);
}
