import {
  failure,
  formatIp,
  ipFromBytes,
  ipToBytes,
  parseIp,
  type Result,
  success,
} from "../addr/mod.ts";
import { joined, u16 } from "../wire/mod.ts";
import { base64Text, octetsFromBase64, octetsFromText, quotedText } from "./octet_text.ts";
import { keysOf, PARAM, readServiceParams, type ServiceParam } from "./service_params.ts";
import { numberFromText } from "./zone_units.ts";

const KEYS = new Map<string, number>(Object.entries(PARAM));
const NAMES = new Map<number, string>(Object.entries(PARAM).map(([name, key]) => [key, name]));
const COMMA = 0x2c;
const BACKSLASH = 0x5c;

/** The parameters that words such as `alpn=h2,h3` say, in any order (RFC 9460 §2.1). */
export function serviceParamsFromText(words: readonly string[]): Result<Uint8Array> {
  const params: ServiceParam[] = [];
  for (const word of words) {
    const equals = word.indexOf("=");
    const name = equals < 0 ? word : word.slice(0, equals);
    const key = keyFromText(name);
    if (!key.ok) return key;
    if (params.some((param) => param.key === key.value)) return failure(`${name} comes twice`);
    const value = valueFromText(key.value, equals < 0 ? "" : word.slice(equals + 1));
    if (!value.ok) return failure(`${name}: ${value.reason}`);
    params.push({ key: key.value, value: value.value });
  }
  params.sort((a, b) => a.key - b.key);
  const octets = joined(params.flatMap(({ key, value }) => [u16(key), u16(value.length), value]));
  if (readServiceParams(octets) === undefined) {
    return failure("the parameters contradict each other or themselves");
  }
  return success(octets);
}

/** The text of valid parameters. */
export function serviceParamsText(octets: Uint8Array): string[] {
  return (readServiceParams(octets) ?? []).map(({ key, value }) => {
    const name = NAMES.get(key) ?? `key${key}`;
    return value.length === 0 ? name : `${name}=${valueText(key, value)}`;
  });
}

function keyFromText(name: string): Result<number> {
  const known = KEYS.get(name);
  if (known !== undefined) return success(known);
  const number = /^key(0|[1-9][0-9]{0,4})$/.exec(name)?.[1];
  return number !== undefined && Number(number) < 0xffff
    ? success(Number(number))
    : failure("not a parameter: keys are in lower case, such as alpn, or key667");
}

function valueFromText(key: number, text: string): Result<Uint8Array> {
  switch (key) {
    case PARAM.mandatory:
      return mandatoryFromText(text);
    case PARAM.alpn:
      return alpnFromText(text);
    case PARAM.port: {
      const port = numberFromText(text, 0xffff);
      return port.ok ? success(u16(port.value)) : port;
    }
    case PARAM.ipv4hint:
      return addressesFromText(text, 4);
    case PARAM.ipv6hint:
      return addressesFromText(text, 16);
    case PARAM.ech:
      return octetsFromBase64(text);
    default:
      return octetsFromText(text);
  }
}

function mandatoryFromText(text: string): Result<Uint8Array> {
  const keys: number[] = [];
  for (const name of text.split(",")) {
    const key = keyFromText(name);
    if (!key.ok) return key;
    keys.push(key.value);
  }
  return success(joined(keys.sort((a, b) => a - b).map(u16)));
}

/** RFC 9460 appendix A.1: a list within a text, so that commas are escaped for the list and again. */
function alpnFromText(text: string): Result<Uint8Array> {
  const octets = octetsFromText(text);
  if (!octets.ok) return octets;
  const items: number[][] = [[]];
  for (let i = 0; i < octets.value.length; i++) {
    const octet = octets.value[i] as number;
    if (octet === COMMA) items.push([]);
    else items.at(-1)?.push(octet === BACKSLASH ? octets.value[++i] ?? BACKSLASH : octet);
  }
  if (items.some((item) => item.length === 0 || item.length > 255)) {
    return failure("a protocol has 1 to 255 octets");
  }
  return success(joined(items.map((item) => Uint8Array.of(item.length, ...item))));
}

function addressesFromText(text: string, size: 4 | 16): Result<Uint8Array> {
  const addresses: Uint8Array[] = [];
  for (const part of text.split(",")) {
    const ip = parseIp(part);
    const octets = ip.ok ? ipToBytes(ip.value) : undefined;
    if (octets?.length !== size) return failure(`not IPv${size === 4 ? 4 : 6} addresses`);
    addresses.push(octets);
  }
  return success(joined(addresses));
}

function valueText(key: number, value: Uint8Array): string {
  switch (key) {
    case PARAM.mandatory:
      return keysOf(value).map((listed) => NAMES.get(listed) ?? `key${listed}`).join(",");
    case PARAM.alpn:
      return quotedText(alpnList(value));
    case PARAM.port:
      return String((value[0] as number) << 8 | (value[1] as number));
    case PARAM.ipv4hint:
      return addressesText(value, 4);
    case PARAM.ipv6hint:
      return addressesText(value, 16);
    case PARAM.ech:
      return base64Text(value);
    default:
      return quotedText(value);
  }
}

/** The list in which commas and backslashes of items are escaped. */
function alpnList(value: Uint8Array): Uint8Array {
  const list: number[] = [];
  for (let at = 0; at < value.length; at += 1 + (value[at] as number)) {
    if (at > 0) list.push(COMMA);
    for (const octet of value.subarray(at + 1, at + 1 + (value[at] as number))) {
      if (octet === COMMA || octet === BACKSLASH) list.push(BACKSLASH);
      list.push(octet);
    }
  }
  return Uint8Array.from(list);
}

function addressesText(value: Uint8Array, size: number): string {
  const addresses: string[] = [];
  for (let at = 0; at < value.length; at += size) {
    addresses.push(formatIp(ipFromBytes(value.subarray(at, at + size))));
  }
  return addresses.join(",");
}
