import { Cursor } from "../wire/mod.ts";

/** RFC 9460 §14.3.2, and RFC 9461 and 9540 for the last two. */
export const PARAM = Object.freeze({
  mandatory: 0,
  alpn: 1,
  "no-default-alpn": 2,
  port: 3,
  ipv4hint: 4,
  ech: 5,
  ipv6hint: 6,
  dohpath: 7,
  ohttp: 8,
});

/** One parameter of a service: its key and its value on the wire. */
export interface ServiceParam {
  readonly key: number;
  readonly value: Uint8Array;
}

/**
 * The parameters of a service (RFC 9460 §2.2): keys in order and each once, values that are what
 * their keys say, and what is mandatory is there.
 *
 * @returns nothing if they are not valid.
 */
export function readServiceParams(octets: Uint8Array): readonly ServiceParam[] | undefined {
  const params: ServiceParam[] = [];
  const cursor = new Cursor(octets);
  while (cursor.remaining > 0) {
    const key = cursor.u16();
    const value = cursor.take(cursor.u16() ?? -1);
    if (key === undefined || value === undefined) return undefined;
    if (key <= (params.at(-1)?.key ?? -1) || !isValue(key, value)) return undefined;
    params.push({ key, value });
  }
  const keys = new Set(params.map(({ key }) => key));
  if (keys.has(PARAM["no-default-alpn"]) && !keys.has(PARAM.alpn)) return undefined;
  const mandatory = params[0]?.key === PARAM.mandatory ? keysOf(params[0].value) : [];
  return mandatory.every((key) => keys.has(key)) ? params : undefined;
}

/** Whether octets are parameters of a service. */
export function areServiceParams(octets: Uint8Array): boolean {
  return readServiceParams(octets) !== undefined;
}

/** The keys that a `mandatory` value lists. */
export function keysOf(value: Uint8Array): number[] {
  const keys: number[] = [];
  for (let i = 0; i + 1 < value.length; i += 2) {
    keys.push((value[i] as number) << 8 | (value[i + 1] as number));
  }
  return keys;
}

function isValue(key: number, value: Uint8Array): boolean {
  switch (key) {
    case PARAM.mandatory:
      return isMandatory(value);
    case PARAM.alpn:
      return isAlpn(value);
    case PARAM["no-default-alpn"]:
    case PARAM.ohttp:
      return value.length === 0;
    case PARAM.port:
      return value.length === 2;
    case PARAM.ipv4hint:
      return value.length > 0 && value.length % 4 === 0;
    case PARAM.ipv6hint:
      return value.length > 0 && value.length % 16 === 0;
    case PARAM.ech:
    case PARAM.dohpath:
      return value.length > 0;
    default:
      return key !== 0xffff; // Reserved.
  }
}

/** RFC 9460 §8: in order, each once, and not itself. */
function isMandatory(value: Uint8Array): boolean {
  const keys = keysOf(value);
  if (value.length === 0 || value.length % 2 !== 0) return false;
  return keys.every((key, i) => key > (keys[i - 1] ?? PARAM.mandatory));
}

/** RFC 9460 §7.1.1: one or more protocols, none of them empty. */
function isAlpn(value: Uint8Array): boolean {
  const cursor = new Cursor(value);
  while (cursor.remaining > 0) {
    if ((cursor.vector8()?.remaining ?? 0) === 0) return false;
  }
  return value.length > 0;
}
